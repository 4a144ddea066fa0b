"""Where a search begins: the encoder, a table, and how long it may take."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from restora.degradations import AdditiveNoise, Downsample
from restora.errors import OptionError
from restora.priors import GANPrior
from restora.random import generators
from restora.solvers import LatentMAP
from restora.solvers.starts import starts

ALONE = LatentMAP(iterations=0, finish="none")


class Known(nn.Module):
    """Says the same of every observation."""

    def forward(self, evidence: Tensor) -> Tensor:
        return torch.arange(5.0).expand(len(evidence), -1)


def encoded(prior: GANPrior) -> GANPrior:
    return GANPrior(prior.generator, prior.discriminator, (5,), Known(), prior.value_range)


def test_the_encoder_alone(prior: GANPrior) -> None:
    prior, y = encoded(prior), torch.rand(2, 3, 2, 2)
    (only,) = ALONE.steps(y, Downsample(), prior, generators(0, 2))
    torch.testing.assert_close(only.x, prior.generate(torch.arange(5.0).expand(2, -1)))
    fidelity = Downsample().fidelity(only.x, y)
    z = torch.arange(5.0).expand(2, -1)
    torch.testing.assert_close(only.loss, ALONE.objective(only.x, z, fidelity, prior))


def test_the_best_of_the_encoder_and_draws_comes_first(prior: GANPrior) -> None:
    y = Downsample()(prior.generate(torch.arange(5.0)[None]))
    solver = replace(ALONE, lambda_d=0.0, lambda_z=0.0).for_samples(3)
    (only,) = solver.steps(y, Downsample(), encoded(prior), generators(0, 1))
    assert only.samples is not None
    assert only.samples.shape[:2] == (1, 3)
    assert only.loss.item() < 1e-10
    fidelity = [Downsample().fidelity(x[None], y).item() for x in only.samples[0]]
    assert fidelity == sorted(fidelity)


def test_a_search_goes_on_from_the_encoder(prior: GANPrior) -> None:
    degradation = AdditiveNoise(0.1)
    y = degradation(prior.generate(prior.latents(2, generators(3, 2))), generators(3, 2))
    run = LatentMAP(iterations=50).steps(y, degradation, encoded(prior), generators(0, 2))
    losses = [step.loss for step in run]
    assert (losses[0] > losses[-1]).all()


def test_starts_that_cannot_be_had(prior: GANPrior) -> None:
    y, none = torch.rand(1, 3, 2, 2), generators(0, 1)
    for solver, message in (
        (LatentMAP(start="encoder"), "no encoder; train one"),
        (LatentMAP(start="lookup"), "needs table=DIR"),
        (LatentMAP(start="random", table="x"), "goes with start=lookup"),
    ):
        with pytest.raises(OptionError, match=message):
            list(solver.steps(y, Downsample(), prior, none))


@pytest.mark.parametrize(("samples", "count"), [(1, 3), (2, 3), (5, 5)])
def test_samples_do_not_take_starts_away(prior: GANPrior, samples: int, count: int) -> None:
    solver = LatentMAP().for_samples(samples)
    z = starts(solver, torch.rand(2, 3, 2, 2), Downsample(), prior, generators(0, 2))
    assert z.shape == (2, count, 5)


def test_a_budget_ends_the_search(prior: GANPrior, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    y = torch.rand(2, 3, 2, 2)
    solver = LatentMAP(iterations=1000, budget=10.0, restarts=1, patience=0)
    steps = list(solver.steps(y, Downsample(), prior, generators(0, 2)))
    assert len(steps) == 20  # 2 images, a second a step
    rates = [solver.rate_at(done / 20) for done in range(20)]
    assert max(rates) == rates[1]
    assert rates[-1] < 0.02 * solver.rate


def test_a_table_is_a_start(prior: GANPrior, table: Path) -> None:
    y = Downsample()(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    solver = replace(ALONE, table=str(table), lambda_d=0.0, lambda_z=0.0)
    (only,) = solver.for_samples(4).steps(y, Downsample(), prior, generators(0, 2))
    assert only.samples is not None
    assert only.samples.shape[:2] == (2, 4)
    drawn = prior.generate(prior.latents(200, torch.Generator().manual_seed(8)))
    assert (only.loss < Downsample().fidelity(drawn, y[:1].expand(200, -1, -1, -1)).median()).all()

"""One evaluation: where images are Gaussian, and a network has nothing to add, the answer is exact."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from gaussian_flow import BUILD, Zero, flow, observe, posterior
from torch import Tensor, nn

import restora
from restora.degradations import Degradation, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.noise import GaussianNoise
from restora.operators import FourierMask
from restora.priors import AmortisedPrior
from restora.priors.calibration import Calibration
from restora.random import generators
from restora.solvers import MMSE, OnePass
from restora.solvers.hqs import suits
from restora.testing import check_solver


class Nothing(nn.Module):
    """Adds nothing to the linear estimate, whose error it takes for that of each value."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :6])


class Constant(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.ones_like(x[:, :6])


def amortised(estimator: nn.Module | None = None, rank: int = 0) -> AmortisedPrior:
    prior = flow(rank)
    assert prior.gaussian is not None
    return AmortisedPrior(Zero(), prior.gaussian, estimator or Nothing())


@pytest.mark.parametrize("rank", [0, 20])
@pytest.mark.parametrize("task", BUILD)
def test_posterior_of_gaussian_images(task: str, rank: int) -> None:
    prior, degradation = amortised(rank=rank), BUILD[task]().double()
    y = observe(prior, degradation)
    refinements = 0 if suits(degradation, prior) else 2  # half-quadratic splitting is no mean
    solver = OnePass(tolerance=1e-6, refinements=refinements).for_uncertainty()
    *_, found = solver.steps(y, degradation, prior, generators(0, 2))
    assert found.std is not None
    for i in range(2):
        mean, covariance = posterior(prior, degradation.take(torch.tensor([i])), y[i, None])
        torch.testing.assert_close(found.x[i].flatten(), mean, rtol=0, atol=2e-3)
        variances = covariance.diagonal()
        expected = (variances.square().sum() / variances.sum()).sqrt().item()
        assert found.std[i][found.std[i] > 0].mean().item() == pytest.approx(expected, rel=0.5)  # of one draw


def test_plain_noise_has_no_deviation_but_on_request() -> None:
    prior, degradation = amortised(), BUILD["denoise"]().double()
    y = observe(prior, degradation)
    plain, sure = (restora.restore(y, degradation, prior=prior, uncertainty=u) for u in (False, True))
    assert plain.std is None
    assert sure.std is not None
    assert torch.equal(plain.image, sure.image)
    assert OnePass().evaluations(degradation) + 1 == OnePass(deviation=True).evaluations(degradation)


def test_what_its_network_has_never_seen_is_for_mmse() -> None:
    prior, mask = amortised(), torch.ones(8, 8)
    mask[:, ::3] = 0
    frequencies = Degradation(FourierMask(mask), GaussianNoise(0.02))
    y = observe(prior, frequencies)
    *_, found = OnePass().steps(y, frequencies, prior, generators(0, 2))
    *_, expected = MMSE().steps(y, frequencies, prior, generators(0, 2))
    torch.testing.assert_close(found.x, expected.x, rtol=0, atol=0)
    assert OnePass().evaluations(frequencies, prior) == 20
    assert OnePass().evaluations(Mask(mask), prior) == 9


@pytest.mark.parametrize("task", BUILD)
def test_solver(task: str) -> None:
    check_solver(OnePass(), amortised().float(), BUILD[task](), (3, 8, 8))


def test_what_is_exact_stays() -> None:
    prior = amortised(Constant())
    mask = Mask.center((8, 8)).double()
    y = observe(prior, mask)
    image = restora.restore(y, mask, prior=prior).image
    kept = mask.mask.expand_as(image) > 0
    assert torch.equal(image[kept], y[kept])
    *_, last = OnePass().steps(y, mask, prior, generators(0, len(y)))
    assert last.std is not None
    assert (last.std[kept] == 0).all()
    reduced = BUILD["downsample"]().double()
    y = observe(prior, reduced)
    image = restora.restore(y, reduced, prior=prior).image
    torch.testing.assert_close(reduced.A(image), y, rtol=0, atol=1e-9)
    cells = Quantize(5).double()
    y = observe(prior, cells).clamp(0, 1)
    image = restora.restore(y, cells, prior=prior).image
    assert cells.fidelity(image, y).max() < 1e-12


def test_auto_takes_it_and_knows_how_sure_it_is() -> None:
    prior, degradation = amortised(), BUILD["blur"]().double()
    found = restora.restore(observe(prior, degradation), degradation, prior=prior)
    assert found.method == "onepass"
    assert found.std is not None
    low, high = found.interval(0.9)
    torch.testing.assert_close(high - low, 2 * 1.6449 * found.std, rtol=1e-4, atol=0)


def test_the_calibration_of_the_task_counts() -> None:
    prior, degradation = amortised(), BUILD["blur"]().double()
    y = observe(prior, degradation)
    plain = restora.restore(y, degradation, prior=prior)
    twice = Calibration((0.5,) * 9, (2.0,) * 10, {0.9: 3.0})
    prior.card = {
        "calibration": {"deblur": twice.facts(), "all": replace(twice, factors=(5.0,) * 10).facts()}
    }
    found = restora.restore(y, degradation, prior=prior)
    assert plain.std is not None
    assert found.std is not None
    torch.testing.assert_close(found.std, 2 * plain.std)
    low, high = found.interval(0.9)
    torch.testing.assert_close(high - low, 6 * found.std)
    own = Degradation(degradation.operator, degradation.noise)
    other = restora.restore(y, own, prior=prior)
    assert other.std is not None
    torch.testing.assert_close(other.std, 5 * plain.std)


def test_samples_are_draws() -> None:
    prior, degradation = amortised(), BUILD["blur"]().double()
    found = restora.restore(observe(prior, degradation), degradation, prior=prior, samples=3)
    assert found.method == "flower"
    assert found.samples.shape[1] == 3


def test_an_interval_needs_a_deviation() -> None:
    prior, degradation = amortised(), BUILD["blur"]().double()
    y = observe(prior, degradation)
    plain = restora.restore(y, degradation, prior=prior, method="mmse")
    with pytest.raises(OptionError, match="uncertainty=True"):
        plain.interval()
    with pytest.raises(OptionError, match="above 0 and below 1, got 1"):
        restora.restore(y, degradation, prior=prior).interval(1)


def test_grey_images() -> None:
    prior = amortised()
    degradation = BUILD["denoise"]().double()
    y = degradation(torch.full((1, 1, 8, 8), 0.4).double(), generators(0, 1))
    found = restora.restore(y, degradation, prior=prior)
    grey = prior.grey().gaussian
    assert grey is not None
    expected = restora.restore(y, degradation, prior=grey, method="lmmse").image
    torch.testing.assert_close(found.image, expected, rtol=0, atol=5e-3)
    assert found.image.shape == (1, 1, 8, 8)


def test_a_flow_alone_names_the_command_that_trains_the_rest() -> None:
    prior, degradation = flow(), BUILD["blur"]().double()
    prior.name = "mine"
    with pytest.raises(PairingError, match="restora train amortised IMAGES -o DIR --prior mine"):
        restora.restore(observe(prior, degradation), degradation, prior=prior, method="onepass")
    assert restora.restore(observe(prior, degradation), degradation, prior=prior).method == "mmse"

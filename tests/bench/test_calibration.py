"""restora.bench.calibration, on draws and on flows whose posterior is known."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from restora import restore
from restora.bench.calibration import KNOWN, Calibration, Group, plot, to_csv, to_markdown
from restora.degradations import AdditiveNoise, Mask
from restora.errors import OptionError
from restora.pictures import image
from restora.priors import FlowPrior, GaussianPrior
from restora.random import generators
from restora.solvers import Flower

TENTHS = [str(i) for i in range(1, 11)]


def simulate(runs: int, factor: float = 1.0, images: int = 60, spread: float = 10.0) -> dict[str, Group]:
    """Truths and draws from one normal law, of standard deviations from 0.05 to 0.05 `spread`."""
    generator = torch.Generator().manual_seed(0)
    std = 0.05 * spread ** torch.rand(images, 3, 16, 16, generator=generator, dtype=torch.float64)
    centre = torch.rand(std.shape, generator=generator, dtype=torch.float64)
    truth = centre + std * torch.randn(std.shape, generator=generator, dtype=torch.float64)
    noise = torch.randn(images, runs, 3, 16, 16, generator=generator, dtype=torch.float64)
    found = Calibration()
    for part in torch.arange(images).split(25):
        draws = centre[part].unsqueeze(1) + factor * std[part].unsqueeze(1) * noise[part]
        found.add(draws, truth[part])
    assert found.known < 5
    return {group.name: group for group in found.groups()}


@pytest.mark.parametrize("runs", [4, 5, 8])
@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_the_ratio_is_one_for_any_number_of_draws(runs: int, spread: float) -> None:
    groups = simulate(runs, spread=spread)
    assert list(groups) == ["all", *TENTHS]
    assert groups["all"].ratio == pytest.approx(1, abs=0.02)
    for name in TENTHS:  # also where all values have one spread, and its estimates differ by chance alone
        assert groups[name].ratio == pytest.approx(1, abs=0.06)
        assert groups[name].count == pytest.approx(60 * 768 / 10, abs=1)
    if spread > 1:
        assert groups["10"].predicted > 2 * groups["1"].predicted


def test_draws_that_vary_too_little() -> None:
    groups = simulate(8, factor=0.5)
    expected = 0.5 * math.sqrt((1 + 1 / 8) / (1 + 0.25 / 8))
    assert [g.ratio for g in groups.values()] == pytest.approx([expected] * 11, rel=0.07)


def test_known_values_are_counted_and_left_out() -> None:
    truth, mask = torch.full((2, 1, 4, 4), 0.5), torch.ones(1, 1, 4, 4)
    mask[..., 2:] = 0
    noise = torch.randn(2, 6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    draws = truth.unsqueeze(1) + noise * torch.where(mask > 0, KNOWN / 10, 0.1)
    draws[0, :, 0, 0, 2] = 0.7  # missing, and certain all the same
    found = Calibration()
    found.add(draws, truth, 1 - mask)
    groups = {group.name: group for group in found.groups()}
    assert (found.known, groups["all"].count, groups["missing"].count) == (17, 15, 16)
    assert groups["missing"].ratio < groups["all"].ratio


def test_too_few_draws() -> None:
    with pytest.raises(OptionError, match="at least 4 samples per image, got 3"):
        Calibration().add(torch.zeros(1, 3, 1, 2, 2), torch.zeros(1, 1, 2, 2))


class Zero(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


@pytest.mark.parametrize(("refine", "low", "high"), [("sample", 0.94, 1.06), ("mean", 0.3, 0.75)])
def test_flower_on_gaussian_images(refine: str, low: float, high: float) -> None:
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.2 * torch.eye(3) + 0.1)[..., None, None] / (1 + frequency) + 0.02 * torch.eye(3)[
        ..., None, None
    ]
    prior = FlowPrior(Zero(), GaussianPrior(torch.zeros(3, 8, 8), torch.zeros(0, 3, 8, 8), spread)).double()
    assert prior.gaussian is not None
    truth, degradation = prior.gaussian.deviation(60, generators(0, 60)), Mask.center((8, 8))
    y = degradation(truth)
    *_, last = Flower(iterations=6, runs=8, refine=refine).steps(y, degradation, prior, generators(1, 60))  # type: ignore[arg-type]
    found = Calibration()
    assert last.samples is not None
    found.add(last.samples[:, 1:], truth, 1 - degradation.mask)
    groups = {group.name: group for group in found.groups()}
    assert low < groups["missing"].ratio < high
    assert low < groups["all"].ratio < high
    assert all(low - 0.1 < groups[name].ratio < high + 0.1 for name in TENTHS)


def test_deviations_that_are_predicted() -> None:
    """Normal errors of the size that is said: the ratio is 1, and nine in ten are in the interval."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 3, 64, 64, generator=generator)
    std = 0.02 + 0.1 * torch.rand(truth.shape, generator=generator)
    noisy = truth + std * torch.randn(truth.shape, generator=generator)
    degradation = AdditiveNoise(0.1)
    result = replace(restore(noisy, degradation, method="observed"), image=noisy, std=std)
    found = Calibration()
    found.judge(result, truth)
    assert all(group.ratio == pytest.approx(1, abs=0.05) for group in found.groups())
    assert found.coverage == pytest.approx(0.9, abs=0.01)
    found = Calibration()
    found.judge(replace(result, std=std / 2), truth)
    assert all(group.ratio == pytest.approx(0.5, abs=0.05) for group in found.groups())
    assert "58." in to_markdown({"denoise": found}).splitlines()[2]  # P(|Z| < 1.645 / 2)


def test_tables_and_plot(tmp_path: Path) -> None:
    found = Calibration()
    truth = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(2, 6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    found.add(truth.unsqueeze(1) + 0.1 * noise, truth)
    groups = found.groups()
    rows = list(csv.DictReader(to_csv({"denoise": found, "superres": found}).splitlines()))
    assert [row["group"] for row in rows] == ["known", "all", *TENTHS] * 2
    assert float(rows[1]["ratio"]) == groups[0].ratio
    lines = to_markdown({"denoise": found}).splitlines()
    numbers = f"{groups[0].predicted:.4f} | {groups[0].actual:.4f} | {groups[0].ratio:.2f}"
    assert lines[2] == f"| denoise | 384 | 0 | {numbers} | — | — |"
    assert lines[-1] == f"| denoise | {' | '.join(f'{g.ratio:.2f}' for g in groups[1:])} |"
    plot(tmp_path / "plot.png", {"denoise": found})
    assert image.read(tmp_path / "plot.png").size == (550, 572)

"""A predicted deviation that is wrong by a known factor, and what is made of it."""

from __future__ import annotations

import json

import pytest
import torch

from restora.priors.calibration import Calibration, normal


def values(n: int = 40_000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predicted deviations, true ones, errors: too small by half where they are small, right elsewhere."""
    generator = torch.Generator().manual_seed(0)
    said = 0.01 + 0.1 * torch.rand(n, generator=generator)
    true = torch.where(said < 0.06, 2 * said, said)
    return said, true, true * torch.randn(n, generator=generator)


def test_factors() -> None:
    said, true, wrong = values()
    found = Calibration.measured(said, wrong)
    corrected = found.correct(said)
    assert (corrected / true).log().abs().mean() < 0.05
    for low, high in ((0.01, 0.04), (0.07, 0.11)):
        part = (said > low) & (said < high)
        ratio = corrected[part].square().mean().sqrt() / wrong[part].square().mean().sqrt()
        assert ratio.item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("level", [0.5, 0.75, 0.9, 0.99])
def test_the_promise_on_other_values(level: float) -> None:
    said, _, wrong = values()
    half = len(said) // 2
    found = Calibration.measured(said[:half], wrong[:half])
    within = wrong[half:].abs() <= found.width(level) * found.correct(said[half:])
    assert within.float().mean().item() == pytest.approx(level, abs=0.01)


def test_heavy_tails_need_wider_bounds() -> None:
    generator = torch.Generator().manual_seed(1)
    said = torch.full((20_000,), 0.1)
    wrong = 0.1 * torch.randn(20_000, generator=generator) * torch.rand(20_000, generator=generator) * 2
    found = Calibration.measured(said, wrong)
    assert found.width(0.99) > 1.1 * normal(0.99)
    assert found.width(0.5) < normal(0.5)
    assert found.width(0.999) > found.width(0.99) > found.width(0.3) > found.width(0.1) > 0


def test_a_card_keeps_it() -> None:
    said, _, wrong = values(2000)
    found = Calibration.measured(said, wrong)
    again = Calibration.of(json.loads(json.dumps(found.facts())))
    assert again == found


def test_few_values() -> None:
    found = Calibration.measured(torch.tensor([0.1, 0.2]), torch.tensor([0.1, -0.2]))
    assert found.correct(torch.tensor([0.1, 0.2])).isfinite().all()

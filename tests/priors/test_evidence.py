"""Evidence: what each degradation tells, against what is known of it."""

from __future__ import annotations

import pytest
import torch

from restora.degradations import AdditiveNoise, Downsample, Grayscale, Mask, degradations, named
from restora.priors.evidence import VARIANCE, channels, evidence

SHAPE = (3, 16, 16)


def parts(degradation: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    found = evidence(degradation(x), degradation, SHAPE)  # type: ignore[arg-type]
    return found[:, :3] / 2 + 0.5, found[:, 3:6], found[:, 6:]


@pytest.mark.parametrize("name", degradations.names())
def test_one_form_for_all(name: str) -> None:
    degradation = named.build(name, SHAPE[1:])
    found = evidence(degradation(torch.rand(2, *SHAPE)), degradation, SHAPE)
    assert found.shape == (2, channels(3), 16, 16)
    assert found.isfinite().all()
    assert found.abs().max() < 3


def test_a_hole_is_grey_and_not_seen() -> None:
    x, mask = torch.rand(2, *SHAPE), Mask.center((16, 16))
    lift, seen, _ = parts(mask, x)
    torch.testing.assert_close(lift, torch.where(mask.mask > 0, x, 0.5))
    torch.testing.assert_close(seen, mask.mask.expand_as(x))


def test_noise_is_shrunk_and_told() -> None:
    x = torch.rand(2, *SHAPE)
    weight = VARIANCE / (VARIANCE + 0.25**2)
    degradation = AdditiveNoise(0.25)
    y = degradation(x, torch.Generator().manual_seed(0))
    found = evidence(y, degradation, SHAPE)
    torch.testing.assert_close(found[:, :3] / 2 + 0.5, 0.5 + weight * (y - 0.5))
    torch.testing.assert_close(found[:, 3:6], torch.full_like(x, weight))
    assert found[:, 6:].unique().item() == pytest.approx(2 - 0.602, abs=1e-3)


def test_blocks_and_greys_are_lifted() -> None:
    x = torch.rand(2, *SHAPE)
    lift, _, _ = parts(Downsample(4), x)
    torch.testing.assert_close(Downsample(4).A(lift), Downsample(4).A(x))
    lift, _, _ = parts(Grayscale(), x)
    torch.testing.assert_close(Grayscale().A(lift), Grayscale().A(x))

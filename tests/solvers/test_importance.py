"""The weight of observed pixels near a hole (Yeh et al.)."""

from __future__ import annotations

import pytest
import torch
from scipy.signal import convolve2d

from restora.degradations import AdditiveNoise, Mask
from restora.errors import OptionError
from restora.solvers.latent_search import importance


@pytest.mark.parametrize("window", [1, 3, 7, 15])
def test_importance_against_scipy(window: int) -> None:
    mask = (torch.rand(2, 1, 9, 11, generator=torch.Generator().manual_seed(0)) < 0.7).double()
    weight = importance(torch.zeros(2, 3, 9, 11).double(), Mask(mask), window)
    assert weight is not None
    for m, w in zip(mask[:, 0], weight[:, 0], strict=True):
        box = torch.ones(window, window).double() / window**2
        expected = m * torch.from_numpy(convolve2d(1 - m, box, mode="same", boundary="symm"))
        torch.testing.assert_close(w, expected)


@pytest.mark.parametrize("window", [0, -1, 4])
def test_importance_needs_an_odd_window(window: int) -> None:
    with pytest.raises(OptionError, match="odd"):
        importance(torch.zeros(1, 3, 8, 8), Mask.center((8, 8)), window)


def test_without_a_mask_all_count_alike() -> None:
    assert importance(torch.zeros(1, 3, 8, 8), AdditiveNoise(0.1), 7) is None

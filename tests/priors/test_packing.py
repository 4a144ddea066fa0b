"""Rows of a covariance in fewer bytes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from restora.priors.packing import FINE, LEADING, pack, unpack


def rows(count: int, mirrored: bool, width: int) -> Tensor:
    found = torch.randn(count, 3, 4, width, generator=torch.Generator().manual_seed(0))
    if mirrored:
        sign = torch.where(torch.arange(count) % 3 == 0, -1, 1).view(-1, 1, 1, 1)
        found = (found + sign * found.flip(-1)) / 2
    return found * torch.logspace(1, -2, count).view(-1, 1, 1, 1)


@pytest.mark.parametrize("width", [1, 5, 8])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("count", [0, 7, LEADING + 20, FINE + 9])
def test_rows_come_back(count: int, mirrored: bool, width: int) -> None:
    before = rows(count, mirrored, width)
    packed = pack(before)
    after = unpack(packed, width)
    assert after.shape == before.shape
    error = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1).clamp(min=1e-9)
    assert (error[:LEADING] < 1e-3).all()
    assert (error[LEADING:FINE] < 2e-2).all()
    assert (error[FINE:] < 0.3).all()
    assert len(packed["coarse"]) == max(count - FINE, 0)


def test_mirrored_rows_take_half() -> None:
    assert pack(rows(9, True, 8))["leading"].shape == (9, 3, 4, 4)
    assert pack(rows(9, False, 8))["leading"].shape == (9, 3, 4, 8)


def test_a_row_of_zeros() -> None:
    nothing = torch.zeros(FINE + 1, 1, 2, 2)
    assert torch.equal(unpack(pack(nothing), 2), nothing)

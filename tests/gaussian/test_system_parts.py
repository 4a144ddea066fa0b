"""Directions whose image under A is too large to be kept at once."""

from __future__ import annotations

import pytest
import torch

from restora.gaussian import directions
from restora.gaussian.covariance import Diagonal, Isotropic, LowRank
from restora.gaussian.system import System
from restora.operators import Gain, Reduction


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("map_of_noise", [True, False])
def test_the_posterior_is_the_same_by_parts(
    shared: bool, map_of_noise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = torch.Generator().manual_seed(0)
    U = torch.linalg.qr(torch.randn(192, 20, generator=source).double())[0].T.reshape(20, 3, 8, 8)
    C = LowRank(
        0.1 * torch.eye(3).double()[..., None, None].expand(3, 3, 8, 8), U, torch.rand(20).double() + 1
    )
    operator = Reduction(2) if shared else Gain(torch.rand(2, 1, 8, 8, generator=source).double() + 0.1)
    m = torch.zeros(2, 3, 8, 8).double()
    y = torch.randn(operator(m).shape, generator=source).double()
    noise = Diagonal(torch.rand(1, *y.shape[1:]).double() + 0.1) if map_of_noise else Isotropic(0.01)
    if not shared:
        with pytest.raises(RuntimeError):  # one A an image: it takes no other number of them
            operator(torch.zeros(3, 3, 8, 8))
    whole = System(operator, noise).mean(C, m, y, 1e-9)
    monkeypatch.setattr(directions, "LARGEST", 500)
    assert torch.allclose(System(operator, noise).mean(C, m, y, 1e-9), whole, atol=1e-7)

"""LowRank: the operator, its draws and its parts agree with the matrix that they stand for."""

from __future__ import annotations

import pytest
import torch

from restora.gaussian.covariance import LowRank

SHAPE, SIZE = (2, 4, 4), 32


@pytest.fixture
def covariance() -> LowRank:
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(SIZE, 3, generator=generator)).Q.T.reshape(3, *SHAPE)
    spread = 0.3 * torch.rand(2, 2, 4, 4, generator=generator)
    return LowRank(spread, directions, torch.tensor([4.0, 1.0, 0.25]))


def matrix(operator) -> torch.Tensor:
    return operator(torch.eye(SIZE).view(SIZE, *SHAPE)).flatten(1)


def spread_of(draws: torch.Tensor) -> torch.Tensor:
    return draws.flatten(1).T @ draws.flatten(1) / len(draws)


def test_draws_have_the_covariance(covariance: LowRank) -> None:
    C = matrix(covariance)
    found = spread_of(covariance.draw(torch.zeros(200_000, *SHAPE), torch.Generator().manual_seed(1)))
    torch.testing.assert_close(found, C, rtol=0, atol=0.02)
    torch.testing.assert_close(C, C.T)


def test_its_parts_are_what_they_say(covariance: LowRank) -> None:
    along = spread_of(covariance.draw_along(torch.zeros(200_000, *SHAPE), torch.Generator().manual_seed(1)))
    rest = matrix(covariance.rest)
    torch.testing.assert_close(along, matrix(covariance) - rest, rtol=0, atol=0.02)
    assert covariance.rest_variance == pytest.approx(rest.diagonal().mean().item())

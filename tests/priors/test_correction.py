"""What one image tells of another, by hand and from a file."""

from __future__ import annotations

import pytest
import torch

from restora.priors.correction import Correction
from restora.priors.gaussian import GaussianPrior

SHAPE = (3, 8, 8)


@pytest.fixture
def correction() -> Correction:
    generator = torch.Generator().manual_seed(0)
    rows = torch.linalg.qr(torch.randn(192, 6, generator=generator)).Q.T.reshape(2, 3, *SHAPE)
    spread = 0.1 * torch.eye(3)[..., None, None].expand(3, *SHAPE).contiguous()
    mean, origin = torch.rand(2, *SHAPE, generator=generator)
    return Correction(origin, rows[0], rows[1], GaussianPrior(mean, 0.1 * rows[0, :2], spread))


def test_a_step_along_a_direction_means_a_step_of_its_image(correction: Correction) -> None:
    origin, mean = correction.origin, correction.residual.mean
    g = torch.stack([origin, origin + 0.5 * correction.directions[1]])
    expected = torch.stack([mean, mean + 0.5 * correction.images[1]])
    torch.testing.assert_close(correction.predict(g), expected)


def test_it_is_stored(correction: Correction) -> None:
    again = Correction.from_config(correction.config())
    again.unpack(correction.pack())
    g = torch.rand(4, *SHAPE)
    torch.testing.assert_close(again.predict(g), correction.predict(g), atol=2e-3, rtol=0)
    torch.testing.assert_close(again.covariance(g), correction.covariance(g), atol=1e-3, rtol=0)

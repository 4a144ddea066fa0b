"""The measured correction against its closed form, and what cannot be finished."""

from __future__ import annotations

import pytest
import torch

from restora.degradations import Downsample, Mask
from restora.errors import PairingError
from restora.priors import GANPrior
from restora.priors.correction import Correction
from restora.priors.gaussian import GaussianPrior
from restora.restoration import restore
from restora.solvers import LatentMAP
from restora.solvers.finish import resolve


def with_correction(prior: GANPrior) -> GANPrior:
    generator = torch.Generator().manual_seed(6)
    mean, factors = (0.1 * torch.randn(n, 3, 8, 8, generator=generator) for n in (1, 20))
    spread = 0.05 * torch.eye(3)[..., None, None].expand(3, 3, 8, 8).contiguous()
    rows = 0.1 * torch.randn(2, 5, 3, 8, 8, generator=generator)
    correction = Correction(mean[0].flip(-1), rows[0], rows[1], GaussianPrior(mean[0], factors, spread))
    return GANPrior(
        prior.generator,
        prior.discriminator,
        prior.latent_shape,
        value_range=(0.0, 1.0),
        correction=correction,
    )


def test_the_measured_correction_is_the_posterior_mean(prior: GANPrior) -> None:
    prior, mask = with_correction(prior), Mask.center((8, 8))
    y = mask(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    solver = LatentMAP(iterations=5, restarts=1)
    plain = LatentMAP(iterations=5, restarts=1, finish="none")
    x = list(plain.steps(y, mask, prior, [torch.Generator().manual_seed(i) for i in (0, 1)]))[-1].x
    found = list(solver.steps(y, mask, prior, [torch.Generator().manual_seed(i) for i in (0, 1)]))[-1].x

    correction = prior.correction
    assert correction is not None
    S = torch.stack([correction.covariance(e.view(1, 3, 8, 8)).flatten() for e in torch.eye(192)])
    keep = mask.mask.expand(1, 3, 8, 8).flatten() > 0
    weights = (x - correction.origin).flatten(1) @ correction.directions.flatten(1).T
    x = correction.residual.mean + (weights @ correction.images.flatten(1)).view_as(x)
    gain = S[:, keep] @ torch.linalg.inv(S[keep][:, keep])
    expected = x.flatten(1) + (y - x).flatten(1)[:, keep] @ gain.T
    torch.testing.assert_close(found.flatten(1), expected, atol=1e-2, rtol=0)


def test_auto_takes_what_was_measured(prior: GANPrior) -> None:
    assert resolve("auto", prior) == "smooth"
    assert resolve("auto", with_correction(prior)) == "gaussian"


def test_an_encoder_with_a_measured_correction_needs_no_search(prior: GANPrior) -> None:
    prior = with_correction(prior)
    assert LatentMAP().settled(prior).iterations == 100  # from random starts
    prior.encoder = torch.nn.Identity()
    assert LatentMAP().settled(prior).iterations == 0
    assert LatentMAP(finish="smooth").settled(prior).iterations == 100
    assert LatentMAP().for_samples(2).settled(prior).iterations == 100
    assert LatentMAP(iterations=7).settled(prior).iterations == 7


def test_what_cannot_be(prior: GANPrior) -> None:
    for finish, message in (("blend", "inpainting, not Downsample"), ("gaussian", "needs the correction")):
        with pytest.raises(PairingError, match=message):
            restore(torch.zeros(1, 3, 2, 2), Downsample(), method=LatentMAP(finish=finish), prior=prior)

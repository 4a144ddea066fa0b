from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from restora.degradations import Blur, Mask, Quantize
from restora.errors import PairingError
from restora.priors import GANPrior
from restora.random import generators
from restora.restoration import restore
from restora.solvers import ReferenceMAP
from restora.solvers.latent_search import importance
from restora.solvers.poisson import poisson_blend


def released(prior: GANPrior, y: torch.Tensor, mask: Mask, steps: int) -> torch.Tensor:
    """The authors' loop, written out for one image in [-1, 1]."""
    z, velocity = prior.latents(1, generators(0, 1, "restore")), torch.zeros(1, 5)
    weight, best, best_loss = importance(y, mask, 15), None, float("inf")
    for _ in range(steps):
        z = z.detach().requires_grad_()
        image = 2 * prior.generate(z) - 1
        data = (weight * (image - (2 * y - 1)).abs()).sum()
        loss = data + 0.2 * F.softplus(-prior.logit((image + 1) / 2)).sum()
        (gradient,) = torch.autograd.grad(loss, z)
        if loss < best_loss:
            best, best_loss = z.detach(), loss.detach()
        before, velocity = velocity, 0.9 * velocity - 3e-4 * gradient
        z = (z - 0.9 * before + 1.9 * velocity).clamp(-1, 1)
    assert best is not None
    return prior.generate(best)


def test_is_the_released_loop_with_poisson_blending(prior: GANPrior) -> None:
    mask = Mask.center((8, 8))
    y = mask.A(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    expected = poisson_blend(released(prior, y, mask, 60), y, mask.mask).clamp(0, 1)
    found = restore(y, mask, method=ReferenceMAP(iterations=60), prior=prior)
    torch.testing.assert_close(found.image, expected, atol=1e-5, rtol=0)


def test_takes_the_quantiser_for_the_identity(prior: GANPrior) -> None:
    y = Quantize(2)(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    solver = ReferenceMAP(iterations=20)
    quantised = restore(y, Quantize(2), method=solver, prior=prior)
    cells = Quantize(2).fidelity(prior.generate(prior.latents(1, generators(0, 1))), y, 1)
    assert quantised.history[0].item() > 2 * cells.item()


def test_knows_only_the_decks_tasks(prior: GANPrior) -> None:
    with pytest.raises(PairingError, match="not for convolution"):
        restore(torch.zeros(1, 3, 8, 8), Blur(width=0.5), method="reference", prior=prior)

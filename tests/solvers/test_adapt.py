"""The image-adaptive generator: it explains what the generator itself cannot, one image at a time."""

from __future__ import annotations

import torch

from restora.degradations import Mask
from restora.priors import GANPrior
from restora.random import generators
from restora.restoration import restore
from restora.solvers import LatentMAP
from restora.solvers.adapt import adapt

SEARCH = LatentMAP(iterations=100, restarts=1, finish="none", precision="float32")
ADAPTED = LatentMAP(
    iterations=100, restarts=1, finish="none", precision="float32", adapt=200, adapt_rate=2e-3
)


def test_it_explains_what_the_generator_cannot(prior: GANPrior) -> None:
    mask = Mask.center((8, 8))
    y = mask(torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    last = [
        list(solver.steps(y, mask, prior, generators(0, 3, "restore")))[-1] for solver in (SEARCH, ADAPTED)
    ]
    found, adapted = (mask.fidelity(step.x.detach(), y).sqrt() for step in last)
    assert (adapted < 0.2 * found).all()
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())
    assert not any(p.requires_grad for p in prior.parameters())


def test_images_adapt_alone(prior: GANPrior) -> None:
    mask = Mask.center((8, 8))
    y = mask(torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    together = restore(y, mask, method=ADAPTED, prior=prior, seed=4)
    alone = list(ADAPTED.steps(y[18:19], mask, prior, generators([22], 1, "restore")))[-1]
    hole = mask.mask[0].expand(3, -1, -1) == 0
    torch.testing.assert_close(alone.x[0].clamp(0, 1)[hole], together.image[18][hole], atol=2e-3, rtol=0)


def test_no_steps_change_nothing(prior: GANPrior) -> None:
    z, mask = prior.latents(2, torch.Generator().manual_seed(0)), Mask.center((8, 8))
    x = adapt(SEARCH, z, torch.zeros(2, 3, 8, 8), mask, prior)
    torch.testing.assert_close(x, prior.generate(z))

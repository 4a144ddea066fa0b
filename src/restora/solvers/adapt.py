"""The image-adaptive generator (Hussein, Tirer and Giryes, AAAI 2020): each image gets one of its own.

    z, theta = argmin  d(y, A(G_theta(z))) + the terms of the latent MAP,   from those that were found

A few small steps: the weights know nothing of y at first, and of faces less and less.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from restora.degradations import Degradation
from restora.priors.gan import GANPrior

AT_ONCE = 16  # generators that are held in memory together
Objective = Callable[[Tensor, Tensor, Tensor, GANPrior], Tensor]


def adapt(
    z: Tensor,
    y: Tensor,
    degradation: Degradation,
    prior: GANPrior,
    objective: Objective,
    steps: int,
    rate: float,
    p: int = 2,
) -> Tensor:
    """G_theta(z), (B, C, H, W), for latents z (B, *latent_shape), each with its theta; `prior` stays."""
    rows = torch.arange(len(z), device=z.device).split(AT_ONCE)
    parts = (_adapt(z[i], y[i], degradation.take(i), prior, objective, steps, rate, p) for i in rows)
    return torch.cat(list(parts))


def _adapt(
    z: Tensor,
    y: Tensor,
    degradation: Degradation,
    prior: GANPrior,
    objective: Objective,
    steps: int,
    rate: float,
    p: int,
) -> Tensor:
    z = z.clone().requires_grad_()
    weights = {
        name: value.detach().expand(len(z), *value.shape).clone().requires_grad_()
        for name, value in prior.generator.named_parameters()
    }
    adam = torch.optim.Adam([{"params": [z], "lr": 30 * rate}, {"params": [*weights.values()], "lr": rate}])
    own = vmap(lambda theta, latent: functional_call(prior.generator, theta, (latent[None],))[0])
    for _ in range(steps):
        with torch.enable_grad():
            x = prior.to_image(own(weights, z))
            loss = objective(x, z, degradation.fidelity(x, y, p), prior).sum()
            adam.zero_grad()
            loss.backward()
        adam.step()
    with torch.no_grad():
        return prior.to_image(own(weights, z))

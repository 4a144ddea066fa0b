"""The image-adaptive generator (Hussein, Tirer and Giryes, AAAI 2020): each image gets one of its own.

    z, theta = argmin  d(y, A(G_theta(z))) + the terms of the latent MAP,   from those that were found

A few small steps: the weights know nothing of y at first, and of faces less and less.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from restora.degradations import Degradation
from restora.priors.gan import GANPrior
from restora.solvers.latent_settings import LatentSettings

AT_ONCE = 16  # generators that are held in memory together
LATENT = 30  # how much larger steps on z are than steps on the weights


def adapt(solver: LatentSettings, z: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
    """G_theta(z), (B, C, H, W), for latents z (B, *latent_shape), each with its theta; `prior` stays."""
    if len(z) > AT_ONCE:
        rows = torch.arange(len(z), device=z.device).split(AT_ONCE)
        return torch.cat([adapt(solver, z[i], y[i], degradation.take(i), prior) for i in rows])
    z = z.clone().requires_grad_()
    weights = {
        name: value.detach().expand(len(z), *value.shape).clone().requires_grad_()
        for name, value in prior.generator.named_parameters()
    }
    rates = {"params": [z], "lr": LATENT * solver.adapt_rate}, {"params": [*weights.values()]}
    adam = torch.optim.Adam(rates, lr=solver.adapt_rate)
    own = vmap(lambda theta, latent: functional_call(prior.generator, theta, (latent[None],))[0])
    for _ in range(solver.adapt):
        with torch.enable_grad():
            x = prior.to_image(own(weights, z))
            loss = solver.objective(x, z, degradation.fidelity(x, y, solver.p), prior).sum()
            adam.zero_grad()
            loss.backward()
        adam.step()
    with torch.no_grad():
        return prior.to_image(own(weights, z))

"""Latent MAP (Yeh et al., ICASSP 2018): search the latent whose image explains the observation.

    z_hat = argmin_z  d(y, A(G(z))) + lambda_D (-logit D(G(z))) + lambda_z |z|^2 / 2
    x_hat = G(z_hat), then made to agree with y

with d(y, Ax) = sum_i w_i |y - Ax|_i^p. The last two terms are -log p_X up to a constant, since
log p_X = log D - log(1 - D) + log p_z and p_z is standard normal. `restora.solvers.starts` says where the
search begins, `restora.solvers.finish` how x_hat is made to agree with y.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.options import Auto, chosen, option
from restora.priors.base import Prior
from restora.priors.gan import GANPrior
from restora.random import Stream
from restora.solvers import finish
from restora.solvers.adapt import adapt
from restora.solvers.base import Solver, Step
from restora.solvers.latent_search import Search
from restora.solvers.starts import kind, number, starts

SEARCH = 100  # iterations, where there are any and none are set


@dataclass(frozen=True)
class LatentMAP(Solver[GANPrior]):
    """Latents by gradient descent from one or several starts, the best kept."""

    needs: ClassVar[type[Prior] | None] = GANPrior

    p: int = option(2, "power of the data term", 1, 2)
    lambda_d: float = option(0.1, "weight of the discriminator's logit", 0)
    lambda_z: float = option(0.3, "weight of the latent's log prior", 0)
    start: Literal["auto", "random", "encoder", "lookup"] = option(
        "auto",
        "where the search begins; auto: the table if one is given, else the prior's encoder if it has one",
    )
    table: str = option("", "folder that 'restora train lookup' wrote")
    iterations: int | Auto = option(
        "auto",
        "gradient steps at most; 0: the best start itself; auto: 0 for one answer from an encoder whose "
        f"images have a measured correction, which a search only makes worse, else {SEARCH}",
        0,
    )
    budget: float = option(0.0, "seconds an image that the search may take; 0: as long as it takes", 0)
    restarts: int | Auto = option(
        "auto", "starts an image; auto: 1 from the encoder or the table, 3 random ones", 1
    )
    survivors: int = option(1, "starts an image that go on after the trial, the best ones", 1)
    trial: float = option(0.2, "share of the iterations that every start gets", 0, 1)
    rate: float = option(0.2, "largest step size of the optimiser", above=0)
    optimizer: Literal["adam", "nesterov"] = option("adam", "rule of descent; nesterov clips z to [-1, 1]")
    schedule: Literal["cosine", "constant"] = option("cosine", "step size over the iterations")
    window: int = option(0, "inpainting: pixels this near the hole weigh more; 0: all weigh the same", 0)
    patience: int = option(30, "a latent stops after so many steps without progress; 0: never", 0)
    tolerance: float = option(1e-3, "relative decrease of the objective that counts as progress", 0)
    precision: Literal["auto", "float32"] = option(
        "auto", "arithmetic of the search; auto: bfloat16 where the processor multiplies it faster"
    )
    adapt: int = option(
        0, "steps in which each image adapts a generator of its own to y, after the search", 0
    )
    adapt_rate: float = option(
        3e-4, "step size on the weights of that generator; on its latent 30 times it", above=0
    )
    finish: Literal["auto", "gaussian", "smooth", "blend", "project", "none"] = option(
        "auto",
        "how G(z) is made to agree with y: as was measured on photographs with the encoder, by a smooth "
        "correction, by Poisson blending (inpainting only), by the least correction, or not at all; auto: "
        "gaussian where the prior has that, else smooth",
    )

    def for_samples(self, count: int) -> LatentMAP:
        return replace(self, survivors=max(self.survivors, count))

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: GANPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        finish.check(self.finish, degradation, prior)
        solver = self.settled(prior)
        search = Search(solver, starts(solver, y, degradation, prior, generator), y, degradation, prior)
        yield from solver.descend(search)
        z, loss = search.result()
        samples = finish.finish(self.finish, self._draw(z, y, degradation, prior), y, degradation, prior)
        last = max(search.steps, 1)
        yield Step(last, last, samples[:, 0], loss, samples)

    def settled(self, prior: GANPrior) -> LatentMAP:
        """This solver with the number of iterations that suits the prior, if it was left to it."""
        if self.iterations != "auto":
            return self
        start = kind(self, prior)
        found = start == "encoder" and number(self, start) == 1
        measured = finish.resolve(self.finish, prior) == "gaussian"
        return replace(self, iterations=0 if found and measured else SEARCH)

    def descend(self, search: Search) -> Iterator[Step]:
        """All steps of the search, until they or the budget are over."""
        total = chosen(self.iterations)
        begun, done = time.monotonic(), 0.0 if total else 1.0
        while done < 1 and search.active.numel():
            search.advance(done)
            done = max(search.steps / total, self._spent(begun, len(search.y)))
            if not search.tried and done >= self.trial:
                search.drop_losers()
            if done < 1 and search.active.numel():
                yield Step(search.steps, total, *search.present())

    def _draw(self, z: Tensor, y: Tensor, degradation: Degradation, prior: GANPrior) -> Tensor:
        """The images (B, K, C, H, W) of latents (B, K, ...), each of a generator of its own if asked for."""
        rows, flat = torch.arange(len(z), device=z.device).repeat_interleave(z.shape[1]), z.flatten(0, 1)
        if self.adapt:
            x = adapt(self, flat, y[rows], degradation.take(rows), prior)
        else:
            with torch.no_grad():
                x = prior.generate(flat)
        return x.view(*z.shape[:2], *prior.image_shape)

    def _spent(self, begun: float, images: int) -> float:
        """The part of the budget that is gone."""
        return (time.monotonic() - begun) / (self.budget * images) if self.budget else 0.0

    def rate_at(self, done: float) -> float:
        """Of a step, when the part `done` of the steps, or of the budget, is over."""
        if self.schedule == "constant":
            return self.rate
        warm_up = min(1.0, (done + 1 / chosen(self.iterations)) / 0.05)
        return self.rate * warm_up * 0.5 * (1 + math.cos(math.pi * done))

    def objective(self, x: Tensor, z: Tensor, fidelity: Tensor, prior: GANPrior) -> Tensor:
        """-log posterior up to constants, (N,)."""
        loss = fidelity + self.lambda_z * z.flatten(1).square().sum(1) / 2
        if self.lambda_d and prior.discriminator is not None:
            loss = loss - self.lambda_d * prior.logit(x)
        return loss

"""Latent MAP (Yeh et al., ICASSP 2018): search the latent whose image explains the observation.

    z_hat = argmin_z  d(y, A(G(z))) + lambda_D (-logit D(G(z))) + lambda_z |z|^2 / 2
    x_hat = G(z_hat), then made to agree with y

with d(y, Ax) = sum_i w_i |y - Ax|_i^p. The last two terms are -log p_X up to a constant, since
log p_X = log D - log(1 - D) + log p_z and p_z is standard normal. `restora.solvers.starts` says where the
search begins, `restora.solvers.finish` how x_hat is made to agree with y.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.options import chosen
from restora.priors.gan import GANPrior
from restora.random import Stream
from restora.solvers import finish
from restora.solvers.adapt import adapt
from restora.solvers.base import Step
from restora.solvers.latent_search import Search
from restora.solvers.latent_settings import SEARCH, LatentSettings
from restora.solvers.starts import kind, number, starts


@dataclass(frozen=True)
class LatentMAP(LatentSettings):
    """Latent MAP with a GAN: find the latent whose image fits the observation best."""

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

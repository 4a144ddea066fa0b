"""Linear minimum mean square error: the posterior mean under a Gaussian prior.

    x_hat = mean + S A^T (A S A^T + sigma^2 I)^-1 (y - A mean)

Quantisation counts as noise of variance step^2 / 12, and the result is then cut to the cells. A sample of the
posterior is the same formula about a draw x_0 ~ N(mean, S) instead of the mean, with a draw of the noise
taken from y (Papandreou and Yuille, NIPS 2010). The standard deviation is that of such samples about x_hat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations import Degradation, lmmse, system_of
from restora.options import option
from restora.priors.base import Prior
from restora.priors.gaussian import GaussianPrior
from restora.random import Stream
from restora.solvers.base import DRAWS, Solver, Step


@dataclass(frozen=True)
class LMMSE(Solver[GaussianPrior]):
    """The best linear estimate with a Gaussian prior: deterministic, one linear solve."""

    needs: ClassVar[type[Prior] | None] = GaussianPrior
    differentiable: ClassVar = True
    explains: ClassVar[bool] = True

    tolerance: float = option(
        1e-3, "relative residual of y - A mean at which the linear solve stops", above=0, below=1
    )
    samples: int = option(1, "results per image: the posterior mean, then samples from the posterior", 1)

    def for_samples(self, count: int) -> LMMSE:
        return replace(self, samples=max(self.samples, count))

    @property
    def rows(self) -> int:
        return self.samples

    def for_uncertainty(self, count: int = 1) -> LMMSE:
        """`count` draws beside the mean."""
        return replace(self, samples=max(self.samples, 1 + (count if count > 1 else DRAWS)))

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int:
        return self.samples

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        """Draws are exact for a linear A; behind a quantiser, those of faces spread by half of the error."""
        return self.samples == 1 or degradation.linear

    def refusal(self, degradation: Degradation, prior: Prior | None) -> str:
        name = type(degradation).__name__
        return f"draws samples for linear tasks alone, not for {name}; use samples=1 and uncertainty=False"

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: GaussianPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        mean = prior.mean.to(y).expand(len(y), -1, -1, -1)
        best = lmmse(degradation, mean, prior.covariance, y, tolerance=self.tolerance)
        samples, std = best.unsqueeze(1), None
        if self.samples > 1:
            rows = torch.arange(len(y), device=y.device).split(1)
            draws = [
                self._draws(y[i], degradation.take(i), prior, g) for i, g in zip(rows, generator, strict=True)
            ]
            samples = torch.cat([samples, torch.stack(draws)], dim=1)
        if self.samples > 2:
            std = (samples[:, 1:] - best.unsqueeze(1)).square().mean(1).sqrt()
        yield Step(1, 1, best, degradation.fidelity(best, y), samples, std)

    def _draws(self, y: Tensor, degradation: Degradation, prior: GaussianPrior, generator: Stream) -> Tensor:
        """(samples - 1, C, H, W) from the posterior of one observation (1, ...)."""
        count = self.samples - 1
        x, y = (prior.mean + prior.deviation(count, generator)).to(y), y.expand(count, *y.shape[1:])
        model, z = degradation.gaussian(x, y)
        system = system_of(model)
        return system.mean(prior.covariance, x, z - system.noise.draw(z, generator), self.tolerance)

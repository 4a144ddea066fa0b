"""Diffusion posterior sampling: the flow from noise to images, with the denoiser of the posterior.

    E[x | w, y] = x_hat + (n^2 / t) grad_w log p(y | w),   x_hat = D_t(w),  n = (1 - t) s
    p(y | w) = N(A x_hat, A C A^T + sigma^2 I),   dw/dt = (E[x | w, y] - w) / (1 - t),   w_0 ~ N(0, s^2 I)

The gradient, J^T A^T (A C A^T + sigma^2 I)^-1 (y - A x_hat), goes through the network: J = dD/dw. C, the
covariance of x given w, is

    network    (n^2 / t) J, as it is for every exact denoiser; a system of products with J, by conjugate
               gradients. Were images Gaussian, a run would be an exact draw from the posterior, but for the
               length of its steps. J of a trained network is not quite symmetric, which many iterations do
               not forgive, so that few are more: by default one, the best step along A^T (y - A x_hat).
    isotropic  (n / t)^2 I, what w says of x by itself: too much, but with less than the truth, a gradient
               overshoots. Cheaper, exact for what is not linear, and slower to take up y.

At t = 0, where J vanishes, and in the last step, so that y is met, x_hat is corrected as in `conditioning`.
Sources: Chung, Kim, McCann, Klasky and Ye, "Diffusion Posterior Sampling for General Noisy Inverse Problems",
ICLR 2023; for C Song, Vahdat, Mardani and Kautz, "Pseudoinverse-Guided Diffusion Models for Inverse
Problems", ICLR 2023, Boys et al., "Tweedie Moment Projected Diffusions for Inverse Problems", TMLR 2024, and
Rozet, Andry, Lanusse and Louppe, "Learning Diffusion Priors from Observations by Expectation Maximization",
NeurIPS 2024.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from restora.degradations import Degradation, whitened
from restora.gaussian.conjugate_gradient import conjugate_gradient
from restora.options import option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream, randn
from restora.solvers.base import DRAWS, Solver, Step
from restora.solvers.conditioning import Conditioner
from restora.solvers.ode import slope, times
from restora.solvers.runs import Runs


@dataclass(frozen=True)
class DPS(Solver[FlowPrior]):
    """Diffusion posterior sampling with a flow: two network evaluations and four gradients per step."""

    needs: ClassVar[type[Prior] | None] = FlowPrior

    iterations: int = option(20, "steps from noise to image", 1)
    runs: int = option(1, "runs per image: the result is their mean, and `std` their standard deviation", 1)
    covariance: Literal["network", "isotropic"] = option(
        "network",
        "covariance of the estimate's error: from the gradient of the network, or an isotropic bound",
    )
    inner: int = option(
        1, "maximum number of conjugate gradient steps, one network gradient each (covariance=network)", 1
    )
    tolerance: float = option(
        1e-2, "relative residual of y - A x_hat at which linear solves stop", above=0, below=1
    )

    def for_samples(self, count: int) -> DPS:
        """The mean of the runs is the first restoration, and the runs are the others."""
        return replace(self, runs=max(self.runs, count))

    @property
    def rows(self) -> int:
        return self.runs

    def for_uncertainty(self, count: int = 1) -> DPS:
        runs = max(self.runs, count)
        return replace(self, runs=runs if runs > 1 else DRAWS)

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: FlowPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        runs = Runs(y, degradation, generator, self.runs)
        ends = Conditioner(prior, runs.degradation, tolerance=self.tolerance, runs=self.runs)
        grid, total = times(self.iterations), self.iterations

        def denoiser(w: Tensor, t: float) -> Tensor:
            if t == 0 or t >= grid[-2]:
                return ends.mean(prior.denoise(w, t), t, runs.y)
            return self.estimate(prior, runs.degradation, runs.y, w, t)

        w = prior.scale * randn((len(runs.y), *prior.image_shape), runs.streams, like=y)
        for i, (t, after) in enumerate(itertools.pairwise(grid)):
            v = slope(denoiser, w, t, after)
            w = w + (after - t) * v
            if i + 1 < total:
                yield runs.step(i + 1, total, w + (1 - after) * v)
        yield runs.last(total, runs.degradation.project(w, runs.y))

    def estimate(self, prior: FlowPrior, degradation: Degradation, y: Tensor, w: Tensor, t: float) -> Tensor:
        """E[x | w_t = w, y], (B, C, H, W), for 0 < t < 1."""
        w, variance = w.detach().requires_grad_(), ((1 - t) * prior.scale / t) ** 2
        with torch.enable_grad():
            denoised = prior.denoise(w, t)

        def pull(v: Tensor) -> Tensor:
            """(n^2 / t) J^T v."""
            (product,) = torch.autograd.grad(denoised, w, v, retain_graph=True)
            return variance * t * product

        x_hat = denoised.detach()
        if self.covariance == "network":
            score = self._score(degradation, x_hat, pull, y)
        else:
            score = (degradation.condition(x_hat, variance, y) - x_hat) / variance
        return x_hat + pull(score)

    def _score(
        self, degradation: Degradation, x_hat: Tensor, covariance: Callable[[Tensor], Tensor], y: Tensor
    ) -> Tensor:
        """grad log p(y) in x_hat, (B, C, H, W), for x ~ N(x_hat, covariance)."""
        model, observed = whitened(*degradation.gaussian(x_hat, y))
        system = lambda u: model.A(covariance(model.A_adjoint(u))) + model.sigma**2 * u  # noqa: E731
        u = conjugate_gradient(system, observed - model.A(x_hat), self.tolerance, self.inner)
        return model.A_adjoint(u)

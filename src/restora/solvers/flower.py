"""Flower: the flow from noise to images, its estimate corrected by the observation at every step.

    w_0 ~ N(0, s^2 I),  t = i / N:   x_hat = D_t(w),  p(x | w) ~ N(x_hat, C),  x = E[x | w, y]  or a draw
    w = t' x + (1 - t') s e,  t' = t + 1/N;   the last x is the restoration

C is that of the prior's Gaussian, n^2 S (t^2 S + n^2 I)^-1 with n = (1 - t) s, so that the first step is
LMMSE; or nu^2 I with nu = n / sqrt(t^2 + (1 - t)^2). With a network that does not know all levels, that step
goes to the noisiest that it knows. Denoising needs none of this: t y is w_t at
t = 1 / (1 + sigma / s), and its restoration is D_t(t y), once what a file cut off y is put back on average.

Were images Gaussian, a run of `refine=sample` would be an exact draw from the posterior, at any N. A run of
`refine=mean` has the exact mean and is sharper, but varies too little: where y says nothing, an x ~ N(0, 1)
has the variance 0.45 after 20 steps, 0.50 after 500. With `covariance=isotropic` both are approximate.
Source: Pourya, El Rawas and Unser, "Flower: A Flow-Matching Solver for Inverse Problems", ICLR 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from restora.degradations import Degradation
from restora.options import option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream, randn
from restora.solvers.base import DRAWS, Solver, Step
from restora.solvers.conditioning import Conditioner, Source
from restora.solvers.denoising import denoise, evaluations, white
from restora.solvers.runs import Runs


def orientations_field() -> int:
    """The setting for the number of evaluations of denoising."""
    text = "denoising: number of flipped and rotated copies to average, as far as the prior allows"
    return option(2, text, 1)


@dataclass(frozen=True)
class Flower(Solver[FlowPrior]):
    """Posterior samples with a flow, their mean and standard deviation: 20 network evaluations per run."""

    needs: ClassVar[type[Prior] | None] = FlowPrior
    differentiable: ClassVar = True
    explains: ClassVar[bool] = True

    iterations: int = option(20, "steps from noise to image", 1)
    runs: int = option(1, "runs per image: the result is their mean, and `std` their standard deviation", 1)
    covariance: Source = option(
        "auto", "covariance of the estimate's error: from the prior's Gaussian, or nu^2 I"
    )
    refine: Literal["mean", "sample"] = option(
        "mean", "each step uses the mean of p(x | w, y) (sharper), or a sample (correct standard deviation)"
    )
    orientations: int = orientations_field()
    tolerance: float = option(
        1e-2, "relative residual of y - A x_hat at which the linear solve stops", above=0, below=1
    )

    def for_samples(self, count: int) -> Flower:
        """The mean of the runs is the first restoration, and the runs are the others."""
        return replace(self, runs=max(self.runs, count))

    @property
    def rows(self) -> int:
        return self.runs

    def for_uncertainty(self, count: int = 1) -> Flower:
        """Runs of `refine=sample`, whose spread is the right one."""
        runs = max(self.runs, count)
        return replace(self, runs=runs if runs > 1 else DRAWS, refine="sample")

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int:
        """For denoising, where the noise is white, its own average comes first, and may be all."""
        whole = self.iterations * self.runs
        denoised = evaluations(degradation, self.orientations)
        return denoised + whole * (not denoised or self.runs > 1 or self.refine == "sample")

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: FlowPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        denoised, given = None, y
        if (noise := white(y, degradation, prior)) is not None:
            y, denoised = denoise(y, noise, degradation, prior, self.orientations)
            if self.runs == 1 and self.refine == "mean":
                yield Step(1, 1, denoised, degradation.fidelity(denoised, given))
                return
        runs = Runs(y, degradation, generator, self.runs)
        conditioner = Conditioner(prior, runs.degradation, self.covariance, self.tolerance, self.runs)
        x, total = y.new_zeros(len(runs.y), *prior.image_shape), self.iterations
        for i in range(total):
            t = prior.first + (1 - prior.first) * i / total if i else 0.0
            w = t * x + (1 - t) * prior.scale * randn(x.shape, runs.streams, like=x)
            x_hat = prior.denoise(w, t, i)
            if self.refine == "sample":
                x = conditioner.draw(x_hat, t, runs.y, runs.streams)
            else:
                x = conditioner.mean(x_hat, t, runs.y)
            if i + 1 < total:
                yield runs.step(i + 1, total, x)
        yield runs.last(total, x, denoised)

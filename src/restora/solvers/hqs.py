"""Half-quadratic splitting: plug-and-play with a denoiser, the data and the prior in turns.

    z = E[x | y] for x ~ N(x, W_t),   x = D_t(t z),   at levels of less and less noise

No noise is added, so that what is well determined by y settles at once: for blur it is better than the mean
over draws (`mmse`), for holes it is worse, since nothing ever leaves the first guess. W_t says how far the
estimate is to be trusted:

    auto      8 C_t, of the covariance C_t of x given w (`restora.solvers.conditioning`); 12 levels from
              sigma = 0.2 to the noise of y
    dpir      sigma_t^2 / 0.23 I; 8 levels from sigma = 49/255 to the noise of y

sigma_t = s (1 - t) / t is the noise of t z. Both begin with the linear estimate for z. Each level sees the
estimate in another orientation, if the prior has several. Source of the second: Zhang, Li, Zuo, Zhang, Van
Gool and Timofte, "Plug-and-play image restoration with deep denoiser prior", IEEE Transactions on Pattern
Analysis and Machine Intelligence 44, 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.options import Auto, option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.conditioning import Conditioner

LEAST = 1 / 255  # of the noise of y, where it has none


class Schedule(NamedTuple):
    """`iterations` levels from the noise `first` to the share `last` of that of y, with a weight of W_t."""

    first: float
    last: float
    iterations: int
    weight: float


SCHEDULES = {"auto": Schedule(0.2, 1.0, 12, 8.0), "dpir": Schedule(49 / 255, 1.0, 8, 1 / 0.23)}


@dataclass(frozen=True)
class HQS(Solver[FlowPrior]):
    """Plug-and-play by half-quadratic splitting; an evaluation of the network a level, and nothing random."""

    needs: ClassVar[type[Prior] | None] = FlowPrior
    explains: ClassVar[bool] = True

    schedule: Literal["auto", "dpir"] = option("auto", "of the levels: what is best here, or that of DPIR")
    first: float | Auto = option(
        "auto", "noise of the first level, white = 1; auto: by the schedule", above=0
    )
    last: float | Auto = option("auto", "noise of the last level, in units of that of y", above=0)
    iterations: int | Auto = option("auto", "levels from the first to the last", 1)
    weight: float | Auto = option("auto", "of y against the estimate so far", above=0)
    tolerance: float = option(
        0.1, "part of y - A x_hat that the linear solve may leave unexplained", above=0, below=1
    )

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int:
        return self.settled().iterations

    def settled(self) -> Schedule:
        """What is set, and for the rest the schedule."""
        own = {name: getattr(self, name) for name in Schedule._fields}
        return SCHEDULES[self.schedule]._replace(**{k: v for k, v in own.items() if v != "auto"})

    def steps(
        self, y: Tensor, degradation: Degradation, prior: FlowPrior, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        conditioner = Conditioner(prior, degradation, tolerance=self.tolerance)
        z, levels = conditioner.start(y), self.levels(degradation, prior)
        for i, t in enumerate(levels):
            x = prior.denoise(t * z, t, i)
            yield Step(i + 1, len(levels), x, degradation.fidelity(x, y))
            if i + 1 < len(levels):
                z = self._data(conditioner, x, levels[i + 1], y)

    def levels(self, degradation: Degradation, prior: FlowPrior) -> list[float]:
        """t of each level, evenly spaced in the logarithm of the noise, none noisier than the prior knows."""
        first, last, count, _ = self.settled()
        last = last * max(float(torch.as_tensor(degradation.sigma).mean()), LEAST)
        shares = (i / max(count - 1, 1) for i in range(count))
        noises = [first ** (1 - share) * last**share for share in shares]
        return [max(1 / (1 + noise / prior.scale), prior.first) for noise in noises]

    def _data(self, conditioner: Conditioner, x: Tensor, t: float, y: Tensor) -> Tensor:
        """z, for the next level t."""
        weight = self.settled().weight
        if self.schedule == "auto":
            return conditioner.mean(x, t, y, weight)
        noise = (1 - t) / t * conditioner.prior.scale
        return conditioner.degradation.condition(x, weight * noise**2, y)

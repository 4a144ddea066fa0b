"""The posterior mean with a flow: a few late steps from the best linear estimate, averaged over their noise.

    x = E[x | y] were images Gaussian (LMMSE);   for t in levels:
    w = t x + (1 - t) s e,   x_hat = D_t(w),   x = E[x | w, y]  (`restora.solvers.conditioning`)
    the mean of x over draws of e is the restoration

It is Flower without its early levels, where a flow knows no more than a Gaussian, and with its evaluations
spent on an average, which is what the mean square error asks for; were images Gaussian, it would be exact.
Where y tells each value to within a cell, levels of less noise than that are enough. Denoising takes one
evaluation, D_t(t y). What `runs` differ by is not how sure one can be: for samples and for their standard
deviation this is Flower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from restora.degradations import AdditiveNoise, Degradation
from restora.errors import OptionError, PairingError
from restora.priors.base import Prior
from restora.priors.flow import SCALE, FlowPrior
from restora.random import randn
from restora.solvers.base import Solver, Step
from restora.solvers.conditioning import Conditioner
from restora.solvers.flower import Flower
from restora.solvers.runs import Runs


class Schedule(NamedTuple):
    """`iterations` levels, evenly from `first` to `last`, averaged over `runs` draws of the noise."""

    first: float
    last: float
    iterations: int
    runs: int


LINEAR = Schedule(0.4, 0.8, 4, 5)
CELLS = Schedule(0.8, 0.95, 4, 5)
"""20 evaluations each, chosen by benchmarks/tune.py on held-out faces."""


@dataclass(frozen=True)
class MMSE(Solver):
    """The restoration of least mean square error; 20 evaluations of the network an image, 1 for denoising."""

    needs: ClassVar[type[Prior] | None] = FlowPrior

    first: float = field(default=0.0, metadata={"help": "the first level t, below 1; 0: by the task"})
    last: float = field(default=0.0, metadata={"help": "the last level t, below 1; 0: by the task"})
    iterations: int = field(default=0, metadata={"help": "levels from the first to the last; 0: by the task"})
    runs: int = field(default=0, metadata={"help": "draws of the noise to average over; 0: by the task"})
    tolerance: float = field(
        default=3e-2, metadata={"help": "part of y - A x_hat that the linear solve may leave unexplained"}
    )

    def __post_init__(self) -> None:
        for name in ("first", "last"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        for name in ("iterations", "runs"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not 0 < self.tolerance < 1:
            raise OptionError(f"tolerance must be between 0 and 1, got {self.tolerance}")

    def for_samples(self, count: int) -> Solver:
        """Several restorations are draws, and Flower's."""
        return Flower().for_samples(count) if count > 1 else self

    def for_uncertainty(self, count: int = 1) -> Solver:
        return Flower().for_uncertainty(count)

    def schedule(self, degradation: Degradation) -> Schedule:
        """What is set, and for the rest what suits the task."""
        usual = LINEAR if degradation.linear else CELLS
        return Schedule(*(getattr(self, name) or value for name, value in usual._asdict().items()))

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        generator: Sequence[torch.Generator],
    ) -> Iterator[Step]:
        assert isinstance(prior, FlowPrior)
        if isinstance(degradation, AdditiveNoise):
            yield from Flower().steps(y, degradation, prior, generator)
            return
        if prior.gaussian is None:
            raise PairingError(
                f"prior {prior.name!r} has no Gaussian to start from; "
                "use --method flower with covariance=isotropic"
            )
        first, last, iterations, count = self.schedule(degradation)
        mean, S = prior.gaussian.mean.expand(len(y), -1, -1, -1), prior.gaussian.covariance
        x = degradation.lmmse(mean, S, y, tolerance=self.tolerance).repeat_interleave(count, 0)
        runs = Runs(y, degradation, generator, count)
        conditioner = Conditioner(prior, runs.degradation, "prior", self.tolerance, count)
        for i in range(iterations):
            t = first + (last - first) * i / max(iterations - 1, 1)
            w = t * x + (1 - t) * SCALE * randn(x.shape, runs.streams, like=x)
            x = conditioner.mean(prior.denoise(w, t), t, runs.y)
            yield runs.step(i + 1, iterations, x)

"""The posterior mean with a flow: levels of less and less noise from the best linear estimate.

    x = E[x | y] were images Gaussian (LMMSE);   for t in levels:
    x_hat = the mean of D_t(t x + n e) and D_t(t x - n e) over draws of e,   n = (1 - t) s
    x = E[x | x_hat, y]  (`restora.solvers.conditioning`)

It is Flower with one estimate for all its runs: the condition is linear, or nearly, so that the mean of the
runs can take their place, and its errors fall with every level. With each draw of the noise comes its
opposite, which cancels whatever the noise does to x_hat that is odd in it, and that is the most; were images
Gaussian, it is all, and the result exact. Where y tells each value to within a cell, levels of less noise
than that are enough. Denoising takes D_t(t y) alone. How sure it is it does not know: for samples and for
their standard deviation this is Flower.

The network sees each estimate in another orientation, if its prior has several; denoising averages them.
Where y determines most of the image, the added noise only costs: so for an A of very different singular
values, such as the Radon transform, and for a blur, unless the prior's Gaussian has directions, it is `hqs`.
If levels or draws are set, it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

from torch import Tensor

from restora.degradations import Degradation
from restora.errors import OptionError
from restora.options import Auto, option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.conditioning import Conditioner
from restora.solvers.denoising import evaluations, white
from restora.solvers.flower import Flower, orientations_field
from restora.solvers.hqs import HQS, suits


class Schedule(NamedTuple):
    """`iterations` levels, evenly from `first` to `last`, with `draws` of the noise and their opposites."""

    first: float
    last: float
    iterations: int
    draws: int


LINEAR = Schedule(0.2, 0.9, 10, 1)
CELLS = Schedule(0.85, 0.97, 10, 1)
"""20 evaluations each, chosen by benchmarks/tune.py on held-out faces."""


@dataclass(frozen=True)
class MMSE(Solver[FlowPrior]):
    """Posterior mean with a flow (least mean squared error): 20 network evaluations, 4 for noise."""

    needs: ClassVar[type[Prior] | None] = FlowPrior
    differentiable: ClassVar = True
    explains: ClassVar[bool] = True

    first: float | Auto = option("auto", "the first level t; auto: by the task", 0, below=1)
    last: float | Auto = option("auto", "the last level t; auto: by the task", 0, below=1)
    iterations: int | Auto = option("auto", "levels from the first to the last; auto: by the task", 1)
    draws: int | Auto = option(
        "auto", "pairs of opposite noise per level, two network evaluations each; auto: by the task", 1
    )
    orientations: int = orientations_field()
    tolerance: float = option(
        0.1, "relative residual of y - A x_hat at which the linear solve stops", above=0, below=1
    )

    def for_samples(self, count: int) -> Solver:
        """Several restorations are draws, and Flower's."""
        return self._flower().for_samples(count) if count > 1 else self

    def for_uncertainty(self, count: int = 1) -> Solver:
        return self._flower().for_uncertainty(count)

    def _flower(self) -> Flower:
        """Flower, with what is set here. OptionError for a setting that it does not have."""
        values = {entry.name: (getattr(self, entry.name), entry.default) for entry in fields(self)}
        given = {name: value for name, (value, usual) in values.items() if value != usual}
        for name in sorted(given.keys() - {entry.name for entry in fields(Flower)}):
            raise OptionError(
                "method 'mmse' uses 'flower' for samples and uncertainty, which has no such setting; omit "
                "it, or request a single restoration",
                name,
            )
        return Flower(**given)

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int:
        if denoised := evaluations(degradation, self.orientations):
            return denoised
        if splitting := self._splitting(degradation, prior):
            return splitting.evaluations(degradation, prior)
        usual = self.schedule(degradation)
        return 2 * usual.iterations * usual.draws

    def schedule(self, degradation: Degradation) -> Schedule:
        """What is set, and for the rest what suits the task."""
        usual = CELLS if degradation.valuewise else LINEAR
        own = {name: getattr(self, name) for name in usual._fields}
        return usual._replace(**{name: value for name, value in own.items() if value != "auto"})

    def _splitting(self, degradation: Degradation, prior: Prior | None) -> HQS | None:
        """What takes its place where that is better."""
        usual = all(getattr(self, name) == "auto" for name in Schedule._fields)
        return HQS(tolerance=self.tolerance) if usual and suits(degradation, prior) else None

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: FlowPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        if white(y, degradation, prior) is not None:
            yield from Flower(orientations=self.orientations).steps(y, degradation, prior, generator)
            return
        if splitting := self._splitting(degradation, prior):
            yield from splitting.steps(y, degradation, prior, generator)
            return
        first, last, iterations, draws = self.schedule(degradation)
        first, last = max(first, prior.first), max(last, prior.first)
        conditioner = Conditioner(prior, degradation, tolerance=self.tolerance)
        x = conditioner.start(y)
        yield Step(1, iterations + 1, x, degradation.fidelity(x, y))
        for i in range(iterations):
            t = first + (last - first) * i / max(iterations - 1, 1)
            x = conditioner.level(x, t, y, generator, i, draws)
            yield Step(i + 2, iterations + 1, x, degradation.fidelity(x, y))

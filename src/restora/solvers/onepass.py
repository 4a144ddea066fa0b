"""The posterior mean and its standard deviation in one evaluation of a network, for any degradation.

    p = what y tells were images Gaussian (`restora.priors.posterior`);   x_hat, Var[x | y] = N(p)
    x = x_hat, moved to where it explains y, as far as y leaves no doubt

With several evaluations the network sees p in other orientations, and with other draws; their mean is better
than any. Some levels of `mmse` after it, or as many evaluations of `hqs` for a blur, bring in what the flow
knows, which was trained for longer. Where A = I and the noise is about white, the flow's denoiser alone is
the mean, as for `mmse`. Where A x is no picture, but frequencies, rays or sums, of which the second network
has seen none, it is `mmse` too. There the second network only says how sure it is, if asked. Samples are
Flower's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import PairingError
from restora.options import Auto, option
from restora.priors.amortised import AmortisedPrior
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.priors.posterior import posterior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.conditioning import Conditioner
from restora.solvers.denoising import evaluations, white
from restora.solvers.flower import Flower, orientations_field
from restora.solvers.hqs import HQS, suits
from restora.solvers.mmse import MMSE


class Schedule(NamedTuple):
    """`iterations` levels of refinement, evenly from `first` to `last`."""

    first: float
    last: float
    iterations: int


USUAL, MISSING = Schedule(0.85, 0.95, 2), Schedule(0.6, 0.93, 4)
BLURRED = 0.06  # noise of the first of those of `hqs`


@dataclass(frozen=True)
class OnePass(Solver[AmortisedPrior]):
    """One evaluation of a network trained on all kinds of damage, then a few levels of the flow."""

    needs: ClassVar[type[Prior] | None] = AmortisedPrior
    explains: ClassVar[bool] = True
    predicts: ClassVar[bool] = True

    passes: int = option(
        1, "evaluations of the network, each with another flip or rotation of the image", 1, 8
    )
    refinements: int | Auto = option(
        "auto", "pairs of evaluations of the flow afterwards; auto: 4 if pixels are missing, otherwise 2", 0
    )
    orientations: int = orientations_field()
    deviation: bool = option(
        False, "predict the standard deviation of plain noise too, which takes one more evaluation"
    )
    tolerance: float = option(
        0.02, "relative residual of y - A mean at which the linear solve stops", above=0, below=1
    )

    def check(self, name: str, prior: Prior | None) -> None:
        if isinstance(prior, FlowPrior) and not isinstance(prior, AmortisedPrior):
            raise PairingError(
                f"method {name!r} needs a flow that was trained on all kinds of damage, and "
                f"{prior.name!r} was not; train one with 'restora train amortised IMAGES -o DIR --prior "
                f"{prior.name}', or use method='auto'"
            )
        super().check(name, prior)

    def for_samples(self, count: int) -> Solver:
        """Several restorations are draws, and Flower's."""
        return Flower().for_samples(count) if count > 1 else self

    def for_uncertainty(self, count: int = 1) -> OnePass:
        """What the network predicts."""
        return replace(self, deviation=True)

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int:
        if not degradation.operator.picture or evaluations(degradation, self.orientations):
            return self._mmse.evaluations(degradation, prior) + self.passes * self.deviation
        return self.passes + 2 * self.schedule(degradation).iterations

    def schedule(self, degradation: Degradation) -> Schedule:
        """Of missing pixels the flow knows more than one evaluation tells."""
        usual = MISSING if degradation.operator.mask is not None else USUAL
        return usual if self.refinements == "auto" else usual._replace(iterations=self.refinements)

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: AmortisedPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        conditioner = Conditioner(prior, degradation, tolerance=self.tolerance)
        if not degradation.operator.picture or white(y, degradation, prior) is not None:
            for step in self._mmse.steps(y, degradation, prior, generator):
                last = self.deviation and step.i == step.total
                yield replace(step, std=self._look(y, conditioner, generator)[1]) if last else step
            return
        mean, std = self._look(y, conditioner, generator)
        x = exactly(mean, y, degradation)
        count, others = self._refine(x, y, conditioner, generator)
        for i, estimate in enumerate(itertools.chain([x], others)):
            yield Step(i + 1, 1 + count, estimate, degradation.fidelity(estimate, y), None, std)

    @property
    def _mmse(self) -> MMSE:
        """It makes the mean where the second network does not."""
        return MMSE(orientations=self.orientations)

    def _look(self, y: Tensor, conditioner: Conditioner, streams: Sequence[Stream]) -> tuple[Tensor, Tensor]:
        """The mean and the standard deviation that the second network predicts, (B, C, H, W) each."""
        prior: Any = conditioner.prior
        mean = prior.gaussian.mean.to(y).expand(len(y), -1, -1, -1)
        system, gaussian = conditioner.system(mean, y), prior.gaussian
        seen = posterior(y, conditioner.degradation, gaussian, prior.wiener, streams, self.tolerance, system)
        found = [prior.estimate(seen, k) for k in range(self.passes)]
        means, logs = (torch.stack(part).mean(0) for part in zip(*found, strict=True))
        return means, conditioner.degradation.doubt((logs / 2).exp())

    def _refine(
        self, x: Tensor, y: Tensor, conditioner: Conditioner, streams: Sequence[Stream]
    ) -> tuple[int, Iterator[Tensor]]:
        """How many estimates come after x, and these."""
        schedule = self.schedule(conditioner.degradation)
        count = schedule.iterations
        if count and suits(conditioner.degradation, conditioner.prior):
            return 2 * count, HQS(first=BLURRED, iterations=2 * count).refine(x, y, conditioner)
        return count, _levels(x, y, conditioner, streams, schedule)


def _levels(
    x: Tensor, y: Tensor, conditioner: Conditioner, streams: Sequence[Stream], schedule: Schedule
) -> Iterator[Tensor]:
    first, last, count = schedule
    for i in range(count):
        t = last - (count - 1 - i) * (last - first) / max(count - 1, 1)
        x = conditioner.level(x, t, y, streams, i)
        yield x


def exactly(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    """x, moved to the nearest image that explains y where y has no noise."""
    if degradation.noise.linear and degradation.noise.level == 0 and degradation.operator.gram is not None:
        return degradation.prox_l2(x, y, torch.inf)
    return degradation.project(x, y)

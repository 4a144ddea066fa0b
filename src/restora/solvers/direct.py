"""A network trained for this very task: the restoration is its answer, x_hat = h(y).

No method that has one prior for all tasks is likely to come closer to the truth in the mean, and this one can
do nothing else: see `restora.priors.direct`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from restora.degradations import Degradation, NamedDegradation, named
from restora.priors.base import Prior
from restora.priors.direct import DirectPrior
from restora.random import Stream
from restora.solvers.base import Solver, Step


@dataclass(frozen=True)
class Direct(Solver[DirectPrior]):
    """A network trained for one task only: one evaluation."""

    needs: ClassVar[type[Prior] | None] = DirectPrior
    differentiable: ClassVar = True

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return isinstance(prior, DirectPrior) and named.same(degradation, prior.degradation)

    def refusal(self, degradation: Degradation, prior: Prior | None) -> str:
        assert isinstance(prior, DirectPrior)  # what it needs
        expected, known = named.describe(prior.degradation), isinstance(degradation, NamedDegradation)
        level = f"{degradation.noise.level:.3g}"
        came = named.describe(degradation) if known else f"a degradation with sigma={level}"
        return (
            f"with prior {prior.name!r} does {expected} alone, and this is {came}; "
            "name these options if they are right, train one for it with 'restora train direct', or take a "
            "method for all tasks"
        )

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: DirectPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        x = prior.estimate(y)
        yield Step(1, 1, x, degradation.fidelity(x, y))

"""What every solver has: settings as dataclass fields, and `steps`, which yields its progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from restora import options
from restora.degradations import Degradation
from restora.degradations.named import task_name
from restora.errors import OptionError, PackageError, PairingError
from restora.priors.base import Prior
from restora.random import Stream

DRAWS = 8
"""From the posterior, for a standard deviation: its own error is then about a quarter of it."""


@dataclass(frozen=True)
class Step:
    """The state of a solver after a step.

    The last step has everything that was asked for: all samples, best first; their standard deviation;
    whether it converged.

    Attributes:
        i: number of the step, from 1.
        total: number of steps.
        x: the present restoration, (B, C, H, W).
        loss: (B,).
        samples: (B, K, C, H, W), best first; x is samples[:, 0]. Of a solver that draws from the posterior,
            the first is the mean and the others are draws.
        std: standard deviation of the posterior, (B, C, H, W).
        converged: whether each image reached the minimum, (B,).
    """

    i: int
    total: int
    x: Tensor
    loss: Tensor
    samples: Tensor | None = None
    std: Tensor | None = None
    converged: Tensor | None = None


P = TypeVar("P", bound=Prior | None)


@dataclass(frozen=True)
class Solver(Generic[P]):
    """Settings of one method; frozen, so that one object can serve any number of images.

    Each setting is a field made by `restora.options.option`, and checked when a solver is made.
    """

    needs: ClassVar[type[Prior] | None] = None  # None: any, or none at all
    differentiable: ClassVar[bool] = False  # whether gradients of x with respect to y are those of its steps
    explains: ClassVar[bool] = False  # y up to its noise, where A and the noise are what they are said to be
    predicts: ClassVar[bool] = False  # `std` as the prior's network says, which its calibration corrects
    packages: ClassVar[tuple[str, ...]] = ()  # modules that it imports, beside those that are always there
    extra: ClassVar[str] = "bench"  # which has them

    def __post_init__(self) -> None:
        options.check(self)

    def steps(
        self, y: Tensor, degradation: Degradation, prior: P, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        """Restore the observations y (B, ...). `generator` has one random stream an image."""
        raise NotImplementedError

    def for_samples(self, count: int) -> Solver:
        """This solver, set to give `count` restorations an image."""
        if count > 1:
            name = type(self).__name__
            raise OptionError(f"{name} returns one restoration per image; expected 1, got {count}", "samples")
        return self

    @property
    def rows(self) -> int:
        """How many rows of a batch an image takes: its runs or draws, side by side."""
        return 1

    def for_uncertainty(self, count: int = 1) -> Solver:
        """This solver, set to give `std`, of `count` draws from the posterior an image; 1 leaves it how many.

        Raises PairingError if it draws none.
        """
        raise PairingError(
            f"{type(self).__name__} does not draw from the posterior, so its uncertainty is unknown; "
            "expected a method that draws, such as lmmse or flower: use one, or leave it at uncertainty=False"
        )

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int | None:
        """How often a restoration evaluates what takes it its time, a network or a linear solve; None where
        that is not known beforehand."""
        return None

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        """Whether this solver, with this prior, has an answer to such a degradation at all."""
        return True

    def refusal(self, degradation: Degradation, prior: Prior | None) -> str:
        """What follows the name of the method where it does not."""
        return f"has no answer to task {task_name(degradation)!r}; use method='auto'"

    def check(self, name: str, prior: Prior | None) -> None:
        """Raise PairingError if this solver cannot work with `prior`, PackageError if it lacks a package."""
        for package in self.packages:
            if find_spec(package) is None:
                raise PackageError(
                    f"method {name!r} needs the package {package}, which is not installed; "
                    f"pip install 'restora[{self.extra}]', or use another method"
                )
        if self.needs is None or isinstance(prior, self.needs):
            return
        have = f"{prior.name!r} is a {type(prior).__name__}" if prior else "no prior was given"
        raise PairingError(f"solver {name!r} needs a {self.needs.__name__}; {have}. Try method='auto'")

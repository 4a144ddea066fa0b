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

    The last step contains all results: all samples, best first; their standard deviation; whether it
    converged.

    Attributes:
        i: number of the step, from 1.
        total: number of steps.
        x: the current restoration, (B, C, H, W).
        loss: (B,).
        samples: (B, K, C, H, W), best first; x is samples[:, 0]. If the solver samples from the posterior,
            the first is the posterior mean and the others are samples.
        std: standard deviation of the posterior, (B, C, H, W).
        converged: whether each image converged, (B,).
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
    """The settings of a method. A solver is frozen, so one object can restore any number of images.

    Each setting is a field made by `restora.options.option`, and is checked when the solver is created.
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
        """Restore the observations y (B, ...). `generator` contains one random stream per image."""
        raise NotImplementedError

    def for_samples(self, count: int) -> Solver:
        """This solver with settings for `count` restorations per image."""
        if count > 1:
            name = type(self).__name__
            raise OptionError(f"{name} returns one restoration per image; expected 1, got {count}", "samples")
        return self

    @property
    def rows(self) -> int:
        """Number of batch rows per image, such as runs or samples that are computed together."""
        return 1

    def for_uncertainty(self, count: int = 1) -> Solver:
        """This solver with settings for `std`, from `count` posterior samples per image; 1 uses its default
        number.

        Raises:
            PairingError: if it cannot sample from the posterior.
        """
        raise PairingError(
            f"{type(self).__name__} does not sample from the posterior, so its uncertainty is unknown; "
            "use a method that does, such as lmmse or flower, or leave it at uncertainty=False"
        )

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int | None:
        """Number of evaluations of the network, or of linear solves, per restoration; None if unknown
        beforehand."""
        return None

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        """Whether this solver, with this prior, can restore this degradation."""
        return True

    def refusal(self, degradation: Degradation, prior: Prior | None) -> str:
        """The error message if it cannot; it follows the name of the method."""
        return f"has no answer to task {task_name(degradation)!r}; use method='auto'"

    def check(self, name: str, prior: Prior | None) -> None:
        """Raise PairingError if this solver cannot use `prior`, PackageError if a package is missing."""
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

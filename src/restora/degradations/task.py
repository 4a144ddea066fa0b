"""A degradation that has a name: options, and the operator and the noise that they stand for.

A task is a dataclass. Its options, made by `restora.options.option`, are its options on the command line; it
says which operator and noise they mean, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from restora import options
from restora.degradations.base import Degradation
from restora.errors import OptionError
from restora.noise import Noise
from restora.operators import Operator
from restora.operators.base import Shape
from restora.options import option
from restora.pictures.file import File

SIGMA = "standard deviation of the added Gaussian noise, full scale = 1"


def sigma(default: Any = 0.0, label: str = "") -> Any:
    """The noise of a task, by keyword."""
    return option(default, SIGMA, 0, 1, kw_only=True, label=label, found=True)


@dataclass(eq=False)
class NamedDegradation(Degradation):
    """Base of the degradations that have a name on the command line.

    `sigma`, of Gaussian noise, may be a list or a tensor (B,), one per image; the attribute is then its mean.

    Attributes:
        purpose: what the task does for an image, as `restora tasks` prints it.
        synonyms: other words that people use for it, in lower case, separated by commas.
    """

    purpose: ClassVar[str] = ""
    synonyms: ClassVar[str] = ""

    unknown: ClassVar[dict[str, Any]] = {}  # in place of defaults, where a picture is restored

    def __new__(cls, *args: Any, **kwargs: Any) -> NamedDegradation:
        # A dataclass does not call nn.Module.__init__, and no field can be set before it has run.
        self = super().__new__(cls)
        torch.nn.Module.__init__(self)
        return self

    def __post_init__(self) -> None:
        levels = getattr(self.sigma, "ndim", 0) > 0 or isinstance(self.sigma, list | tuple)
        options.check(self, skip=["sigma"] if levels else [])
        self.operator, self.noise = self.parts()
        if levels and not self.noise.linear:
            raise OptionError("expected a number, got one per image; restore the images one by one", "sigma")
        if levels:
            setattr(self, "sigma", self.noise.level)  # noqa: B010  # a field here, a property of the base

    def parts(self) -> tuple[Operator, Noise]:
        """The operator and the noise of these options."""
        raise NotImplementedError

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> NamedDegradation:
        """A degradation of `count` images (C, H, W) with random options, for training; by default with the
        default options."""
        return cls()

    @classmethod
    def of_file(cls, path: Path | File) -> dict[str, Any]:
        """Options that are read from the file of an observation; they override the user's. Usually empty."""
        return {}


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number between `low` and `high`."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def one_of(values: Sequence[Any], generator: torch.Generator) -> Any:
    """One of the values, each as likely."""
    return values[int(torch.randint(len(values), (), generator=generator))]

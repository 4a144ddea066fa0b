"""The result of `restore`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from torch import Tensor

from restora.degradations import Degradation
from restora.errors import OptionError
from restora.priors.calibration import Calibration, normal

T = TypeVar("T")
Y = TypeVar("Y")

if TYPE_CHECKING:
    from restora.faces.placing import Placed


@dataclass(frozen=True)
class Restoration:
    """The result of `restore` for B observations. Its tensors are on the device of the observations.

    Attributes:
        image: the best restoration of each, (B, C, H, W) in [0, 1].
        samples: K restorations of each, best first, (B, K, C, H, W); samples[:, 0] is `image`.
        residual: root mean square of y - A(image), (B,); for a quantiser, the distance to the rounding
            interval.
        history: the solver's loss, (steps, B).
        seconds: wall time for the whole batch.
        method: the name of the solver.
        degradation: the degradation; if it was `blind`, with the parameters estimated from y.
        std: standard deviation of the posterior, (B, C, H, W), full scale 1. None if the solver gives none,
            or if neither `uncertainty` nor `samples` was requested and no network predicts it.
        calibration: calibration of `std`, if a network predicts it.
        settings: settings of the solver: solvers.get(method)(**settings) creates it again.
        warnings: for each image, warnings for the user; often empty.
        notes: for each image, notes on how it was restored; often empty.
        faces: for each image, with `faces=True`, the faces that were found and the prior that restored each,
            smallest first.
    """

    image: Tensor
    samples: Tensor
    residual: Tensor
    history: Tensor
    seconds: float
    method: str
    degradation: Degradation
    std: Tensor | None = None
    calibration: Calibration | None = None
    settings: dict[str, object] = field(default_factory=dict)
    warnings: tuple[tuple[str, ...], ...] = ()
    notes: tuple[tuple[str, ...], ...] = ()
    faces: tuple[tuple[Placed, ...], ...] = ()

    def interval(self, level: float = 0.9) -> tuple[Tensor, Tensor]:
        """Bounds (B, C, H, W) that should contain a fraction `level` of the true values.

        With a `calibration`, their width was measured on held-out images: the fraction is an average over
        images like those, with the same kind of damage. Otherwise they assume normally distributed errors.

        Args:
            level: a number between 0 and 1.

        Raises:
            OptionError: if there is no `std`.
        """
        if not 0 < level < 1:
            raise OptionError(f"expected a number above 0 and below 1, got {level}", "level")
        if self.std is None:
            raise OptionError("an interval needs std; restore with uncertainty=True")
        reach = normal(level) if self.calibration is None else self.calibration.width(level)
        return self.image - reach * self.std, self.image + reach * self.std


def finish(run: Generator[Y, None, T]) -> T:
    """What a run returns, when all its steps are done."""
    while True:
        try:
            next(run)
        except StopIteration as done:
            return done.value

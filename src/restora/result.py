"""What `restore` returns."""

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
    """What `restore` returns for B observations; its tensors are on their device.

    Attributes:
        image: the best restoration of each, (B, C, H, W) in [0, 1].
        samples: K restorations of each, best first, (B, K, C, H, W); samples[:, 0] is `image`.
        residual: root mean square of y - A(image), (B,); for the quantiser, the distance to the cells.
        history: the solver's loss, (steps, B).
        seconds: wall time for the whole batch.
        method: the name of the solver that ran.
        degradation: the degradation; if it was `blind`, with what was found in y.
        std: standard deviation of the posterior, (B, C, H, W), full scale 1; None if the solver does not draw
            from it, or neither `uncertainty` nor `samples` was asked for.
        calibration: of `std`, for methods whose network predicts it.
        settings: settings of the solver: solvers.get(method)(**settings) makes it again.
        warnings: for each image, lines that its user should know; often none.
        notes: for each image, lines on how it was made; often none.
        faces: for each image, if they were asked for, the faces that were found and the prior that restored
            each, smallest first.
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
        """The bounds (B, C, H, W) between which this part of the true values lies, were `std` right.

        With a `calibration`, as measured on images that were held out: the promise is one on average over the
        values of images like those, for damage of the same kind. Else for normal errors. level: in (0, 1).
        OptionError where there is no `std`.
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

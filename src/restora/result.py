"""What `restore` returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from restora.degradations import Degradation
from restora.errors import OptionError
from restora.priors.calibration import Calibration, normal


@dataclass(frozen=True)
class Restoration:
    """What `restore` returns, for B observations; its tensors are on their device.

    image: (B, C, H, W) in [0, 1], the best restoration of each.
    samples: (B, K, C, H, W), K restorations of each, best first; samples[:, 0] is `image`.
    std: (B, C, H, W), the posterior's standard deviation, full scale 1; of solvers that draw from it, if they
        were asked for `uncertainty`, or for `samples`.
    calibration: of `std`, for methods whose network predicts it.
    residual: (B,), root mean square of y - A(image), of the quantiser the distance to the cells.
    degradation: what the observations were restored from; of a `blind` one, what it was found to be.
    history: (steps, B), the solver's loss; `seconds`: wall time for the whole batch.
    warnings: for each image, what the user should know of its result, a line each; often nothing. notes: how
        it was made, likewise.
    method, settings: the solver that ran, which solvers.get(method)(**settings) makes again.
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

    def interval(self, level: float = 0.9) -> tuple[Tensor, Tensor]:
        """The bounds (B, C, H, W) between which this part of the true values lies, were `std` right.

        With a `calibration`, as measured on images that were held out: the promise is one on average over the
        values of images like those, for damage of the same kind. Else for normal errors. level: in (0, 1).
        OptionError where there is no `std`.
        """
        if not 0 < level < 1:
            raise OptionError(f"expected a number above 0 and below 1, got {level}", "level")
        if self.std is None:
            raise OptionError("there is no std to make an interval of; restore with uncertainty=True")
        reach = normal(level) if self.calibration is None else self.calibration.width(level)
        return self.image - reach * self.std, self.image + reach * self.std

"""A flow, and a network that answers any degradation in one evaluation and says how sure it is.

    x_hat = L + c N_1(p, t),   log Var[x | y] = log c^2 + N_2(p, t)

p = (L, b, e) and t are what y tells were images Gaussian (`restora.priors.posterior`); they exist for every
degradation, and the network never sees which one it is. It starts from the flow's own network, which sees the
same of white noise.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from restora.networks.stored import build
from restora.networks.unet import UNet
from restora.orientation import lay, upright
from restora.priors import packing
from restora.priors.calibration import ALL, Calibration
from restora.priors.flow import AT_ONCE, FlowPrior, evaluate
from restora.priors.gaussian import GaussianPrior
from restora.priors.posterior import Posterior

SPREAD = 12.0  # log variances beyond it, each way, are cut


class AmortisedPrior(FlowPrior):
    """A flow with a second network, the `estimator`, which predicts a restoration and its error in one
    evaluation.

    The estimator maps posteriors (B, 3 C, H, W) and levels t (B,) to means and log variances (B, 2 C, H, W),
    in units of the error of the linear estimate.
    """

    kind = "amortised"
    shipped: ClassVar[tuple[str, ...]] = ("natural",)

    def __init__(
        self,
        network: nn.Module,
        gaussian: GaussianPrior,
        estimator: nn.Module,
        symmetries: Literal[1, 2, 8] = 1,
        image_shape: tuple[int, int, int] | None = None,
    ):
        super().__init__(network, gaussian, "residual", image_shape, symmetries)
        self.estimator = estimator
        self.eval().requires_grad_(False)

    def estimate(self, posterior: Posterior, orientation: int = 0) -> tuple[Tensor, Tensor]:
        """E[x | y], and the log variance of each value; both (B, C, H, W).

        `orientation`: number of the flip or rotation in which the network sees its input, modulo
        `symmetries`; odd numbers also change the sign of the sample.
        """
        x = posterior.linear
        most = max(1, AT_ONCE // (x.shape[-2] * x.shape[-1]))
        if len(x) > most:
            rows = [slice(i, i + most) for i in range(0, len(x), most)]
            parts = [self.estimate(posterior.rows(part), orientation) for part in rows]
            means, logs = zip(*parts, strict=True)
            return torch.cat(means), torch.cat(logs)
        k = orientation % self.symmetries
        given = lay(posterior.input(1 - orientation % 2 * 2), k)
        mean, spread = upright(evaluate(self.estimator, given, posterior.level), k).chunk(2, 1)
        c = posterior.error.view(-1, 1, 1, 1)
        return x + c * mean, 2 * c.log() + spread.clamp(-SPREAD, SPREAD)

    def grey(self) -> FlowPrior:
        """See `restora.priors.grey`."""
        from restora.priors.grey import GreyAmortised  # made of this class

        if self.image_shape[0] == 1:
            return self
        self._grey = self._grey or GreyAmortised(self)
        return self._grey

    def calibration(self, task: str) -> Calibration | None:
        """The calibration measured for the task, otherwise for several tasks in a row, otherwise for all
        tasks."""
        known = self.card.get("calibration", {})
        found = known.get(task) or known.get("chain" if "+" in task else ALL) or known.get(ALL)
        return Calibration.of(found) if found else None

    def _of(self, gaussian: GaussianPrior | None, shape: tuple[int, int, int]) -> FlowPrior:
        assert gaussian is not None
        return AmortisedPrior(self.network, gaussian, self.estimator, self.symmetries, shape)

    def pack(self) -> dict[str, Tensor]:
        return {**super().pack(), **packing.join(estimator=packing.halves(self.estimator))}

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        super().unpack(tensors)
        self.estimator.load_state_dict(packing.floats(packing.part(tensors, "estimator")))

    def config(self) -> dict[str, Any]:
        assert isinstance(self.estimator, UNet)
        return {**super().config(), "estimator": self.estimator.config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AmortisedPrior:
        flow = FlowPrior.from_config(config)
        estimator = build(config["estimator"])
        assert flow.gaussian is not None
        return cls(flow.network, flow.gaussian, estimator, flow.symmetries)

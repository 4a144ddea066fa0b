"""A network for one task: from the observation straight to the restoration, about the best linear estimate.

    x_hat = L(y) + c N([2 L - 1, (x_0 - L) / sqrt(c^2 + e^2)], t)
    L(y) = E[x | y] were x ~ N(mean, S),   x_0 = mean + A^+ (y - A mean),   c, e: rms errors of L and of x_0

x_0, the lift, is the image nearest to the mean that explains y; where A A^T is not diagonal A^T stands for
A^+, which would amplify the noise. t is the level at which the linear denoiser of a flow has the error c, so
that a flow's network (`restora.priors.flow`) sees here what it was trained on. For denoising the two agree
altogether: t y is w_t at t = 1 / (1 + sigma / s).

Such a network has to be trained anew for every task, and for every setting of it; in return no prior that
serves all tasks can be expected to have a smaller mean square error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from restora.degradations import lmmse, named
from restora.errors import WeightsError
from restora.networks.stored import build
from restora.networks.unet import UNet
from restora.priors import packing
from restora.priors.base import Prior
from restora.priors.flow import evaluate
from restora.priors.gaussian import GaussianPrior


class Units(NamedTuple):
    """c and e, the rms errors of the linear estimate and of the lift, and the level t for the network."""

    linear: float = 1.0
    lift: float = 1.0
    level: float = 0.5


class DirectPrior(Prior):
    """A network for one task only. It is put into evaluation mode and frozen.

    Args:
        network: images (B, 2 C, H, W) and t (B,) to (B, C, H, W).
        gaussian: a Gaussian model of the images, for the linear estimate.
        task: the name of the task; inpainting is of the central hole.
        options: the options of the task.
        units: errors of the linear estimate and of the lift.
    """

    kind = "direct"

    def __init__(
        self,
        network: nn.Module,
        gaussian: GaussianPrior,
        task: str,
        options: dict[str, Any] | None = None,
        units: Units | None = None,
    ):
        super().__init__()
        self.image_shape = gaussian.image_shape
        self.network, self.gaussian, self.task, self.units = network, gaussian, task, units or Units()
        self.degradation = named.build(task, self.image_shape[1:], options)
        self.degradation.operator.observed_shape(self.image_shape)
        self.eval().requires_grad_(False)

    def linear(self, y: Tensor) -> Tensor:
        """L(y), (B, C, H, W), of observations y (B, ...)."""
        return lmmse(self.degradation, self._mean(y), self.gaussian.covariance, y)

    def lift(self, y: Tensor) -> Tensor:
        """x_0, (B, C, H, W)."""
        mean = self._mean(y)
        model, observed = self.degradation.gaussian(mean, y)
        back = model.A_adjoint if model.operator.gram is None else model.A_dagger
        return mean + back(observed - model.A(mean))

    def precondition(self, y: Tensor, L: Tensor) -> tuple[Tensor, Tensor]:
        """The input of the network, (B, 2 C, H, W) and (B,), for L = L(y)."""
        c, e, t = self.units
        inputs = torch.cat([2 * L - 1, (self.lift(y) - L) / (c * c + e * e) ** 0.5], 1)
        return inputs, y.new_full((len(y),), t)

    def estimate(self, y: Tensor, L: Tensor | None = None) -> Tensor:
        """x_hat, (B, C, H, W). `L` is L(y), if it was computed before."""
        L = self.linear(y) if L is None else L
        return L + self.units.linear * evaluate(self.network, *self.precondition(y, L))

    def _mean(self, y: Tensor) -> Tensor:
        return self.gaussian.mean.to(y).expand(len(y), -1, -1, -1)

    def pack(self) -> dict[str, Tensor]:
        """The network in half precision, and the Gaussian as it packs itself."""
        return packing.join(network=packing.halves(self.network), gaussian=self.gaussian.pack())

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        self.network.load_state_dict(packing.floats(packing.part(tensors, "network")))
        self.gaussian.unpack(packing.part(tensors, "gaussian"))

    def config(self) -> dict[str, Any]:
        if not isinstance(self.network, UNet):
            raise WeightsError("only a DirectPrior of restora's own UNet can be stored")
        return {
            "network": self.network.config,
            "gaussian": self.gaussian.config(),
            "task": self.task,
            "options": named.options(self.degradation),
            "units": self.units._asdict(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DirectPrior:
        network = build(config["network"])
        gaussian, units = GaussianPrior.from_config(config["gaussian"]), Units(**config["units"])
        return cls(network, gaussian, config["task"], config["options"], units)

"""Flow matching: a network that removes noise of every level, in units of the best linear denoiser's error.

    loss = E |N(input, t) - (x - skip) / scale|^2,   w = t x + (1 - t) s e,   t uniform in [0, 1)

input, skip and scale are those of `restora.priors.flow`. Plain flow matching is the same loss with the form
"velocity". The levels of a batch are stratified: one in each of `batch` equal parts of [0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from restora.figure import grid
from restora.metrics import psnr
from restora.networks.unet import UNet
from restora.options import option
from restora.priors.conventions import SCALE
from restora.priors.flow import FlowPrior, Form
from restora.priors.gaussian import GaussianPrior
from restora.training.network import NetworkConfig, NetworkTrainer

LATEST = 0.999  # t beyond it would divide by nothing
SIGMA = 0.1


@dataclass(frozen=True)
class FlowConfig(NetworkConfig):
    """Settings of `restora train flow`."""

    precondition: Literal["gaussian", "none"] = option(
        "gaussian", "the network learns the residual of a Gaussian prior, or the velocity"
    )

    @property
    def form(self) -> Form:
        return "residual" if self.precondition == "gaussian" else "velocity"


class FlowTrainer(NetworkTrainer):
    """A flow-matching network, preconditioned on a Gaussian prior."""

    Config = FlowConfig
    kind, starts = "flow", "a flow prior of this precondition"

    @property
    def inputs(self) -> int:
        return self.config.channels * (2 if self.config.form == "residual" else 1)

    def build(self, network: UNet, gaussian: GaussianPrior) -> FlowPrior:
        # As images are mirrored and turned in training.
        symmetries: Literal[1, 2, 8] = 8 if self.config.any_size else 2 if self.config.mirror else 1
        return FlowPrior(network, gaussian, self.config.form, symmetries=symmetries)

    def is_start(self, prior: Any) -> bool:
        return isinstance(prior, FlowPrior) and prior.form == self.config.form

    def loss(self, network: torch.nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        return self._loss(network, x, torch.rand(len(x), generator=generator), generator)

    def _loss(self, network: torch.nn.Module, x: Tensor, u: Tensor, generator: torch.Generator) -> Tensor:
        """u (B,) in [0, 1) is where t lies in each of B parts."""
        t = ((torch.arange(len(x)) + u) / len(x)).clamp(max=LATEST).to(x)
        noise = SCALE * torch.randn(x.shape, generator=generator).to(x)
        t_ = t.view(-1, 1, 1, 1)
        parts = self.prior.precondition(t_ * x + (1 - t_) * noise, t)
        with self.autocast():
            answer = network(parts.input, t)
        return (answer.float() - (x - parts.skip) / parts.scale).square().mean()

    def quality(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """PSNR of denoising at sigma 0.1, by one evaluation."""
        t = 1 / (1 + SIGMA / SCALE)
        noise = torch.randn(x.shape, generator=generator).to(x)
        found = psnr(self.prior.denoise(t * (x + SIGMA * noise), t), x)
        u = torch.full((len(x),), 0.5)
        return found, self._loss(self.prior.network, x, u, generator)

    def picture(self) -> Tensor:
        samples = self.prior.sample(32, torch.Generator().manual_seed(self.config.seed), steps=16)
        return grid(samples.cpu(), 8)

"""Flow matching: a network that removes noise of every level, in units of the best linear denoiser's error.

    loss = E |N(input, t) - (x - skip) / scale|^2,   w = t x + (1 - t) s e,   t uniform in [0, 1)

input, skip and scale are those of `restora.priors.flow`. Plain flow matching is the same loss with the form
"velocity". The levels of a batch are stratified, one in each of `batch` equal parts of [0, 1), and may lean
towards little noise: t = 1 - (1 - u)^lean.

A teacher T is a denoiser that already knows some levels. There x becomes x + TRUST (T(w) - x), which has the
same mean as far as T is right, and a fraction of the variance (Hinton, Vinyals, Dean, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from restora.errors import OptionError
from restora.figure import grid
from restora.metrics import psnr
from restora.networks.unet import UNet
from restora.options import option
from restora.priors import store
from restora.priors.conventions import SCALE
from restora.priors.flow import FlowPrior, Form
from restora.priors.gaussian import GaussianPrior
from restora.training.network import NetworkConfig, NetworkTrainer

LATEST = 0.999  # t beyond it would divide by nothing
SIGMA = 0.1
TRUST = 0.8  # of the teacher: the rest is the image itself, which corrects the teacher's own errors


@dataclass(frozen=True)
class FlowConfig(NetworkConfig):
    """Settings of `restora train flow`."""

    precondition: Literal["gaussian", "none"] = option(
        "gaussian", "the network learns the residual of a Gaussian prior, or the velocity"
    )
    teacher: str = option(
        "", "denoiser to learn from at the noise levels that it knows (distillation), by name or folder"
    )
    lean: float = option(1.0, "above 1, more of the training is at low noise levels", 0.1, 10)

    @property
    def form(self) -> Form:
        return "residual" if self.precondition == "gaussian" else "velocity"


class FlowTrainer(NetworkTrainer):
    """A flow-matching network, preconditioned on a Gaussian prior."""

    Config = FlowConfig
    kind, starts = "flow", "a flow prior of this precondition"

    def __init__(self, config: FlowConfig, *rest: Any, **named: Any):
        super().__init__(config, *rest, **named)
        self.teacher = self._load_teacher(config.teacher) if config.teacher else None

    @property
    def inputs(self) -> int:
        return self.config.channels * (2 if self.config.form == "residual" else 1)

    def build(self, network: UNet, gaussian: GaussianPrior) -> FlowPrior:
        # As images are mirrored and turned in training.
        symmetries: Literal[1, 2, 8] = 8 if self.config.any_size else 2 if self.config.mirror else 1
        return FlowPrior(network, gaussian, self.config.form, symmetries=symmetries)

    def is_start(self, prior: Any) -> bool:
        return isinstance(prior, FlowPrior) and prior.form == self.config.form

    def _load_teacher(self, name: str) -> FlowPrior:
        prior = store.load(name)
        if not isinstance(prior, FlowPrior):
            raise OptionError(f"expected a flow prior or an imported denoiser, got {prior.kind}", "teacher")
        channels, height, width = self.config.shape
        found: Any = prior.with_channels(channels).sized(height, width)
        return found.to(self.device)

    def loss(self, network: torch.nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        u = (torch.arange(len(x)) + torch.rand(len(x), generator=generator)) / len(x)
        t = (1 - (1 - u) ** self.config.lean).clamp(max=LATEST).to(x)
        w = self._noisy(x, t, generator)
        return self._loss(network, w, t, self._target(x, w, t))

    def _noisy(self, x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        noise = SCALE * torch.randn(x.shape, generator=generator).to(x)
        return t.view(-1, 1, 1, 1) * x + (1 - t).view(-1, 1, 1, 1) * noise

    @torch.no_grad()
    def _target(self, x: Tensor, w: Tensor, t: Tensor) -> Tensor:
        """x, with the teacher's answers to w (B, C, H, W) in it at the levels t (B,) that it knows."""
        if self.teacher is None:
            return x
        convention = self.teacher.convention
        least, most = convention.levels if convention else (0.0, torch.inf)
        known = (least * t <= SCALE * (1 - t)) & (SCALE * (1 - t) <= most * t)
        answer = self.teacher.denoise(w[known], t[known])
        return x.index_put((known,), torch.lerp(x[known], answer, TRUST))

    def _loss(self, network: torch.nn.Module, w: Tensor, t: Tensor, target: Tensor) -> Tensor:
        parts = self.prior.precondition(w, t)
        with self.autocast():
            answer = network(parts.input, t)
        return (answer.float() - (target - parts.skip) / parts.scale).square().mean()

    def quality(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """PSNR of denoising at sigma 0.1, by one evaluation."""
        t = 1 / (1 + SIGMA / SCALE)
        noise = torch.randn(x.shape, generator=generator).to(x)
        found = psnr(self.prior.denoise(t * (x + SIGMA * noise), t), x)
        levels = ((torch.arange(len(x)) + 0.5) / len(x)).to(x)
        return found, self._loss(self.prior.network, self._noisy(x, levels, generator), levels, x)

    def picture(self) -> Tensor:
        samples = self.prior.sample(32, torch.Generator().manual_seed(self.config.seed), steps=16)
        return grid(samples.cpu(), 8)

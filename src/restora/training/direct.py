"""Supervised training of a network for one task, in units of the error of the best linear estimate.

    loss = E |N(input, t) - (x - L(y)) / c|^2,   y = A(x) + e, new noise every time, as a file holds it

input, L, c and t are those of `restora.priors.direct`. c and e are measured on training images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.degradations import degradations, named
from restora.errors import OptionError
from restora.figure import grid
from restora.gaussian.wiener import Wiener
from restora.metrics import psnr
from restora.networks.unet import UNet
from restora.options import option
from restora.pictures.colour import rounded, to_unit
from restora.priors.conventions import SCALE
from restora.priors.direct import DirectPrior, Units
from restora.priors.flow import FlowPrior
from restora.priors.gaussian import GaussianPrior
from restora.random import Generators, generators, seed_of
from restora.training.data import depth
from restora.training.gain import GainMatrix
from restora.training.network import NetworkConfig, NetworkTrainer

MEASURED = 512


@dataclass(frozen=True)
class DirectConfig(NetworkConfig):
    """Settings of `restora train direct`; its network has one size, also where it learns from squares."""

    task: str = option(
        "", f"task of the network: {', '.join(degradations.names())} (inpaint: the central hole)"
    )
    options: str = option("", "options of the task: NAME=VALUE,... (default values)")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.task:
            raise OptionError(f"expected one of {', '.join(degradations.names())}, got none", "task")
        try:
            degradation = named.build(self.task, self.shape[1:], named.parse(self.task, self.options))
        except OptionError as error:
            raise OptionError(str(error), "options") from error
        degradation.operator.observed_shape(self.shape)
        if degradation.blind:
            raise OptionError(
                f"a direct network is trained for one fixed degradation, and that of {self.task} differs "
                "between images; choose another task, or train a flow",
                "task",
            )

    @property
    def any_size(self) -> bool:
        return False


class DirectTrainer(NetworkTrainer):
    """A network for one task only, to compare with priors that restore all tasks."""

    Config = DirectConfig
    kind, starts = "direct", "a preconditioned flow prior, or a direct one,"
    gain: GainMatrix

    def build(self, network: UNet, gaussian: GaussianPrior) -> DirectPrior:
        config = self.config
        prior = DirectPrior(network, gaussian, config.task, named.parse(config.task, config.options))
        self.gain = GainMatrix(gaussian, prior.degradation.to(self.device))
        prior.units = self._measure(prior)
        return prior

    @property
    def bits(self) -> int:
        return depth(self.batches.images)

    @torch.no_grad()
    def _measure(self, prior: DirectPrior) -> Units:
        images, errors = self.batches.images, []
        assert isinstance(images, Tensor)
        every = -(-len(images) // MEASURED)
        generator = torch.Generator().manual_seed(seed_of("direct units", self.config.seed))
        for part in images[::every].split(self.config.batch):
            x = to_unit(part.to(self.device))
            y = observe(prior, x, generator, self.bits)
            pair = torch.stack([self.gain(y) - x, prior.lift(y) - x]).square()
            errors.append(pair.flatten(2).mean(2))
        linear, lift = torch.cat(errors, 1).mean(1).sqrt().tolist()
        wiener = Wiener(prior.gaussian.mean, prior.gaussian.covariance, SCALE)
        return Units(linear, lift, wiener.level(wiener.mean.new_tensor([linear])).item())

    def is_start(self, prior: Any) -> bool:
        return isinstance(prior, DirectPrior) or (isinstance(prior, FlowPrior) and prior.form == "residual")

    def loss(self, network: torch.nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        y = observe(self.prior, x, generator, self.bits)
        L = self.gain(y)
        inputs = self.prior.precondition(y, L)
        with self.autocast():
            answer = network(*inputs)
        return (answer.float() - (x - L) / self.prior.units.linear).square().mean()

    def quality(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        y = observe(self.prior, x, generator, self.bits)
        L = self.gain(y)
        found = self.prior.estimate(y, L)
        return psnr(found, x), ((found - x) / self.prior.units.linear).square().mean()

    @torch.no_grad()
    def picture(self) -> Tensor:
        """Validation images: linear estimate, restoration, truth, a row each."""
        x = to_unit(self.validation[:8].to(self.device))
        y = observe(self.prior, x, generators(self.config.seed, len(x)), self.bits)
        L = self.gain(y)
        return grid(torch.cat([L, self.prior.estimate(y, L), x]).clamp(0, 1).cpu(), len(x))

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        task = named.describe(self.prior.degradation)
        told = {
            "summary": f"A network for {task} alone.",
            "pictures": "Of images that were held out, the linear estimate, the restoration and the truth",
            "task": task,
        }
        super().export(folder, {**facts, **told, **self.prior.units._asdict()})


def observe(prior: DirectPrior, x: Tensor, generator: Generators, bits: int = 8) -> Tensor:
    """Observations of x (B, C, H, W) as files of so many bits hold them."""
    return rounded(prior.degradation(x, generator), bits)

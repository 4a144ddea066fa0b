"""One network for every degradation: the second stage of a flow.

    loss = E |(x - x_hat) / c|^2 + SPREAD E [s + |x - x_hat|^2 / c^2 exp(-s)] / 2

x_hat, c and s, the log variance in units of c^2, are those of `restora.priors.amortised`. The second term is
least where exp(s) is the expected squared error; what it asks of the mean is left out. Observations are made
on the fly, of every registered task and of damage as real files have it (`restora.training.damage`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.errors import OptionError
from restora.figure import grid
from restora.metrics import psnr
from restora.networks.unet import UNet, grown
from restora.options import option
from restora.pictures.colour import to_unit
from restora.priors import FlowPrior, store
from restora.priors.amortised import SPREAD as CUT
from restora.priors.amortised import AmortisedPrior
from restora.priors.gaussian import GaussianPrior
from restora.priors.posterior import Posterior, posterior
from restora.training.calibrating import calibrate
from restora.training.damage import damage
from restora.training.network import NetworkTrainer, StepsConfig
from restora.training.observations import Observations

SPREAD = 0.1
TOLERANCE = 0.02


@dataclass(frozen=True)
class AmortisedConfig(StepsConfig):
    """Settings of `restora train amortised`. The shape of the flow's network is the estimator's."""

    prior: str = option("natural", "the flow to start from, by name or folder")
    squares: int = option(
        0, "side of the training images in pixels; 0: the flow's. Larger ones have larger holes", 0
    )
    group: int = option(4, "images of a batch that share a degradation", 1)
    rate: float = option(
        5e-4, "learning rate of AdamW; lower than for a flow, because training starts from a flow", 0, 1
    )
    muon_rate: float = option(5e-3, "learning rate of Muon; lower than for a flow", 0, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        own = self.flow.image_shape[-1]
        if self.size != own and not self.flow.any_size:
            raise OptionError(
                f"{self.prior} is a prior for images of {own}x{own} only, got {self.squares}", "squares"
            )

    @cached_property
    def flow(self) -> FlowPrior:
        prior = store.load(self.prior)
        if not isinstance(prior, FlowPrior) or prior.form != "residual" or prior.gaussian is None:
            raise OptionError(
                f"expected a flow prior with a Gaussian model, as trained by 'restora train flow'; got "
                f"{self.prior}, a {type(prior).__name__}",
                "prior",
            )
        return prior

    @property
    def size(self) -> int:
        return self.squares or self.flow.image_shape[-1]

    @property
    def channels(self) -> int:
        return self.flow.image_shape[0]

    @property
    def crop(self) -> bool:
        """Whether the prior is for images of any size."""
        return self.flow.any_size

    @property
    def any_size(self) -> bool:
        return self.crop

    @property
    def init(self) -> str:
        return self.prior

    @property
    def shift(self) -> int:
        return 0

    @property
    def width(self) -> int:
        return self._network["width"]

    @property
    def blocks(self) -> int:
        return self._network["blocks"]

    @property
    def fine(self) -> int:
        return self._network["fine"]

    @property
    def attention(self) -> bool:
        return self._network["attention"]

    @property
    def _network(self) -> dict[str, Any]:
        assert isinstance(self.flow.network, UNet)
        return self.flow.network.config


class AmortisedTrainer(NetworkTrainer):
    """A second network for a flow, which restores any degradation in one evaluation.

    The output folder contains the flow too.
    """

    Config = AmortisedConfig
    kind, starts = "amortised", "a flow"

    @property
    def inputs(self) -> int:
        return 3 * self.config.channels

    @property
    def outputs(self) -> int:
        return 2 * self.config.channels

    def _begin_from(self, name: str) -> None:
        """The flow's network, blind to what it has not seen so far; its spread starts at the linear one."""
        flow: FlowPrior = self.config.flow
        start = flow.estimator if isinstance(flow, AmortisedPrior) else flow.network
        self.network.load_state_dict(grown(start.state_dict(), self.network.state_dict()))
        self._gaussian = flow.gaussian

    def build(self, network: UNet, gaussian: GaussianPrior) -> AmortisedPrior:
        flow = copy.deepcopy(self.config.flow)
        assert isinstance(flow.network, UNet)
        return AmortisedPrior(flow.network, gaussian, network, flow.symmetries)

    @property
    def average(self) -> UNet:
        return self.prior.estimator

    @property
    def _sized(self) -> AmortisedPrior:
        """The prior for the training images."""
        found: Any = self.prior.sized(self.config.size, self.config.size)
        return found

    def loss(self, network: torch.nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            seen = self._see(damage(x, self.config.group, generator), generator)
        return self._loss(network, seen, x)

    def _loss(self, network: torch.nn.Module, seen: Posterior, x: Tensor) -> Tensor:
        with self.autocast():
            answer = network(seen.input(), seen.level)
        mean, spread = answer.float().chunk(2, 1)
        error = ((x - seen.linear) / seen.error.view(-1, 1, 1, 1) - mean).square()
        spread = spread.clamp(-CUT, CUT)
        likelihood = (spread + error.detach() * torch.exp(-spread)) / 2
        return error.mean() + SPREAD * likelihood.mean()

    def _see(self, observations: Observations, generator: torch.Generator) -> Posterior:
        prior = self._sized
        assert prior.gaussian is not None
        assert prior.wiener is not None
        parts = [
            posterior(y, degradation, prior.gaussian, prior.wiener, generator, TOLERANCE)
            for y, degradation in observations
        ]
        return Posterior(*(torch.cat(each) for each in zip(*parts, strict=True)))

    def quality(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Over all kinds of damage."""
        seen = self._see(damage(x, 2, generator), generator)
        mean, _ = self.prior.estimate(seen)
        return psnr(mean, x), self._loss(self.average, seen, x)

    @torch.no_grad()
    def picture(self) -> Tensor:
        """Validation images: linear estimate, restoration, deviation, truth, a row each."""
        x = to_unit(self.validation[:8].to(self.device))
        generator = torch.Generator().manual_seed(self.config.seed)
        seen = self._see(damage(x, 1, generator), generator)
        mean, logs = self.prior.estimate(seen)
        rows = [seen.linear, mean, 4 * (logs / 2).exp(), x]
        return grid(torch.cat(rows).clamp(0, 1).cpu(), len(x))

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        told = {
            "summary": "A flow, and a network that restores any degradation in one evaluation.",
            "pictures": "Held-out images: the linear estimate, the restoration, four times its standard "
            "deviation, and the truth",
            "calibration": calibrate(self._sized, to_unit(self.validation.to(self.device)), self.config.seed),
        }
        super().export(folder, {**facts, **told})

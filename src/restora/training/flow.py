"""Flow matching: a network that removes noise of every level, in units of the best linear denoiser's error.

    loss = E |N(input, t) - (x - skip) / scale|^2,   w = t x + (1 - t) s e,   t uniform in [0, 1)

input, skip and scale are those of `restora.priors.flow`. Plain flow matching is the same loss with the form
"velocity". The levels of a batch are stratified: one in each of `batch` equal parts of [0, 1).
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from restora.device import fast_bfloat16
from restora.errors import DataError, OptionError, TrainingError
from restora.figure import grid
from restora.metrics import psnr
from restora.networks.unet import UNet
from restora.priors import store
from restora.priors.flow import SCALE, FlowPrior, Form
from restora.priors.gaussian import GaussianPrior
from restora.random import seed_of
from restora.training.checkpoint import check_settings, cpu_state
from restora.training.data import Batches, load
from restora.training.gaussian import GaussianConfig, GaussianTrainer
from restora.training.settings import CPU, option

LATEST = 0.999  # t beyond it would divide by nothing
SIGMA = 0.1
HELD_OUT = 64


@dataclass(frozen=True)
class FlowConfig:
    """Settings of `restora train flow`."""

    size: int = option(64, "side of the images in pixels")
    channels: int = option(3, "3 for colour, 1 for grey")
    width: int = option(64, "channels of the network at half resolution")
    blocks: int = option(2, "residual blocks a resolution, down and up again; 14 M parameters with 2")
    precondition: Literal["gaussian", "none"] = option(
        "gaussian", "learn what a Gaussian prior of the images leaves, or the velocity itself"
    )
    rank: int = option(1024, "principal directions of that Gaussian prior, at most one for ten images")
    batch: int = option(32, "images a step")
    rate: float = option(1e-3, "learning rate")
    warmup: int = option(10_000, "images over which the rate rises from 0")
    decay_from: float = option(0.0, "part of the budget after which the rate falls to 0, as a cosine")
    average_images: int = option(50_000, "half-life of the averaged network, in images")
    shift: int = option(0, "images are moved by up to this many pixels")
    mirror: bool = option(True, "mirror half of the images")
    seed: int = option(0, "of the weights, the order and the noise")
    validation: str = option("", "folder or zip of images to validate on; else the last 64 are held out")
    init: str = option("", "start from this flow prior, by name or folder, and keep its Gaussian prior")

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise OptionError(f"--channels must be 1 or 3, got {self.channels}")
        if self.width < 2 or self.width % 2:
            raise OptionError(f"--width must be an even number of at least 2, got {self.width}")
        least = {"size": 2, "blocks": 1, "rank": 0, "batch": 1, "warmup": 0, "average_images": 1, "shift": 0}
        for name, low in {**least, "seed": 0}.items():
            if not low <= getattr(self, name) < 2**40:
                raise OptionError(
                    f"--{name.replace('_', '-')} must be at least {low}, got {getattr(self, name)}"
                )
        for name in ("rate", "decay_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(
                    f"--{name.replace('_', '-')} must be from 0 to 1, got {getattr(self, name)}"
                )

    @property
    def form(self) -> Form:
        return "residual" if self.precondition == "gaussian" else "velocity"


class FlowTrainer:
    """A flow-matching network, preconditioned on a Gaussian prior.

    The Gaussian is fitted before the first step, and the images wait for it. `prior` holds it and the average
    of the network. Everything runs channels_last, and in bf16 where the processor has it.
    """

    Config = FlowConfig
    needs_budget = True

    def __init__(self, config: FlowConfig, images: Tensor, device: torch.device = CPU):
        self.config, self.device, self.images_seen, self.count = config, device, 0, len(images)
        images, self.validation = _split(images, config)
        if len(images) < config.batch:
            raise DataError(f"{len(images)} images to train on; it takes at least {config.batch}, one batch")
        self.batches = Batches(images, config.batch, config.seed, config.shift, config.mirror)
        torch.manual_seed(config.seed)
        inputs = config.channels * (2 if config.form == "residual" else 1)
        network: Any = UNet(inputs, config.channels, config.width, blocks=config.blocks)
        self.network = network.to(device, memory_format=torch.channels_last).train()
        self.adam = torch.optim.AdamW(self.network.parameters(), config.rate, (0.9, 0.99), weight_decay=0.01)
        self._prior: FlowPrior | None = None
        if config.init:
            self._begin_from(config.init)

    def _begin_from(self, name: str) -> None:
        prior = store.load(name)
        same = isinstance(prior, FlowPrior) and isinstance(prior.network, UNet)
        if not same or prior.image_shape != (self.config.channels, self.config.size, self.config.size):
            raise OptionError(f"--init {name}: not a flow prior for images of this --size and --channels")
        assert isinstance(prior, FlowPrior)
        if prior.gaussian is None or (prior.form, prior.network.config) != (
            self.config.form,
            self.network.config,
        ):
            raise OptionError(f"--init {name}: it was made with other --width, --blocks or --precondition")
        self.network.load_state_dict(prior.network.state_dict())
        self._keep(prior.gaussian)

    def _keep(self, gaussian: GaussianPrior) -> None:
        average = copy.deepcopy(self.network)
        self._prior = FlowPrior(average, gaussian, self.config.form).to(self.device)

    @property
    def prior(self) -> FlowPrior:
        """The average of the network, with the Gaussian of the images."""
        if self._prior is None:
            config, images = self.config, self.batches.images
            settings = GaussianConfig(
                size=config.size, channels=config.channels, rank=config.rank, mirror=config.mirror
            )
            trainer = GaussianTrainer(settings, images, self.device)
            while trainer.images_seen < trainer.length:
                trainer.step(0.0)
            self._keep(trainer.prior())
        assert self._prior is not None
        return self._prior

    def step(self, done: float) -> dict[str, float]:
        config, step, prior = self.config, self.images_seen // self.config.batch, self.prior
        self.adam.param_groups[0]["lr"] = config.rate * self._share_of_rate(done)
        x = self.batches[step].to(self.device) / 2 + 0.5
        seed = seed_of(f"flow step {step}", config.seed)
        generator = torch.Generator().manual_seed(seed)
        loss = self._loss(self.network, prior, x, torch.rand(len(x), generator=generator), generator)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.adam.step()
        self._update_average()
        self.images_seen += config.batch
        return {"loss": loss.item()}

    def _loss(
        self, network: torch.nn.Module, prior: FlowPrior, x: Tensor, u: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The loss of x (B, C, H, W) in [0, 1]; u (B,) in [0, 1) is where t lies in each of B parts."""
        t = ((torch.arange(len(x)) + u) / len(x)).clamp(max=LATEST).to(x)
        noise = SCALE * torch.randn(x.shape, generator=generator).to(x)
        t_ = t.view(-1, 1, 1, 1)
        parts = prior.precondition(t_ * x + (1 - t_) * noise, t)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=fast_bfloat16(x.device)):
            answer = network(parts.input, t)
        return (answer.float() - (x - parts.skip) / parts.scale).square().mean()

    def _share_of_rate(self, done: float) -> float:
        config = self.config
        rise = min(1.0, (self.images_seen + config.batch) / max(config.warmup, 1))
        past = max(0.0, done - config.decay_from) / max(1 - config.decay_from, 1e-9)
        return rise * 0.5 * (1 + math.cos(math.pi * past))

    @torch.no_grad()
    def _update_average(self) -> None:
        # The half-life grows with the run, so that the average soon forgets the first images.
        half_life = min(self.config.average_images, 0.05 * self.images_seen + self.config.batch)
        keep = 0.5 ** (self.config.batch / half_life)
        for mean, now in zip(self.prior.network.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Of the average, on the validation images: PSNR in dB of denoising at sigma 0.1, by one evaluation,
        and the loss. TrainingError if it is not finite."""
        generator, prior, t = torch.Generator().manual_seed(0), self.prior, 1 / (1 + SIGMA / SCALE)
        values, losses = [], []
        for part in self.validation.split(HELD_OUT):
            x = part.to(self.device) / 255
            noise = torch.randn(x.shape, generator=generator).to(x)
            values.append(psnr(prior.denoise(t * (x + SIGMA * noise), t), x))
            u = torch.full((len(x),), 0.5)
            losses.append(self._loss(prior.network, prior, x, u, generator).expand(len(x)))
        found, loss = torch.cat(values).mean().item(), torch.cat(losses).mean().item()
        if not math.isfinite(loss):
            raise TrainingError(
                f"training diverged at {self.images_seen} images: the network is not finite any more. "
                "The last good checkpoint is kept; start again from it with --init and a lower --rate"
            )
        return {"validation_psnr": round(found, 3), "validation_loss": round(loss, 5)}

    def picture(self) -> Tensor:
        samples = self.prior.sample(32, torch.Generator().manual_seed(self.config.seed), steps=16)
        return grid(samples.cpu(), 8)

    def state(self) -> dict[str, Any]:
        prior = self.prior
        assert prior.gaussian is not None
        return {
            "config": {**asdict(self.config), "data": self.count},
            "images_seen": self.images_seen,
            "network": cpu_state(self.network),
            "average": cpu_state(prior.network),
            "gaussian": cpu_state(prior.gaussian),
            "adam": self.adam.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        check_settings({**asdict(self.config), "data": self.count}, state["config"])
        self.images_seen = state["images_seen"]
        self._keep(GaussianPrior(**state["gaussian"]))
        self.prior.network.load_state_dict(state["average"])
        self.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        own = {"training_images": len(self.batches.images), **self.check()}
        store.save(folder, self.prior, {**facts, **own})


def _split(images: Tensor, config: FlowConfig) -> tuple[Tensor, Tensor]:
    """Images to train on, and to validate on, uint8 (N, C, H, W)."""
    if config.validation:
        found, _ = load([config.validation], config.size, config.channels)
        return images, found[:: -(-len(found) // (4 * HELD_OUT))]
    held = min(HELD_OUT, max(len(images) // 10, 1))
    return images[:-held], images[-held:]

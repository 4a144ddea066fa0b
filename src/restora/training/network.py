"""What the trainings of a U-Net have in common: settings, start, rate of learning, average, state.

The network stands about a Gaussian of the images, which is fitted before the first step or comes from the
prior that the run starts from. Muon trains the kernels inside the U-Net, AdamW all other parameters.
Everything runs channels_last, and in bf16 where the processor has it.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from restora.device import fast_bfloat16
from restora.errors import OptionError, TrainingError
from restora.networks.unet import UNet, grown
from restora.options import option
from restora.pictures.colour import to_unit
from restora.pictures.tiff import MAX_CHANNELS
from restora.priors import Prior, store
from restora.priors.gaussian import GaussianPrior
from restora.random import seed_of
from restora.training.average import follow, share_of_rate
from restora.training.checkpoint import check_settings, cpu_state
from restora.training.gaussian import GaussianConfig, GaussianTrainer
from restora.training.loop import Trainer
from restora.training.muon import Muon, kernels
from restora.training.settings import CHANNELS, CPU, CROP, Settings, check_count
from restora.training.squares import HELD_OUT, Images, as_squares, batches, split
from restora.training.workers import ALONE, Workers


@dataclass(frozen=True)
class StepsConfig(Settings):
    """Settings of the steps of these trainings."""

    batch: int = option(32, "images per step", 1)
    rate: float = option(1e-3, "learning rate of AdamW, which trains all other parameters", 0, 1)
    muon_rate: float = option(
        7e-3, "learning rate of Muon, which trains the kernels in and between blocks", 0, 1
    )
    warmup: int = option(10_000, "images over which both rates rise from 0", 0)
    decay_from: float = option(0.0, "fraction of the budget after which both rates fall to 0 (cosine)", 0, 1)
    average_images: int = option(50_000, "half-life of the averaged network, in images", 1)
    mirror: bool = option(True, "augmentation: mirror half of the images")
    seed: int = option(0, "random seed", 0)
    validation: str = option(
        "", "validation images; by default one image in ten is held out, or a part of each"
    )


@dataclass(frozen=True)
class NetworkConfig(StepsConfig):
    """Settings of those that make a network of their own shape."""

    size: int = option(64, "side of the images in pixels", 2)
    channels: int = option(3, CHANNELS, 1, MAX_CHANNELS)
    width: int = option(64, "channels of the network at half resolution, an even number", 2)
    blocks: int = option(2, "residual blocks per resolution, down and up; 2 make 14 M parameters", 1)
    fine: int = option(0, "more residual blocks at half resolution, down and up, which see the detail", 0)
    rank: int = option(1024, "principal directions of the Gaussian prior; at most one per ten images", 0)
    crop: bool = option(False, f"{CROP}, for images of any size")
    attention: bool = option(
        True, "self-attention at 1/8 of the resolution and below; never for images of any size"
    )
    shift: int = option(0, "augmentation: shift images by up to this many pixels", 0)
    init: str = option("", "prior to start from, by name or folder; its Gaussian is kept")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 2:
            raise OptionError(f"expected an even number, got {self.width}", "width")

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size, self.size

    @property
    def any_size(self) -> bool:
        """Whether the prior is for images of any size."""
        return self.crop


class NetworkTrainer(Trainer):
    """The loop's trainer, but for the prior, its loss and its quality, which a subclass says.

    `prior` holds the average of the network, as `network`, and the Gaussian, as `gaussian`; it is made when
    it is first asked for, and the images wait for it.
    """

    parallel = True
    kind: ClassVar[str]  # of the prior
    starts: ClassVar[str]  # what `is_start` accepts

    def __init__(self, config: Any, images: Images, device: torch.device = CPU, workers: Workers = ALONE):
        self.config, self.device, self.images_seen, self.count = config, device, 0, len(images)
        self.workers = workers
        images, self.validation = split(images, config)
        if not config.any_size:
            images = as_squares(images, config.size, config.seed, config.batch)
        if isinstance(images, Tensor):
            check_count(self.count, config.batch, self.count - len(images))
        self.batches = batches(images, config)
        torch.manual_seed(config.seed)
        shape = {"blocks": config.blocks, "attention": config.attention and not config.any_size}
        network: Any = UNet(self.inputs, self.outputs, config.width, fine=config.fine, **shape)
        self.network = network.to(device, memory_format=torch.channels_last).train()
        inside = kernels(self.network)
        rest = [p for p in self.network.parameters() if p not in set(inside)]
        self.muon = Muon(inside, config.muon_rate)
        self.adam = torch.optim.AdamW(rest, config.rate, (0.9, 0.99), weight_decay=0.01)
        self._gaussian: GaussianPrior | None = None
        self._prior: Any = None
        if config.init:
            self._begin_from(config.init)
        self._learner = workers.wrap(self.network)

    @property
    def inputs(self) -> int:
        """Channels that the network sees."""
        return 2 * self.config.channels

    @property
    def outputs(self) -> int:
        """Channels that the network answers."""
        return self.config.channels

    @property
    def average(self) -> Any:
        """The average of the network, a part of the prior."""
        return self.prior.network

    def build(self, network: UNet, gaussian: GaussianPrior) -> Prior:
        """The prior of this network and this Gaussian."""
        raise NotImplementedError

    def loss(self, network: torch.nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of images x (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def quality(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Of the average, on validation images x: PSNR in dB, (B,), and the loss."""
        raise NotImplementedError

    def is_start(self, prior: Any) -> bool:
        """Whether a run can begin from a prior of the right shape and network."""
        raise NotImplementedError

    def _begin_from(self, name: str) -> None:
        prior: Any = store.load(name)
        same = isinstance(getattr(prior, "network", None), UNet) and prior.image_shape == self.config.shape
        if not same or not self.is_start(prior):
            raise OptionError(
                f"expected {self.starts} for images of this size and these channels, got {name}", "init"
            )
        smaller = {**self.network.config, "fine": prior.network.config["fine"]}
        if prior.gaussian is None or prior.network.config != smaller or smaller["fine"] > self.config.fine:
            raise OptionError(f"expected a prior of this width and these blocks, got {name}", "init")
        self.network.load_state_dict(grown(prior.network.state_dict(), self.network.state_dict()))
        self._gaussian = prior.gaussian

    @property
    def prior(self) -> Any:
        """The average of the network, with the Gaussian of the images."""
        if self._prior is None:
            gaussian = self._gaussian or self._fit()
            self._prior = self.build(copy.deepcopy(self.network), gaussian.to(self.device)).to(self.device)
        return self._prior

    def _fit(self) -> GaussianPrior:
        config = self.config
        images: Any = self.batches.images
        common = {name: getattr(config, name) for name in ("size", "channels", "rank", "mirror", "seed")}
        settings = GaussianConfig(**common, crop=config.any_size)
        trainer = GaussianTrainer(settings, images, self.device)
        while trainer.images_seen < trainer.length:
            trainer.step(0.0)
        return trainer.prior()

    def step(self, done: float) -> dict[str, float]:
        config, step = self.config, self.images_seen // self.config.batch
        average = self.average
        share = share_of_rate(self.images_seen + config.batch, done, config.warmup, config.decay_from)
        self.adam.param_groups[0]["lr"] = config.rate * share
        self.muon.param_groups[0]["lr"] = config.muon_rate * share
        x = self.workers.own(self.batches[step]).to(self.device) / 2 + 0.5
        loss = self.loss(self._learner, x, torch.Generator().manual_seed(self._seed(step)))
        self.network.zero_grad(set_to_none=True)
        self.workers.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.adam.step()
        self.muon.step()
        follow(average, self.network, self.images_seen, config.batch, config.average_images)
        self.images_seen += config.batch
        return {"loss": loss.item()}

    def _seed(self, step: int) -> int:
        rank = self.workers.rank
        return seed_of(f"{self.kind} step {step}" + (f" of {rank}" if rank else ""), self.config.seed)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device))

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Means of `quality` over the validation images. TrainingError if the loss is not finite."""
        generator = torch.Generator().manual_seed(0)
        values, losses = [], []
        for part in self.validation.split(HELD_OUT):
            quality, value = self.quality(to_unit(part.to(self.device)), generator)
            values.append(quality)
            losses.append(value.expand(len(part)))
        found, loss = torch.cat(values).mean().item(), torch.cat(losses).mean().item()
        if not math.isfinite(loss):
            raise TrainingError(
                f"training diverged at {self.images_seen} images: the network has non-finite weights. "
                "The last good checkpoint is kept; start again from it (init) with lower rates"
            )
        return {"validation_psnr": round(found, 3), "validation_loss": round(loss, 5)}

    def state(self) -> dict[str, Any]:
        return {
            "config": {**asdict(self.config), "data": self.count},
            "images_seen": self.images_seen,
            "network": cpu_state(self.network),
            "average": cpu_state(self.average),
            "gaussian": cpu_state(self.prior.gaussian),
            "adam": self.adam.state_dict(),
            "muon": self.muon.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        check_settings({**asdict(self.config), "data": self.count}, state["config"])
        self.images_seen = state["images_seen"]
        self._gaussian, self._prior = GaussianPrior(**state["gaussian"]), None
        self.average.load_state_dict(state["average"])
        self.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])
        self.muon.load_state_dict(state["muon"])

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        own = {"training_images": len(self.batches.images), **self.check()}
        store.save(folder, self.prior, {**facts, **own})

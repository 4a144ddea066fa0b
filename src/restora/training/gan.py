"""Adversarial training of a DCGAN: non-saturating logistic loss, spectral norm, averaged generator."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restora.device import fast_bfloat16
from restora.errors import OptionError, TrainingError
from restora.figure import grid
from restora.networks.dcgan import Discriminator, Generator
from restora.options import option
from restora.pictures.tiff import MAX_CHANNELS
from restora.training.average import follow
from restora.training.checkpoint import check_settings, cpu_state
from restora.training.data import Batches
from restora.training.loop import Trainer
from restora.training.settings import CHANNELS, CPU, CROP, Settings, check_count
from restora.training.squares import Images, as_squares


@dataclass(frozen=True)
class DCGANConfig(Settings):
    """Settings of `restora train dcgan`."""

    size: int = option(64, "side of the images in pixels, a power of two", 8)
    channels: int = option(3, CHANNELS, 1, MAX_CHANNELS)
    crop: bool = option(False, CROP)
    latent: int = option(100, "dimension of a latent", 1)
    width: int = option(64, "channels of the generator's layer at half resolution", 1)
    width_discriminator: int = option(64, "channels of the discriminator's layer at half resolution", 1)
    batch: int = option(64, "images per step", 1)
    rate_generator: float = option(2e-4, "learning rate", 0, 1)
    rate_discriminator: float = option(4e-4, "learning rate", 0, 1)
    decay_from: float = option(0.6, "fraction of the budget after which the rates fall linearly to 0", 0, 1)
    average_images: int = option(20_000, "half-life of the averaged generator, in images", 1)
    shift: int = option(1, "augmentation: shift images by up to this many pixels", 0)
    mirror: bool = option(True, "augmentation: mirror half of the images")
    seed: int = option(0, "random seed", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size & (self.size - 1):
            raise OptionError(f"expected a power of two, such as 32 or 64, got {self.size}", "size")


class DCGANTrainer(Trainer):
    """A deep convolutional generative adversarial network (DCGAN).

    Each step trains the discriminator and the generator on a batch. Computations use channels_last, and bf16
    if the processor supports it.
    """

    Config = DCGANConfig

    def __init__(self, config: DCGANConfig, images: Images, device: torch.device = CPU):
        images = as_squares(images, config.size, config.seed, config.batch)
        check_count(len(images), config.batch)
        torch.manual_seed(config.seed)
        self.config, self.device, self.images_seen = config, device, 0
        self.batches = Batches(images, config.batch, config.seed, config.shift, config.mirror)
        shape: dict[str, Any] = {"channels": config.channels, "size": config.size}
        self.generator = self._place(Generator(config.latent, config.width, **shape))
        self.discriminator = self._place(Discriminator(config.width_discriminator, **shape))
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        for norm in _batch_norms(self.average):  # or looking at its samples would change the checkpoint
            norm.track_running_stats = False
        betas = (0.5, 0.999)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), config.rate_generator, betas)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), config.rate_discriminator, betas)
        self._real_spread = _spread(self.batches[0])

    def _place(self, module: nn.Module) -> Any:
        return module.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]

    def latents(self, n: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(n, self.config.latent, generator=generator).to(self.device)

    def step(self, done: float) -> dict[str, float]:
        config, step = self.config, self.images_seen // self.config.batch
        decay = min(1.0, (1 - done) / max(1 - config.decay_from, 1e-9))
        self.adam_g.param_groups[0]["lr"] = config.rate_generator * decay
        self.adam_d.param_groups[0]["lr"] = config.rate_discriminator * decay
        real = self.batches[step].to(self.device)
        z = self.latents(config.batch, config.seed * 1_000_003 + step)
        with self.autocast():
            fake = self.generator(z)
            loss_d, to_fake = self._discriminator_step(real, fake.detach())
        self.adam_g.zero_grad(set_to_none=True)
        fake.backward(to_fake)
        self.adam_g.step()
        follow(self.average, self.generator, self.images_seen, config.batch, config.average_images)
        self.images_seen += config.batch
        return loss_d

    def _discriminator_step(self, real: Tensor, fake: Tensor) -> tuple[dict[str, float], Tensor]:
        """One step on the discriminator; the losses, and the gradient of the generator's loss in `fake`.

        Both players share one pass. The logit of one image depends on no other image, so the gradient
        of its generator loss softplus(-l) is that of its discriminator loss softplus(l) times the
        ratio of their slopes, -sigmoid(-l) / sigmoid(l) = -exp(-l).
        """
        fake.requires_grad_()
        logits = self.discriminator(torch.cat([real, fake])).float()
        on_real, on_fake = logits.chunk(2)
        loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        self.adam_d.zero_grad(set_to_none=True)
        loss.backward()
        self.adam_d.step()
        assert fake.grad is not None
        ratio = -torch.exp(-on_fake.detach().clamp(min=-20)).view(-1, 1, 1, 1)
        losses = {"loss_d": loss.item(), "loss_g": F.softplus(-on_fake.detach()).mean().item()}
        return losses, fake.grad * ratio

    def autocast(self) -> torch.autocast:
        """bf16 where the processor multiplies it faster than float32 (AMX, AVX512-BF16, CUDA)."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device))

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """Spread of the samples relative to that of the data; TrainingError if it has collapsed."""
        with self.autocast():
            samples = self.average(self.latents(64, 0)).float()
        if not torch.isfinite(samples).all():
            raise TrainingError(
                f"training diverged at {self.images_seen} images: the generator has non-finite weights. "
                "The last good checkpoint is kept; resume it with a lower rate"
            )
        ratio = _spread(samples) / self._real_spread
        if self.images_seen > 100_000 and ratio < 0.4:
            raise TrainingError(
                f"training collapsed at {self.images_seen} images: samples differ {ratio:.2f} times as much "
                "as the data, expected at least 0.4. The last good checkpoint is kept"
            )
        return {"spread": round(ratio, 4)}

    @torch.no_grad()
    def picture(self) -> Tensor:
        with self.autocast():
            samples = self.average(self.latents(64, 0)).float()
        return grid(samples.cpu() / 2 + 0.5, 8)

    def state(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "images_seen": self.images_seen,
            "generator": cpu_state(self.generator),
            "discriminator": cpu_state(self.discriminator),
            "average": cpu_state(self.average),
            "adam_g": self.adam_g.state_dict(),
            "adam_d": self.adam_d.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        check_settings(asdict(self.config), state["config"])
        self.images_seen = state["images_seen"]
        for name in ("generator", "discriminator", "average", "adam_g", "adam_d"):
            getattr(self, name).load_state_dict(state[name])

    @torch.no_grad()
    def final_networks(self) -> tuple[Generator, Discriminator]:
        """The averaged generator with its own batch statistics, and the discriminator, for inference."""
        generator = copy.deepcopy(self.average)
        for norm in _batch_norms(generator):
            norm.track_running_stats = True
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean over the passes below
        for i in range(100):
            generator(self.latents(100, i))
        return generator.cpu().eval().fold(), self.discriminator.bake()

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        from restora.priors.gan import GANPrior
        from restora.priors.store import save

        generator, discriminator = self.final_networks()
        save(folder, GANPrior(generator, discriminator, latent_shape=(self.config.latent,)), facts)


def _batch_norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


def _spread(images: Tensor) -> float:
    """Root mean square distance between two images of a batch, a pixel."""
    flat = images.flatten(1)
    return math.sqrt(2 * flat.var(0).mean().item())

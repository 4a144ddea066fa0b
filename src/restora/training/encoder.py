"""One encoder for all degradations, through the frozen generator of a GAN.

    loss = E |G(E(y)) - x|^2 / v + pull E |E(y)|^2 / d + tie E |E(y) - z|^2 / d,   y = A(x) + e

A is drawn anew for every group of images from all registered degradations, and y is rounded as an 8-bit file.
Half of the images are photographs; the other half G(z), whose z is known, and only they have the last term.
v is the mean square of what the generator's mean image gets wrong, so that the first term starts near 1.

In the end it is measured on photographs what G(E(y)) tells of x (`restora.priors.correction`).
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.degradations import named
from restora.device import fast_bfloat16
from restora.errors import TrainingError
from restora.figure import grid
from restora.metrics import psnr
from restora.networks.encoder import Encoder
from restora.options import option
from restora.pictures.colour import to_uint8, to_unit
from restora.priors import store
from restora.priors.correction import Correction
from restora.priors.evidence import channels, evidence
from restora.priors.gan import GANPrior
from restora.priors.gaussian import GaussianPrior
from restora.random import seed_of
from restora.training.average import follow, share_of_rate
from restora.training.checkpoint import check_settings, cpu_state
from restora.training.data import Batches
from restora.training.gaussian import GaussianConfig, GaussianTrainer
from restora.training.latent import LatentConfig
from restora.training.loop import Trainer
from restora.training.observations import Observations, fitting, observe, rounded
from restora.training.regression import regression
from restora.training.settings import CPU, check_count
from restora.training.squares import Images, as_squares, hold_out


@dataclass(frozen=True)
class EncoderConfig(LatentConfig):
    """Settings of `restora train encoder`."""

    width: int = option(64, "channels of the encoder at half resolution, four times as many in the end", 1)
    blocks: int = option(1, "residual blocks per resolution", 1)
    batch: int = option(64, "images per step, half of them drawn by the GAN", 2)
    group: int = option(8, "images of a batch that share a degradation", 1)
    rate: float = option(1e-3, "learning rate", 0, 1)
    warmup: int = option(10_000, "images over which the rate rises from 0", 0)
    average_images: int = option(20_000, "half-life of the averaged encoder, in images", 1)
    pull: float = option(0.02, "weight of the latent's log prior", 0)
    tie: float = option(0.02, "weight of the distance to the true latent, for images drawn by the GAN", 0)
    directions: int = option(256, "principal directions of the encoder's images that the correction uses", 0)
    rank: int = option(1024, "principal directions of the residual; at most one per ten images", 0)
    mirror: bool = option(True, "augmentation: mirror half of the images")
    seed: int = option(0, "random seed", 0)


class EncoderTrainer(Trainer):
    """An encoder of observations to latents, for a GAN that is trained.

    The GAN is written again with it, so that the folder holds all.
    """

    Config = EncoderConfig

    def __init__(self, config: EncoderConfig, images: Images, device: torch.device = CPU):
        found = len(images)
        kept, self.validation = hold_out(images, config.size)
        images = as_squares(kept, config.size, config.seed, config.batch)
        check_count(found, config.batch, found - len(images))
        self.config, self.device, self.images_seen, self.count = config, device, 0, len(images)
        self.batches = Batches(images, config.batch // 2, config.seed, 0, config.mirror)
        self.gan = config.gan.to(device)
        self.shape = self.gan.image_shape
        torch.manual_seed(config.seed)
        latent = math.prod(self.gan.latent_shape)
        network = Encoder(channels(self.shape[0]), latent, config.width, config.blocks, self.shape[-1])
        self.encoder: Any = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.encoder).requires_grad_(False)
        self.adam = torch.optim.AdamW(self.encoder.parameters(), config.rate, (0.9, 0.99), weight_decay=0.01)
        x = self.batches[0].to(device) / 2 + 0.5
        with torch.no_grad():
            origin = self.gan.generate(torch.zeros(1, *self.gan.latent_shape, device=device))
        self.variance = (x - origin).square().mean().item()

    def step(self, done: float) -> dict[str, float]:
        config, step = self.config, self.images_seen // self.config.batch
        share = share_of_rate(self.images_seen + config.batch, done, config.warmup)
        self.adam.param_groups[0]["lr"] = config.rate * share
        generator = torch.Generator().manual_seed(seed_of(f"encoder step {step}", config.seed))
        real = self.batches[step].to(self.device) / 2 + 0.5
        with torch.no_grad():
            known = self.gan.latents(config.batch - len(real), generator)
            x = torch.cat([real, self.gan.generate(known)])
            seen = self._see(observe(x, config.group, generator))
        loss = self._loss(seen, x, known)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        self.adam.step()
        follow(self.average, self.encoder, self.images_seen, config.batch, config.average_images)
        self.images_seen += config.batch
        return {"loss": loss.item()}

    def _loss(self, seen: Tensor, x: Tensor, known: Tensor) -> Tensor:
        """Of evidence `seen` of images x; the latents of the last of them are `known`."""
        config = self.config
        with self.autocast():
            z = self.encoder(seen)
            found = self.gan.generate(z.view(-1, *self.gan.latent_shape))
        loss = (found.float() - x).square().mean() / self.variance
        apart = (z[-len(known) :].float() - known.flatten(1)).square().mean()
        return loss + config.pull * z.float().square().mean() + config.tie * apart

    def _see(self, observations: Observations) -> Tensor:
        return torch.cat([evidence(y, degradation, self.shape) for y, degradation in observations])

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device))

    @torch.no_grad()
    def restore_all(self, observations: Observations) -> Tensor:
        """G(E(y)) of the average."""
        with self.autocast():
            z = self.average(self._see(observations))
        return self.gan.generate(z.float().view(-1, *self.gan.latent_shape))

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """PSNR in dB of G(E(y)) on images that were held out, over all tasks with their default options."""
        generator, x = torch.Generator().manual_seed(0), to_unit(self.validation.to(self.device))
        found = []
        for name in fitting(self.shape):
            degradation = named.build(name, self.shape[1:]).to(self.device)
            found.append(
                psnr(self.restore_all([(rounded(x, degradation, generator), degradation)]), x).mean()
            )
        value = torch.stack(found).mean().item()
        if not math.isfinite(value):
            raise TrainingError(
                f"training diverged at {self.images_seen} images: the encoder has non-finite weights. "
                "The last good checkpoint is kept; start again with a lower rate"
            )
        return {"validation_psnr": round(value, 3)}

    @torch.no_grad()
    def picture(self) -> Tensor:
        """What the GAN draws, an observation of each, and what is found for it."""
        generator = torch.Generator().manual_seed(self.config.seed)
        x = self.gan.sample(12, generator)
        observations = observe(x, 1, generator)
        lifts = torch.cat([evidence(y, a, self.shape)[:, : self.shape[0]] / 2 + 0.5 for y, a in observations])
        rows = torch.cat([x, lifts, self.restore_all(observations)])
        return grid(rows.clamp(0, 1).cpu(), len(x))

    @torch.no_grad()
    def correction(self) -> Correction:
        """What G(E(y)) tells of photographs x, mirror images included."""
        x, config = self.batches.images, self.config
        generator = torch.Generator().manual_seed(seed_of("correction", config.seed))
        found = []
        for part in x.split(256):
            seen = observe(to_unit(part.to(self.device)), config.group, generator)
            found.append(to_uint8(self.restore_all(seen)).cpu())
        g = torch.cat(found)
        mean, origin, V, P = regression(g, x, config.directions)
        mean_alone = GaussianPrior(mean, V[:0], torch.zeros(len(mean), *mean.shape))
        rest = self._rest(Correction(origin, V, P, mean_alone), g, x)
        return Correction(origin, V, P, GaussianPrior(mean, 2 * rest.factors, 2 * rest.spread))

    def _rest(self, correction: Correction, g: Tensor, x: Tensor) -> GaussianPrior:
        """The covariance of (x - E[x | g]) / 2, which fits into 8 bits."""
        config, parts = self.config, []
        for a, b in zip(g.split(256), x.split(256), strict=True):
            left = to_unit(b) - correction.predict(to_unit(a))
            parts.append(to_uint8(left / 2 + 0.5))
        settings = GaussianConfig(
            size=self.shape[-1], channels=self.shape[0], rank=config.rank, floor=2.5e-5, mirror=config.mirror
        )
        trainer = GaussianTrainer(settings, torch.cat(parts))
        while trainer.images_seen < trainer.length:
            trainer.step(0.0)
        return trainer.prior()

    def state(self) -> dict[str, Any]:
        return {
            "config": {**asdict(self.config), "data": self.count},
            "images_seen": self.images_seen,
            "encoder": cpu_state(self.encoder),
            "average": cpu_state(self.average),
            "adam": self.adam.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        check_settings({**asdict(self.config), "data": self.count}, state["config"])
        self.images_seen = state["images_seen"]
        for name in ("encoder", "average", "adam"):
            getattr(self, name).load_state_dict(state[name])

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        gan = self.gan.cpu()
        encoder = copy.deepcopy(self.average).cpu()
        correction = self.correction()
        prior = GANPrior(
            gan.generator, gan.discriminator, gan.latent_shape, encoder, gan.value_range, correction
        )
        card = {k: v for k, v in gan.card.items() if k not in facts}
        own = {
            "encoder": facts | self.check(),
            "pictures": "What the GAN draws, an observation of each, what the encoder finds",
        }
        store.save(folder, prior, {**card, **own})

"""A table of latents for first guesses (`restora.priors.lookup`): draws, and their codes.

The principal directions are those of a first sample of what the generator draws. Where the prior has an
encoder, the photographs of DATA come first, as the latents that it gives them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.degradations import AdditiveNoise
from restora.figure import grid
from restora.options import option
from restora.pictures.colour import to_unit
from restora.priors import lookup
from restora.priors.gan import GANPrior
from restora.random import seed_of
from restora.training.checkpoint import check_settings
from restora.training.latent import LatentConfig
from restora.training.loop import Trainer
from restora.training.principal import principal
from restora.training.settings import CPU
from restora.training.squares import Images, as_squares

SAMPLE = 4096


@dataclass(frozen=True)
class LookupConfig(LatentConfig):
    """Settings of `restora train lookup`."""

    entries: int = option(
        100_000, "latents in the table; 460 bytes each with 128 directions of 100 numbers", 1
    )
    rank: int = option(128, "principal directions of the generator's images", 1)
    batch: int = option(256, "images generated at once", 1)
    seed: int = option(0, "random seed", 0)


class LookupTrainer(Trainer):
    """A table of a GAN's latents, from which latent searches start.

    Each step generates a batch of images, until the table is full. The training needs no budget.
    """

    Config = LookupConfig
    needs_data, needs_budget, makes = False, False, "a table"

    def __init__(self, config: LookupConfig, images: Images, device: torch.device = CPU):
        images = as_squares(images, config.size, config.seed)
        self.config, self.device, self.images_seen, self.length = config, device, 0, config.entries
        self.gan: GANPrior = config.gan.to(device)
        self.images = images[: config.entries] if self.gan.encoder is not None else images[:0]
        sample = self.gan.generate(self.gan.latents(SAMPLE, self._generator("directions")))
        self.mean = sample.mean(0).flatten()
        _, rows = principal(sample - sample.mean(0), config.rank, config.seed)
        self.directions = rows.flatten(1).contiguous()
        self.codes = sample.new_zeros(config.entries, len(rows))
        self.latents = sample.new_zeros(config.entries, *self.gan.latent_shape)

    def _generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(f"lookup {purpose}", self.config.seed))

    @torch.no_grad()
    def step(self, done: float) -> dict[str, float]:
        first = self.images_seen
        last = min(first + self.config.batch, self.length)
        z = self.gan.latents(last - first, self._generator(str(first)))
        photographs = self.images[first:last]
        if len(photographs):
            z[: len(photographs)] = self.gan.encode(to_unit(photographs.to(z.device)), AdditiveNoise(0.0))
        self.latents[first:last] = z
        self.codes[first:last] = (self.gan.generate(z).flatten(1) - self.mean) @ self.directions.T
        self.images_seen = last
        return {}

    def _tensors(self) -> dict[str, Tensor]:
        shape = self.gan.image_shape
        images = {"mean": self.mean.view(shape), "directions": self.directions.view(-1, *shape)}
        return {**images, "codes": self.codes, "latents": self.latents}

    @torch.no_grad()
    def check(self) -> dict[str, float]:
        """The share of the variance of what is drawn that the directions hold."""
        x = self.gan.generate(self.latents[: min(self.images_seen, SAMPLE)]).flatten(1) - self.mean
        held = (x @ self.directions.T).square().sum() / x.square().sum()
        return {"held": round(held.item(), 4)}

    def picture(self) -> Tensor:
        return grid(self.gan.generate(self.latents[-64:]).clamp(0, 1).cpu(), 8)

    def state(self) -> dict[str, Any]:
        settings = {**asdict(self.config), "data": len(self.images)}
        own = {name: value.cpu() for name, value in self._tensors().items()}
        return {"config": settings, "images_seen": self.images_seen, **own}

    def load_state(self, state: dict[str, Any]) -> None:
        check_settings({**asdict(self.config), "data": len(self.images)}, state["config"])
        self.images_seen = state["images_seen"]
        self.directions = state["directions"].to(self.mean).flatten(1)
        self.mean = state["mean"].to(self.mean).flatten()
        self.codes, self.latents = state["codes"].to(self.mean), state["latents"].to(self.mean)

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        lookup.save(folder / lookup.FILE, self._tensors(), self.gan)

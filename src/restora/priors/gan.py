"""A GAN as a prior: images are x = G(z), z ~ N(0, I), and log p(x) = logit D(x) + log p_z(z) + const.

The density ratio is the one of Yeh et al., ICASSP 2018, section 2: the optimal discriminator has
D / (1 - D) = p_data / p_G, so log D - log(1 - D), its logit, corrects log p_z towards the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from restora.errors import WeightsError
from restora.networks.dcgan import Discriminator, Generator
from restora.priors.base import Prior
from restora.random import Generators, randn


class GANPrior(Prior):
    """A generator, and optionally its discriminator and an encoder; any `nn.Module` will do.

    generator: latents (B, *latent_shape) -> images (B, C, H, W) in `value_range`.
    discriminator: images in `value_range` -> logits, one an image: (B,) or (B, 1, ...).
    encoder: kept for solvers that can start from a predicted latent.
    The networks are put into evaluation mode and frozen: batch norm uses its stored statistics, so
    no result depends on the batch it was computed in.
    """

    kind = "gan"
    default = "faces64-dcgan"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None = None,
        latent_shape: Sequence[int] = (100,),
        encoder: nn.Module | None = None,
        value_range: tuple[float, float] = (-1.0, 1.0),
    ):
        super().__init__()
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.latent_shape, self.value_range = tuple(latent_shape), value_range
        self.eval().requires_grad_(False)
        shape = self.generate(self.latents(1)).shape
        self.image_shape = (shape[1], shape[2], shape[3])

    def latents(self, n: int, generator: Generators = None) -> Tensor:
        """(n, *latent_shape) drawn from p_z = N(0, I), on the prior's device."""
        parameter = next(self.parameters(), torch.empty(0))
        return randn((n, *self.latent_shape), generator, like=parameter)

    def generate(self, z: Tensor) -> Tensor:
        """(B, *latent_shape) -> images (B, C, H, W) in [0, 1]."""
        low, high = self.value_range
        return (self.generator(z).to(z.dtype) - low) / (high - low)

    def logit(self, x: Tensor) -> Tensor:
        """log D(x) - log(1 - D(x)) of images in [0, 1], shape (B,); zeros without a discriminator."""
        if self.discriminator is None:
            return x.new_zeros(len(x))
        low, high = self.value_range
        return self.discriminator(x * (high - low) + low).to(x.dtype).reshape(len(x))

    @torch.no_grad()
    def sample(self, n: int, generator: Generators = None) -> Tensor:
        """n images drawn from the prior, (n, C, H, W) in [0, 1]."""
        return self.generate(self.latents(n, generator)).clamp(0, 1)

    def config(self) -> dict[str, Any]:
        if not isinstance(self.generator, Generator) or not isinstance(self.discriminator, Discriminator):
            raise WeightsError("only priors made of restora's own DCGAN networks can be stored")
        return {
            "generator": self.generator.config,
            "discriminator": self.discriminator.config,
            "latent_shape": list(self.latent_shape),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GANPrior:
        generator = Generator(**config["generator"])
        discriminator = Discriminator(**config["discriminator"])
        return cls(generator, discriminator, config["latent_shape"])

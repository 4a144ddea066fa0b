"""A GAN as a prior: images are x = G(z), z ~ N(0, I), and log p(x) = logit D(x) + log p_z(z) + const.

An encoder E guesses z from what an observation tells (`restora.priors.evidence`), in one evaluation for any
degradation; and what the image that it finds tells of the true one may have been measured on photographs
(`restora.priors.correction`).

The density ratio is the one of Yeh et al., ICASSP 2018, section 2: the optimal discriminator has
D / (1 - D) = p_data / p_G, so log D - log(1 - D), its logit, corrects log p_z towards the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from restora.degradations import Degradation
from restora.device import fast_bfloat16
from restora.errors import OptionError, WeightsError
from restora.isolation import naming, untouched
from restora.networks.dcgan import Discriminator
from restora.networks.encoder import Encoder
from restora.networks.grey import GreyIn, GreyOut
from restora.networks.stored import build, describe
from restora.networks.styled import Styled
from restora.priors import packing
from restora.priors.base import Prior
from restora.priors.correction import Correction
from restora.priors.evidence import evidence
from restora.random import Generators, randn


class GANPrior(Prior):
    """A generator, and optionally its discriminator and an encoder; each can be any `nn.Module`.

    The networks are put into evaluation mode and frozen. Batch norm uses its stored statistics, so no result
    depends on its batch.

    Args:
        generator: latents (B, *latent_shape) to images (B, C, H, W) in `value_range`, or to a tuple whose
            first item is the images.
        discriminator: images in `value_range` to logits, one per image: (B,) or (B, 1, ...).
        latent_shape: shape of one latent; latents are standard normal.
        value_range: range of the generator's images.
        encoder: evidence (B, 2 C + 1, H, W) to latents (B, *latent_shape).
        correction: what the generator's image of an encoded latent says about the true image.
        mapping: latents (B, d) to the styles that the generator takes, as in StyleGAN; the search is then
            over styles (`restora.networks.styled`).
        image_shape: (C, H, W), if the generator cannot be evaluated yet.
    """

    kind = "gan"
    shipped = ("faces64-dcgan",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None = None,
        latent_shape: Sequence[int] = (100,),
        encoder: nn.Module | None = None,
        value_range: tuple[float, float] = (-1.0, 1.0),
        correction: Correction | None = None,
        mapping: nn.Module | None = None,
        image_shape: Sequence[int] | None = None,
    ):
        super().__init__()
        if mapping is not None:
            with untouched(torch.get_default_dtype()):
                generator = Styled.measure(generator.eval(), mapping.eval(), latent_shape[-1])
            latent_shape = tuple(generator.mean.shape)
        self.correction = correction
        self.generator, self.discriminator, self.encoder = generator, discriminator, encoder
        self.latent_shape, self.value_range = tuple(latent_shape), value_range
        self.eval().requires_grad_(False)
        if image_shape is None:
            with untouched(torch.get_default_dtype()), naming(prior=self):
                image_shape = self.generate(self.latents(1)).shape[1:]
        channels, height, width = image_shape
        self.image_shape = channels, height, width

    def grey(self) -> GANPrior:
        """The means of the channels of the generator's images; the other networks receive equal channels."""
        channels = self.image_shape[0]
        if channels == 1:
            return self
        prior = GANPrior(
            GreyOut(self.generator),
            None if self.discriminator is None else GreyIn(self.discriminator, (channels,)),
            self.latent_shape,
            None if self.encoder is None else GreyIn(self.encoder, (channels, channels, 1)),
            self.value_range,
            None if self.correction is None else self.correction.grey(),
        )
        prior.name, prior.card = self.name, self.card
        return prior

    def latents(self, n: int, generator: Generators = None) -> Tensor:
        """Draw latents (n, *latent_shape) from p_z = N(0, I), on the prior's device."""
        parameter = next(self.parameters(), torch.empty(0))
        return randn((n, *self.latent_shape), generator, like=parameter)

    def generate(self, z: Tensor) -> Tensor:
        """Latents (B, *latent_shape) to images (B, C, H, W) in [0, 1]."""
        found = self.generator(z)
        return self.to_image((found[0] if isinstance(found, tuple | list) else found).to(z.dtype))

    def to_image(self, generated: Tensor) -> Tensor:
        """Convert the generator's output from `value_range` to [0, 1]."""
        low, high = self.value_range
        return (generated - low) / (high - low)

    def logit(self, x: Tensor) -> Tensor:
        """log D(x) - log(1 - D(x)) of images in [0, 1], shape (B,); zeros without a discriminator."""
        if self.discriminator is None:
            return x.new_zeros(len(x))
        low, high = self.value_range
        return self.discriminator(x * (high - low) + low).to(x.dtype).reshape(len(x))

    def encode(self, y: Tensor, degradation: Degradation) -> Tensor:
        """Predict the latents of observations y (B, ...) with the encoder: (B, *latent_shape)."""
        if self.encoder is None:
            raise OptionError(f"prior {self.name!r} has no encoder; train one with 'restora train encoder'")
        seen = evidence(y, degradation, self.image_shape)
        half = isinstance(self.encoder, Encoder) and fast_bfloat16(y.device)
        with torch.autocast(y.device.type, torch.bfloat16, enabled=half):
            z = self.encoder(seen)
        return z.to(y.dtype).view(-1, *self.latent_shape)

    @torch.no_grad()
    def sample(self, n: int, generator: Generators = None) -> Tensor:
        """Draw n images from the prior, (n, C, H, W) in [0, 1]."""
        return self.generate(self.latents(n, generator)).clamp(0, 1)

    def pack(self) -> dict[str, Tensor]:
        """The networks in half precision, and the packed correction."""
        if self.correction is None:
            return super().pack()
        networks = {k: v for k, v in super().pack().items() if not k.startswith("correction.")}
        return networks | packing.join(correction=self.correction.pack())

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        networks = packing.floats({k: v for k, v in tensors.items() if not k.startswith("correction.")})
        if self.correction is not None:
            self.correction.unpack(packing.part(tensors, "correction"))
            networks |= {f"correction.{k}": v for k, v in self.correction.state_dict().items()}
        self.load_state_dict(networks)

    def config(self) -> dict[str, Any]:
        if not isinstance(self.discriminator, Discriminator | None):
            raise WeightsError("only restora's own Discriminator can be stored")
        if not isinstance(self.encoder, Encoder | None):
            raise WeightsError("only restora's own Encoder can be stored")
        return {
            "generator": describe(self.generator),
            "discriminator": self.discriminator.config if self.discriminator else None,
            "latent_shape": list(self.latent_shape),
            "encoder": self.encoder.config if self.encoder else None,
            "correction": self.correction.config() if self.correction else None,
            "value_range": list(self.value_range),
            "shape": list(self.image_shape),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GANPrior:
        encoder, correction = config.get("encoder"), config.get("correction")
        low, high = config.get("value_range", (-1.0, 1.0))
        return cls(
            build(config["generator"], "dcgan"),
            Discriminator(**config["discriminator"]) if config["discriminator"] else None,
            config["latent_shape"],
            Encoder(**encoder) if encoder else None,
            (low, high),
            Correction.from_config(correction) if correction else None,
            image_shape=config.get("shape"),
        )

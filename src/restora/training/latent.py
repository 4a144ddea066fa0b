"""What is learnt for a GAN that is trained already: the settings that say which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from restora.errors import OptionError
from restora.options import option
from restora.priors import store
from restora.priors.gan import GANPrior
from restora.training.settings import CROP, Settings


@dataclass(frozen=True)
class LatentConfig(Settings):
    """Images have the GAN's size and channels. OptionError for a prior that is no GAN."""

    prior: str = option("faces64-dcgan", "the GAN, by name or folder")
    crop: bool = option(False, CROP)

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.gan is not None  # a wrong one is refused before anything is written

    @cached_property
    def gan(self) -> GANPrior:
        prior = store.load(self.prior)
        if not isinstance(prior, GANPrior):
            raise OptionError(f"expected a GAN, got {self.prior}, a {type(prior).__name__}", "prior")
        return prior

    @property
    def size(self) -> int:
        return self.gan.image_shape[-1]

    @property
    def channels(self) -> int:
        return self.gan.image_shape[0]

"""Noise models p(y | u): the random part of the damage. CONTRIBUTING.md shows how to add one."""

from restora.noise.base import Noise, StandIn
from restora.noise.gaussian import GaussianNoise
from restora.noise.impulse import ImpulseNoise
from restora.noise.jpeg import BlockRounding
from restora.noise.level import estimate_sigma
from restora.noise.poisson import PoissonNoise
from restora.noise.rounding import Rounding
from restora.registry import Registry

noises: Registry[type[Noise]] = Registry("noise", "restora.noises")
noises.register("gaussian", GaussianNoise)
noises.register("poisson", PoissonNoise)
noises.register("rounding", Rounding)
noises.register("jpeg", BlockRounding)
noises.register("impulse", ImpulseNoise)

__all__ = [
    "BlockRounding",
    "GaussianNoise",
    "ImpulseNoise",
    "Noise",
    "PoissonNoise",
    "Rounding",
    "StandIn",
    "estimate_sigma",
    "noises",
]

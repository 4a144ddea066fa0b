"""Degradations: pairs of an operator and a noise model. CONTRIBUTING.md shows how to add one."""

from restora.degradations.base import Degradation, system_of
from restora.degradations.blur import Blur
from restora.degradations.chain import Chain
from restora.degradations.general import LinearDegradation, from_physics
from restora.degradations.linear import lmmse, whitened
from restora.degradations.mask import Mask
from restora.degradations.stacked import Stacked
from restora.degradations.task import NamedDegradation
from restora.degradations.tasks import (
    JPEG,
    AdditiveNoise,
    Demosaic,
    Downsample,
    Grayscale,
    Impulse,
    Poisson,
    Quantize,
)
from restora.noise.level import estimate_sigma
from restora.registry import Registry

degradations: Registry[type[NamedDegradation]] = Registry("task", "restora.degradations")
degradations.register("inpaint", Mask)
degradations.register("colorize", Grayscale)
degradations.register("superres", Downsample)
degradations.register("denoise", AdditiveNoise)
degradations.register("dequantize", Quantize)
degradations.register("deblur", Blur)
degradations.register("poisson", Poisson)
degradations.register("impulse", Impulse)
degradations.register("jpeg", JPEG)
degradations.register("demosaic", Demosaic)

__all__ = [
    "JPEG",
    "AdditiveNoise",
    "Blur",
    "Chain",
    "Degradation",
    "Demosaic",
    "Downsample",
    "Grayscale",
    "Impulse",
    "LinearDegradation",
    "Mask",
    "NamedDegradation",
    "Poisson",
    "Quantize",
    "Stacked",
    "degradations",
    "estimate_sigma",
    "from_physics",
    "lmmse",
    "system_of",
    "whitened",
]

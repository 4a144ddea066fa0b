"""y = A(x) + e: the degradations. One file and one `register` line each."""

from restora.degradations.base import Degradation, option
from restora.degradations.blur import Blur
from restora.degradations.chain import Chain
from restora.degradations.downsample import Downsample
from restora.degradations.grayscale import Grayscale
from restora.degradations.impulse import Impulse
from restora.degradations.jpeg import JPEG
from restora.degradations.linear import LinearDegradation
from restora.degradations.mask import Mask
from restora.degradations.noise import AdditiveNoise, UnknownNoise
from restora.degradations.noise_level import estimate_sigma
from restora.degradations.poisson import Poisson
from restora.degradations.quantize import Quantize
from restora.registry import Registry

degradations: Registry[type[Degradation]] = Registry("task")
degradations.register("inpaint", Mask)
degradations.register("colorize", Grayscale)
degradations.register("superres", Downsample)
degradations.register("denoise", AdditiveNoise)
degradations.register("dequantize", Quantize)
degradations.register("deblur", Blur)
degradations.register("poisson", Poisson)
degradations.register("impulse", Impulse)
degradations.register("jpeg", JPEG)

__all__ = [
    "JPEG",
    "AdditiveNoise",
    "Blur",
    "Chain",
    "Degradation",
    "Downsample",
    "Grayscale",
    "Impulse",
    "LinearDegradation",
    "Mask",
    "Poisson",
    "Quantize",
    "UnknownNoise",
    "degradations",
    "estimate_sigma",
    "option",
]

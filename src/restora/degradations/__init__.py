"""y = A(x) + e: the degradations. One file and one `register` line each."""

from restora.degradations.base import Degradation, option
from restora.degradations.blur import Blur
from restora.degradations.downsample import Downsample
from restora.degradations.grayscale import Grayscale
from restora.degradations.linear import LinearDegradation
from restora.degradations.mask import Mask
from restora.degradations.noise import AdditiveNoise
from restora.degradations.quantize import Quantize
from restora.registry import Registry

degradations: Registry[type[Degradation]] = Registry("task")
degradations.register("inpaint", Mask)
degradations.register("colorize", Grayscale)
degradations.register("superres", Downsample)
degradations.register("denoise", AdditiveNoise)
degradations.register("dequantize", Quantize)
degradations.register("deblur", Blur)


def task_name(degradation: Degradation) -> str:
    """The task that the degradation is registered as, or the name of its class."""
    return next((name for name, cls in degradations if cls is type(degradation)), type(degradation).__name__)


__all__ = [
    "AdditiveNoise",
    "Blur",
    "Degradation",
    "Downsample",
    "Grayscale",
    "LinearDegradation",
    "Mask",
    "Quantize",
    "degradations",
    "option",
    "task_name",
]

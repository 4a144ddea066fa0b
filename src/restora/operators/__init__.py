"""Operators: the deterministic part of the damage. CONTRIBUTING.md shows how to add one."""

from restora.operators.base import Operator
from restora.operators.coefficients import Coefficients
from restora.operators.composition import Compose, compose
from restora.operators.convolution import Convolution
from restora.operators.fourier import FourierMask
from restora.operators.function import Function
from restora.operators.gain import Gain
from restora.operators.identity import Identity
from restora.operators.jacobian import Jacobian
from restora.operators.luma import Luma, Maximum
from restora.operators.masking import Masking
from restora.operators.matrix import Matrix
from restora.operators.mosaic import Mosaic
from restora.operators.radon import Radon
from restora.operators.reduction import Reduction
from restora.operators.stack import Stack
from restora.registry import Registry

operators: Registry[type[Operator]] = Registry("operator", "restora.operators")
operators.register("identity", Identity)
operators.register("mask", Masking)
operators.register("luma", Luma)
operators.register("maximum", Maximum)
operators.register("reduction", Reduction)
operators.register("convolution", Convolution)
operators.register("mosaic", Mosaic)
operators.register("fourier-mask", FourierMask)
operators.register("radon", Radon)
operators.register("gain", Gain)
operators.register("coefficients", Coefficients)
operators.register("matrix", Matrix)
operators.register("function", Function)
operators.register("compose", Compose)
operators.register("stack", Stack)

__all__ = [
    "Coefficients",
    "Compose",
    "Convolution",
    "FourierMask",
    "Function",
    "Gain",
    "Identity",
    "Jacobian",
    "Luma",
    "Masking",
    "Matrix",
    "Maximum",
    "Mosaic",
    "Operator",
    "Radon",
    "Reduction",
    "Stack",
    "compose",
    "operators",
]

"""Blur by a kernel that has a form, or was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from restora.degradations.task import NamedDegradation, sigma, uniform
from restora.noise import GaussianNoise, Noise
from restora.operators import Convolution, Operator, convolution
from restora.operators.base import Shape
from restora.options import option
from restora.pictures.kernel import read_kernel


@dataclass(eq=False)
class Blur(NamedDegradation):
    """Convolution of every channel with a kernel of sum 1, or with a kernel from a file.

    Raises:
        ShapeError: for a kernel larger than the image.
        OptionError: for a file that is not a kernel.
    """

    purpose: ClassVar = "sharpen images that are out of focus or blurred by motion"
    synonyms: ClassVar = (
        "blur, blurry, blurred, unblur, sharpen, sharpness, motion, shake, out of focus, deconvolution"
    )

    kernel: Literal["gaussian", "motion"] = option(
        "gaussian", "gaussian (see width) or motion (see length and angle)", label="Kind of blur"
    )
    width: float = option(
        1.6, "standard deviation of the gaussian, in pixels", 0.1, 100, label="Width of the blur", found=True
    )
    length: float = option(9.0, "length of the motion, in pixels", 1, 1000, label="Length of the motion")
    angle: float = option(
        0.0,
        "direction of the motion, in degrees anticlockwise from horizontal",
        -360,
        360,
        label="Direction of the motion",
    )
    psf: str = option(
        "",
        "file of a measured kernel, instead of kernel: a picture, scaled to sum 1, or a .npy file",
        file=True,
    )
    boundary: convolution.Boundary = option(
        "reflect", "what lies beyond the border: the mirrored or the repeated image"
    )
    sigma: float = sigma(0.01, "Noise left in it")

    def parts(self) -> tuple[Operator, Noise]:
        return Convolution(self._taps().float(), self.boundary), GaussianNoise(self.sigma)

    def _taps(self) -> Tensor:
        if self.psf:
            return read_kernel(self.psf)
        if self.kernel == "gaussian":
            return convolution.gaussian(self.width)
        return convolution.motion(self.length, self.angle)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Blur:
        side, sigma = min(image_shape[1:]), 10 ** uniform(-2.5, -1, generator)
        if uniform(0, 1, generator) < 0.5:
            return cls(width=uniform(0.5, min(3.0, side / 12), generator), sigma=sigma)
        length, angle = uniform(1, min(15.0, side / 3), generator), uniform(-90, 90, generator)
        return cls("motion", length=length, angle=angle, sigma=sigma)

"""The tasks: each a name, options, and the operator and the noise that they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from restora.degradations.task import SIGMA, NamedDegradation, one_of, sigma, uniform
from restora.noise import BlockRounding, GaussianNoise, ImpulseNoise, Noise, PoissonNoise, Rounding
from restora.noise.rounding import Distance
from restora.operators import Identity, Luma, Maximum, Mosaic, Operator, Reduction, codec
from restora.operators.base import Shape
from restora.operators.mosaic import Pattern
from restora.operators.resize import Kernel
from restora.options import option
from restora.pictures.file import File
from restora.pictures.jpeg import jpeg_header


@dataclass(eq=False)
class Grayscale(NamedDegradation):
    """RGB (B, 3, H, W) to grey (B, 1, H, W).

    Colours can only be restored by a prior that knows the objects in the image, such as faces of 64x64.
    `natural` was trained on 64x64 crops of photographs, and its colours are faint and brownish: 22.2 dB on
    seven photographs, as much as the grey image itself.

    Raises:
        ShapeError: for images without three channels.
    """

    purpose: ClassVar = "add colour to grey images (faces only)"
    synonyms: ClassVar = (
        "colourise, colour, color, black and white, bw, grey, gray, greyscale, monochrome, sepia, faded"
    )

    grey: Literal["luma", "value"] = option(
        "luma", "how grey is computed: BT.601 luma, or the largest channel (V of HSV)"
    )
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Luma() if self.grey == "luma" else Maximum(), GaussianNoise(self.sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Grayscale:
        return cls(one_of(("luma", "luma", "luma", "value"), generator))


@dataclass(eq=False)
class Downsample(NamedDegradation):
    """Reduction by `scale`: (B, C, H, W) to (B, C, H/scale, W/scale).

    Raises:
        ShapeError: unless `scale` divides both sides.
    """

    purpose: ClassVar = "enlarge images that are too small"
    synonyms: ClassVar = (
        "super resolution, sr, low resolution, upscale, upsample, enlarge, zoom, resize, bigger, small, "
        "pixelated, tiny"
    )

    scale: int = option(4, "upscaling factor for each side", 1, 1024, label="How many times larger")
    kernel: Kernel = option("box", "how it was reduced: box, bicubic (antialiased) or gaussian")
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Reduction(self.scale, self.kernel), GaussianNoise(self.sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Downsample:
        fitting = [scale for scale in (2, 3, 4, 8) if not any(side % scale for side in image_shape[1:])]
        return cls(
            one_of(fitting or [1], generator), one_of(("box", "box", "bicubic", "gaussian"), generator)
        )


@dataclass(eq=False)
class AdditiveNoise(NamedDegradation):
    """White Gaussian noise with standard deviation `sigma`.

    "auto" estimates the noise of each image. For a single image that is large enough, it also estimates how
    the noise depends on brightness and how it is correlated between channels (`restora.noise.level`). For a
    batch of several images, it estimates the level only.
    """

    purpose: ClassVar = "remove noise or grain"
    synonyms: ClassVar = "noise, noisy, grain, grainy, high iso"

    unknown: ClassVar[dict[str, Any]] = {"sigma": "auto"}

    sigma: float | Literal["auto"] = option(
        0.1, f"{SIGMA}; auto measures it in each image (the default of restore)", 0, 1, label="Strength"
    )

    def parts(self) -> tuple[Operator, Noise]:
        return Identity(), GaussianNoise(self.sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> AdditiveNoise:
        return cls(10 ** uniform(-1.7, -0.4, generator))


@dataclass(eq=False)
class Quantize(NamedDegradation):
    """Rounding to the nearest of `levels` equal steps in [0, 1], per channel; `sigma`: noise before the
    rounding."""

    purpose: ClassVar = "smooth the banding of images with too few levels"
    synonyms: ClassVar = "quantise, quantized, banding, bands, posterised, bit depth, few levels"

    levels: int = option(
        5, "evenly spaced levels per channel, 0 to 1", 2, 65536, label="Shades of each colour", found=True
    )
    distance: Distance = option("cell", "misfit: distance to the level's cell, or to the level (Yeh et al.)")
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Identity(), Rounding(self.levels, self.distance, self.sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Quantize:
        return cls(one_of(range(2, 17), generator))


@dataclass(eq=False)
class Demosaic(NamedDegradation):
    """RGB (B, 3, H, W) to the raw values of a Bayer sensor (B, 1, H, W); no tone curve is applied."""

    purpose: ClassVar = "turn a camera's raw mosaic into a colour picture"
    synonyms: ClassVar = "demosaicing, debayer, bayer, raw, colour filter array, cfa, mosaic, sensor"

    pattern: Pattern = option("RGGB", "colours of the first two pixels of the first row, then of the second")
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Mosaic(self.pattern), GaussianNoise(self.sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Demosaic:
        return cls(one_of(get_args(Pattern), generator))


@dataclass(eq=False)
class Poisson(NamedDegradation):
    """Photon noise, plus Gaussian read-out noise with standard deviation `sigma`."""

    purpose: ClassVar = "remove photon noise (low light)"
    synonyms: ClassVar = "photons, shot noise, low light, dark, dim"

    peak: float = option(30.0, "photons counted for a white value", 1, 1e6, label="Light that white received")
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Identity(), PoissonNoise(self.peak, self.sigma)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Poisson:
        return cls(10 ** uniform(0.7, 3, generator), sigma=uniform(0, 0.05, generator))


@dataclass(eq=False)
class Impulse(NamedDegradation):
    """Salt and pepper: a fraction `share` of the pixels becomes 0 or 1 in all channels.

    Pixels that are 0 or 1 in the clean image also count as hit.
    """

    purpose: ClassVar = "remove salt and pepper, and dead pixels"
    synonyms: ClassVar = "salt and pepper, dead pixels, hot pixels, outliers, specks, dust"

    share: float = option(0.1, "fraction of the pixels that are hit", 0, 0.99, label="Share of bad pixels")
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Identity(), ImpulseNoise(self.share, self.sigma)


@dataclass(eq=False)
class JPEG(NamedDegradation):
    """JPEG compression and decoding; see `restora.noise.BlockRounding`.

    `tables` are the quantisation tables of a file, (1 or B, 2, 8, 8) for luma and chroma, whole numbers.
    Without them, `quality` determines the tables.
    """

    purpose: ClassVar = "remove JPEG blocks and ringing"
    synonyms: ClassVar = "jpg, artefacts, artifact, compression, compressed, blocks, blocky, deblock"
    unknown: ClassVar[dict[str, Any]] = {"quality": "auto"}

    quality: int = option(10, "JPEG quality, from 1 (worst) to 100", 1, 100, found=True)
    subsampling: codec.Subsampling = option(
        "4:2:0", "chroma subsampling: 4:2:0 (2x2 pixels share a value), 4:2:2 (1x2) or 4:4:4 (none)"
    )
    tables: Tensor = field(
        default_factory=lambda: torch.empty(0, 2, codec.BLOCK, codec.BLOCK),
        repr=False,
        metadata={
            "help": "the file's own, in place of those of the quality",
            "per_image": True,
            "from_file": True,
        },
    )
    sigma: float = sigma()

    def parts(self) -> tuple[Operator, Noise]:
        return Identity(), BlockRounding(self.quality, self.subsampling, self.sigma, self.tables)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> JPEG:
        quality = round(5 * 19 ** uniform(0, 1, generator))
        return cls(quality, one_of(("4:2:0", "4:2:0", "4:4:4"), generator))

    @classmethod
    def of_file(cls, path: Path | File) -> dict[str, Any]:
        """The tables and the subsampling of a JPEG file; of another file nothing."""
        header = jpeg_header(path)
        if header is None:
            return {}
        tables, subsampling = header
        return {
            "tables": torch.tensor(tables).float().view(1, 2, codec.BLOCK, codec.BLOCK),
            "subsampling": subsampling,
        }

"""Denoisers of scikit-image, which know how strong the noise is.

    y = x + e,   e white, of standard deviation s;   quantisation is noise of variance step^2 / 12

Photon noise is first made white, and then taken back (`restora.noise.anscombe`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restora.degradations import Degradation
from restora.options import Auto, chosen, option
from restora.priors.base import Prior
from restora.solvers.admm import tuned
from restora.solvers.classical import Reference
from restora.solvers.kind import kind

Array = NDArray[Any]
Basis = Literal["db1", "db2", "sym4"]


@dataclass(frozen=True)
class Denoiser(Reference):
    """Of A = I: a subclass removes white noise. What it finds of a quantiser is held to the cells."""

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return kind(degradation) in ("gaussian", "poisson", "rounding")

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        stabilizer = degradation.noise.stabilizer
        if stabilizer is not None:
            z = self._clean(stabilizer.forward(y), degradation, stabilizer.deviation)
            return stabilizer.inverse(z)
        model, centre = degradation.gaussian(y, y)
        return degradation.project(self._clean(centre, degradation, model.sigma), y)

    def denoise(self, image: Array, noise: float) -> Array:
        """An image (C, H, W), about in [0, 1], without its white noise of this standard deviation > 0."""
        raise NotImplementedError

    def settled(self, degradation: Degradation) -> Self:
        """This solver with a value in the place of every one to be the best."""
        return self

    def _clean(self, y: Tensor, degradation: Degradation, noise: float) -> Tensor:
        if noise == 0:
            return y
        solver = self.settled(degradation)
        return each(y, lambda image: solver.denoise(image, noise))


@dataclass(frozen=True)
class Wavelet(Denoiser):
    """Wavelet shrinkage, one threshold per band (BayesShrink; Chang, Yu and Vetterli, IEEE TIP 2000).

    Colours as YCbCr. `db2` is the best of db1, db2 and sym4 on five photos, with noise of 0.1 and 5 levels.
    """

    packages: ClassVar[tuple[str, ...]] = ("pywt",)

    wavelet: Basis = option("db2", "wavelet, by its PyWavelets name (db1 is Haar)")

    def denoise(self, image: Array, noise: float) -> Array:
        from skimage.restoration import denoise_wavelet

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an image that is shorter than the wavelet
            return denoise_wavelet(
                image,
                sigma=noise,
                wavelet=self.wavelet,
                mode="soft",
                method="BayesShrink",
                convert2ycbcr=len(image) == 3,
                rescale_sigma=True,
                channel_axis=0,
            )


@dataclass(frozen=True)
class NonLocal(Denoiser):
    """What non-local means share: `best` is the strength for noise, and that for rounding."""

    best: ClassVar[tuple[float, float]]

    strength: float | Auto = tuned("filter strength h, in standard deviations of the noise", above=0)

    def settled(self, degradation: Degradation) -> Self:
        if self.strength != "auto":
            return self
        return replace(self, strength=self.best[kind(degradation) == "rounding"])


@dataclass(frozen=True)
class NLMeans(NonLocal):
    """Non-local means (Buades, Coll and Morel 2005; fast: Darbon et al. 2008).

    Its settings are the best on five photos, with noise of 0.1 and 5 levels.
    """

    best: ClassVar[tuple[float, float]] = (0.55, 0.85)

    patch: int = option(5, "side of a patch in pixels, odd", 1)
    distance: int = option(6, "search radius for similar patches, in pixels", 1)

    def denoise(self, image: Array, noise: float) -> Array:
        from skimage.restoration import denoise_nl_means

        pixels = image.transpose(1, 2, 0)
        found = denoise_nl_means(
            pixels,
            patch_size=self.patch,
            patch_distance=self.distance,
            h=chosen(self.strength) * noise,
            sigma=noise,
            fast_mode=True,
            channel_axis=-1,
        )
        return found.reshape(pixels.shape).transpose(2, 0, 1)  # it drops axes of one


def each(y: Tensor, work: Callable[[Array], Array]) -> Tensor:
    """`work` on one image (C, H, W) after the other."""
    found = [torch.from_numpy(np.ascontiguousarray(work(image))) for image in y.cpu().numpy()]
    return torch.stack(found).to(y)

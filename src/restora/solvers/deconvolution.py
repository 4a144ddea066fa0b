"""Deconvolution by scikit-image.

    Richardson-Lucy   x <- x k^T * (y / (k * x)),   from x = 1/2; the earlier it stops, the smoother
    Wiener            x = F^H conj(K) / (|K|^2 + b |L|^2) F y,   K and L the transforms of k and a Laplacian

Richardson-Lucy takes an image to be black beyond its border, Wiener's filter to be repeated there. So it is
first continued as the blur continues it, which is exact for a kernel like its mirror image; of a motion, what
is wrong beyond the border comes back as waves, and the settings have to be more careful.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, Self

import numpy as np
from torch import Tensor

from restora.degradations import Degradation
from restora.noise.rounding import LEAST
from restora.operators import Convolution
from restora.options import Auto, chosen
from restora.priors.base import Prior
from restora.solvers.admm import tuned
from restora.solvers.classical import Reference
from restora.solvers.denoisers import Array, each

MARGIN = 3  # widths of the kernel


@dataclass(frozen=True)
class Deconvolution(Reference):
    """Of a blur: a subclass sharpens one channel. `best` has the best of its one setting for each kernel, on
    parts of five photos, noise of 0.01, a Gaussian of 1.6 pixels and a motion of 9."""

    best: ClassVar[Mapping[str, float]]
    periodic: ClassVar[bool] = False

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return isinstance(degradation.operator, Convolution) and degradation.operator.shared

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        assert degradation.operator.kernel is not None
        kernel = degradation.operator.kernel.cpu().double().numpy()
        kernel = np.pad(kernel, [(0, 1 - side % 2) for side in kernel.shape])  # centre: the middle
        solver, noise = self.settled(kernel), max(degradation.sigma, LEAST)
        circular = getattr(degradation.operator, "boundary", "reflect") == "circular"
        mode: Literal["wrap", "reflect"] = "wrap" if circular else "reflect"
        margin = 0 if mode == "wrap" and self.periodic else MARGIN * len(kernel)

        def sharp(channel: Array) -> Array:
            wide, (height, width) = np.pad(channel.astype(np.float64), margin, mode=mode), channel.shape
            found = solver.sharpen(wide, kernel, noise)
            return found[margin : margin + height, margin : margin + width]

        return each(y, lambda image: np.stack([sharp(channel) for channel in image]))

    def settled(self, kernel: Array) -> Self:
        """This solver with the best value for the kernel, if it was left to it."""
        (name,) = (entry.name for entry in fields(self))
        alike = np.allclose(kernel, kernel.T) and np.allclose(kernel, kernel[::-1])
        best = self.best["round" if alike else "other"]
        return replace(self, **{name: best}) if getattr(self, name) == "auto" else self

    def sharpen(self, channel: Array, kernel: Array, noise: float) -> Array:
        """A channel (H, W), about in [0, 1], without its convolution with the kernel."""
        raise NotImplementedError


@dataclass(frozen=True)
class RichardsonLucy(Deconvolution):
    """Richardson-Lucy deconvolution (Richardson 1972; Lucy 1974), regularised by stopping early."""

    best: ClassVar[Mapping[str, float]] = {"round": 50, "other": 15}

    iterations: int | Auto = tuned("number of iterations; fewer for more noise", low=1)

    def sharpen(self, channel: Array, kernel: Array, noise: float) -> Array:
        from skimage.restoration import richardson_lucy

        return richardson_lucy(channel.clip(0), kernel, chosen(self.iterations), clip=False)


@dataclass(frozen=True)
class WienerDeconvolution(Deconvolution):
    """Wiener deconvolution with a Laplacian prior (Orieux, Giovannelli and Rodet 2010).

    b is `balance` times the variance of the noise.
    """

    best: ClassVar[Mapping[str, float]] = {"round": 30.0, "other": 300.0}
    periodic: ClassVar[bool] = True

    balance: float | Auto = tuned("weight of the Laplacian, for noise of variance 1", above=0)

    def sharpen(self, channel: Array, kernel: Array, noise: float) -> Array:
        from skimage.restoration import wiener

        return wiener(channel, kernel, chosen(self.balance) * noise**2, clip=False)

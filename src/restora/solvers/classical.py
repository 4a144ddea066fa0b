"""What any method has to beat: the observation as it is, and plain interpolation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.degradations import Degradation
from restora.priors.base import Prior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.kind import kind


@dataclass(frozen=True)
class Reference(Solver[Prior | None]):
    """A formula, or a library's answer: one step, of which a subclass says what the image is."""

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        """(B, C, H, W) from the observations."""
        raise NotImplementedError

    def steps(
        self, y: Tensor, degradation: Degradation, prior: Prior | None, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        x = self.image(y, degradation) if degradation.noise.shared else self._each(y, degradation)
        yield Step(1, 1, x, degradation.fidelity(x, y))

    def _each(self, y: Tensor, degradation: Degradation) -> Tensor:
        """One image after the other, where each has noise of its own."""
        rows = torch.arange(len(y), device=y.device).split(1)
        return torch.cat([self.image(y[i], degradation.take(i)) for i in rows])


@dataclass(frozen=True)
class Observed(Reference):
    """The observation itself as an image: black holes, grey in all channels, repeated pixels."""

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        y = degradation.operator.restrict(y)
        shape = degradation.operator.image_shape(tuple(y.shape[1:]))
        if tuple(y.shape[2:]) != tuple(shape[1:]):
            return degradation.A_dagger(y)
        return y.expand(-1, shape[0], -1, -1)


@dataclass(frozen=True)
class Bicubic(Reference):
    """Bicubic interpolation (Keys 1981, a = -1/2), for super-resolution."""

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return kind(degradation) == "reduction"

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        size = list(degradation.operator.image_shape(tuple(y.shape[1:]))[1:])
        return F.interpolate(y, size, mode="bicubic", antialias=True, align_corners=False)


@dataclass(frozen=True)
class Biharmonic(Reference):
    """Biharmonic inpainting, Laplacian^2 x = 0 (Damelin and Hoang 2018), by scikit-image."""

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return degradation.operator.mask is not None

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        from skimage.restoration import inpaint_biharmonic

        mask = degradation.operator.mask
        assert mask is not None
        missing = (mask < 0.5).expand(len(y), -1, -1, -1)[:, 0].cpu().numpy()
        pairs = zip(degradation.operator.restrict(y).cpu().numpy(), missing, strict=True)
        filled = [torch.from_numpy(inpaint_biharmonic(a, hole, channel_axis=0)) for a, hole in pairs]
        return torch.stack(filled).to(y)

"""What any method has to beat: the observation as it is, and plain interpolation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.degradations import Degradation, Downsample, Mask
from restora.priors.base import Prior
from restora.solvers.base import Solver, Step


@dataclass(frozen=True)
class Reference(Solver):
    """A formula, or a library's answer: one step, of which a subclass says what the image is."""

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        """(B, C, H, W) from the observations."""
        raise NotImplementedError

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        generator: Sequence[torch.Generator],
    ) -> Iterator[Step]:
        x = self.image(y, degradation)
        yield Step(1, 1, x, degradation.fidelity(x, y))


@dataclass(frozen=True)
class Observed(Reference):
    """The observation as an image: holes black, grey in all channels, small pixels repeated."""

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        shape = degradation.image_shape(tuple(y.shape[1:]))
        if isinstance(degradation, Mask) or tuple(y.shape[2:]) != tuple(shape[1:]):
            return degradation.A_dagger(y)
        return y.expand(-1, shape[0], -1, -1)


@dataclass(frozen=True)
class Bicubic(Reference):
    """Bicubic enlargement (Keys 1981, a = -1/2), for super-resolution."""

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return isinstance(degradation, Downsample)

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        size = list(degradation.image_shape(tuple(y.shape[1:]))[1:])
        return F.interpolate(y, size, mode="bicubic", antialias=True, align_corners=False)


@dataclass(frozen=True)
class Biharmonic(Reference):
    """The smoothest fill of a hole, Laplacian^2 x = 0 (Damelin and Hoang 2018); scikit-image's."""

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return isinstance(degradation, Mask)

    def image(self, y: Tensor, degradation: Degradation) -> Tensor:
        from skimage.restoration import inpaint_biharmonic

        assert isinstance(degradation, Mask)
        missing = (degradation.mask < 0.5).expand(len(y), -1, -1, -1)[:, 0].cpu().numpy()
        pairs = zip(degradation.A(y).cpu().numpy(), missing, strict=True)
        filled = [torch.from_numpy(inpaint_biharmonic(a, hole, channel_axis=0)) for a, hole in pairs]
        return torch.stack(filled).to(y)

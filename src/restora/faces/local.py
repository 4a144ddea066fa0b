"""A face as an unknown of its own, seen through the degradation of the whole picture.

    x = b + S (g - P b)            b the picture so far, g the aligned face, S and P as `Face` has them
    y ~ p(y | A (b - S P b) + A S g + e),   e ~ N(0, tau^2)

so that the face explains y, and not a crop. What b has that an aligned face cannot show, such as detail
finer than its pixels, stays. e is what the model misses: errors of b outside S. For a linear A all that is
asked of g is linear, with the operator A S; of a window alone, where A can be cut.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from restora import tiles
from restora.degradations import Degradation
from restora.errors import MaskError, PairingError, ShapeError
from restora.faces.face import Face
from restora.noise.gaussian import GaussianNoise
from restora.noise.shifted import Shifted
from restora.operators import compose
from restora.operators.about import About
from restora.operators.warp import Warp
from restora.random import Window

MARGIN = 16  # pixels about a face, or as many as a kernel is wide
ERROR = 0.01  # tau


@dataclass(frozen=True)
class Local:
    """window: of the picture. model: the degradation of images of the window, and `seen` its observation.

    base: P b, (1, C, 64, 64). degradation, y: what the aligned face is restored from.
    """

    window: Window
    spread: Warp
    gather: Warp
    model: Degradation
    seen: Tensor
    base: Tensor
    degradation: Degradation
    y: Tensor

    def put(self, x: Tensor, face: Tensor, share: float = 1.0) -> Tensor:
        """Pictures x (N, C, H, W) with this share of the aligned faces (N, C, 64, 64) in their place, in
        [0, 1] but for what x has beyond; y is explained where the noise leaves no doubt."""
        there = self.window.of(x)
        low, high = there.clamp(max=0), there.clamp(min=1)
        mixed = (there + share * self.spread(face - self.gather(there))).clamp(low, high)
        found = x.clone()
        self.window.of(found).copy_(self._explained(mixed, there).clamp(low, high))
        return found

    def misfit(self, x: Tensor) -> float:
        """Root mean square of y - A x in the window, or what the noise has in its place."""
        squared = self.model.fidelity(self.window.of(x), self.seen)
        return (squared / self.seen[0].numel()).sqrt().item()

    def _explained(self, x: Tensor, before: Tensor) -> Tensor:
        operator, noise = self.model.operator, self.model.noise
        if not noise.linear:
            return self.model.project(x, self.seen.expand(len(x), *self.seen.shape[1:]))
        if noise.level > 0 or not operator.linear:
            return x
        if operator.mask is not None:
            return torch.where(operator.mask.to(x) > 0, before, x)
        if operator.gram is None:
            return x
        return x + operator.pseudo_inverse(operator(before) - operator(x))


def local(degradation: Degradation, y: Tensor, b: Tensor, face: Face, error: float = ERROR) -> Local:
    """For one observation y (1, ...) of the picture that is b (1, C, H, W) so far."""
    window, model, seen = _cut(degradation, y, face, (b.shape[-2], b.shape[-1]))
    spread, gather = face.spread(window), face.gather(window)
    base = gather(window.of(b))
    rest = b.clone()
    window.of(rest).sub_(spread(base))
    offset = degradation.A(rest)
    if model is not degradation:
        offset = degradation.operator.window(window, offset, (b.shape[-2], b.shape[-1]))[1]
    operator, noise = model.operator, model.noise
    own = compose(spread, operator if operator.linear else About(operator, window.of(rest)))
    if isinstance(noise, GaussianNoise):
        left = operator.restrict(seen) - operator.restrict(offset)
        return Local(window, spread, gather, model, seen, base, Degradation(own, noise.wider(error)), left)
    shifted = Degradation(own, Shifted(noise, offset, error))
    return Local(window, spread, gather, model, seen, base, shifted, seen)


def _cut(
    degradation: Degradation, y: Tensor, face: Face, size: tuple[int, int]
) -> tuple[Window, Degradation, Tensor]:
    """The window of a face, as large as what it does to y asks for; the whole, where A cannot be cut."""
    kernel = degradation.operator.kernel
    grain = tiles.grain(degradation)
    margin = max(MARGIN, grain, 0 if kernel is None else max(kernel.shape[-2:]))
    window = face.window(size, margin, math.lcm(grain, 2))
    with contextlib.suppress(PairingError, MaskError, ShapeError):
        return (window, *tiles.cut(degradation, window, y, size))
    return Window(0, 0, *size), degradation, y

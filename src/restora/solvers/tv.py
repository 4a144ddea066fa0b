"""Total variation: an image has few edges.

    R(x) = sum_i h(|grad x|_i),   |grad x|_i^2 = sum over channels and both directions of the differences^2
    h(m) = m,  or with `rounding` = delta > 0:  m^2 / (2 delta) below delta and m - delta/2 above (Huber)

It is isotropic, and the channels share their edges (Blomgren and Chan 1998). The rounding lets an image be
smooth rather than flat; 0 is total variation as it was (Rudin, Osher and Fatemi 1992). The proximal operator
splits d = grad z and takes one step of ADMM a call, its linear system solved in the cosine basis:

    z <- (I + mu grad^T grad)^-1 (v + mu grad^T (d - e)),   d <- shrink(grad z + e),   e <- e + grad z - d

so that the calls of the outer ADMM, together, are one ADMM with the two constraints x = z and d = grad z.
Of JPEG, the Gaussian that stands for it is too rough for its minimum to be worth reaching: 20 iterations are
best. Source: Afonso, Bioucas-Dias and Figueiredo, IEEE TIP 2011.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.gaussian.cosine import cosines
from restora.options import Auto, chosen
from restora.priors.base import Prior
from restora.random import generators
from restora.solvers.admm import ADMM, Regularizer, Settings, tuned
from restora.solvers.kind import OTHER, kind

COUPLING = 2.0
BEGUN = {"mask": 150, "convolution": 30, "jpeg": 20}  # iterations for a start, else 100
USUAL: Settings = {"iterations": 1000, "tolerance": 1e-4}  # where the table leaves them out


@dataclass(frozen=True)
class TV(ADMM):
    """Total variation (Huber-smoothed). No learnt prior, any size, any channels."""

    best: ClassVar[Mapping[str, Settings]] = {
        "mask": {"weight": 4.0, "penalty": 1.0, "rounding": 0.1},
        "reduction": {"weight": 4.0, "penalty": 1.0, "rounding": 0.3},
        "gaussian": {"weight": 1.15, "penalty": 1.0, "rounding": 0.0},
        "rounding": {"weight": 2.3, "penalty": 1.0, "rounding": 0.05},
        "jpeg": {"weight": 0.2, "penalty": 1.0, "rounding": 0.05, "iterations": 20, "tolerance": 0.0},
        "convolution": {"weight": 0.15, "penalty": 0.1, "rounding": 0.05, "tolerance": 1e-3},
        OTHER: {"weight": 0.3, "penalty": 0.1, "rounding": 0.05, "tolerance": 1e-3},
    }

    iterations: int | Auto = tuned("maximum number of iterations", low=1)
    tolerance: float | Auto = tuned(
        "relative change per iteration at which it stops; 0: run all iterations", low=0
    )
    rounding: float | Auto = tuned(
        "Huber threshold delta: smaller differences are penalised quadratically; 0: plain TV", low=0
    )

    @property
    def precision(self) -> float | None:
        return chosen(self.tolerance) or None

    def settled(self, degradation: Degradation) -> TV:
        found = super().settled(degradation)
        return replace(found, **{k: v for k, v in USUAL.items() if getattr(found, k) == "auto"})

    def regularizer(self, start: Tensor, prior: Prior | None) -> Regularizer:
        return TotalVariation(start, chosen(self.rounding))


class TotalVariation:
    """R, with its split for images like `start`. `prox` is one warm step; at one v the calls converge."""

    def __init__(self, start: Tensor, rounding: float = 0.0, coupling: float = COUPLING):
        self.rounding, self.coupling = rounding, coupling
        self.d = gradient(start)
        self.e = torch.zeros_like(self.d)
        height, width = start.shape[-2:]
        self.down, self.across = cosines(height, start), cosines(width, start)
        laplacian = frequencies(height).view(-1, 1) + frequencies(width)
        self.inverse = (1 / (1 + coupling * laplacian)).to(start)

    def value(self, x: Tensor) -> Tensor:
        m, delta = magnitude(gradient(x)), self.rounding
        if delta > 0:
            m = torch.where(m < delta, m.square() / (2 * delta), m - delta / 2)
        return m.flatten(1).sum(1)

    def prox(self, v: Tensor, step: float) -> Tensor:
        right = v + self.coupling * gradient_adjoint(self.d - self.e)
        spectrum = self.inverse * (self.down @ right @ self.across.T)
        z = self.down.T @ spectrum @ self.across
        target = gradient(z) + self.e
        threshold = step / self.coupling
        excess = magnitude(target).clamp(min=threshold + self.rounding)
        self.d = target * (1 - threshold / excess)
        self.e = target - self.d
        return z


def gradient(x: Tensor) -> Tensor:
    """Differences to the pixel below and to the right, 0 at the border: (B, C, H, W) -> (B, 2, C, H, W)."""
    d = x.new_zeros(len(x), 2, *x.shape[1:])
    torch.sub(x[..., 1:, :], x[..., :-1, :], out=d[:, 0, :, :-1])
    torch.sub(x[..., 1:], x[..., :-1], out=d[:, 1, :, :, :-1])
    return d


def gradient_adjoint(d: Tensor) -> Tensor:
    """The transpose of `gradient`: (B, 2, C, H, W) -> (B, C, H, W)."""
    down, across = d[:, 0, :, :-1], d[:, 1, :, :, :-1]
    x = torch.zeros_like(d[:, 0])
    x[..., 1:, :] += down
    x[..., :-1, :] -= down
    x[..., 1:] += across
    x[..., :-1] -= across
    return x


def magnitude(d: Tensor) -> Tensor:
    """|d| over directions and channels, (B, 1, 1, H, W)."""
    return d.square().sum((1, 2), keepdim=True).sqrt()


def frequencies(size: int) -> Tensor:
    """Eigenvalues of the second difference with free ends, on the cosine basis: 2 - 2 cos(pi k / N)."""
    return 2 - 2 * torch.cos(math.pi * torch.arange(size, dtype=torch.float64) / size)


def tv_start(y: Tensor, degradation: Degradation) -> Tensor:
    """Where methods start that are not convex, and whose patches see no farther than themselves: y, if it is
    an image in full, else about the image of least total variation that explains it."""
    if kind(degradation) in ("gaussian", "rounding"):
        return y
    solver = TV(iterations=BEGUN.get(kind(degradation), 100), tolerance=0)
    *_, last = solver.steps(y, degradation, None, generators(0, len(y)))
    return last.x

"""Low rank: the patches of an image span few directions.

    R(x) = sum_{i > r} sigma_i(P x)   the truncated nuclear norm

P x (C p p, n) has all n overlapping patches of x as its columns: a patch-wise Hankel matrix, of low rank
where the image is smooth or repeats itself. The r largest singular values, which carry the image, cost
nothing. The proximal operator splits M = P z and takes one step of ADMM a call, P^T P being diagonal (how
many patches hold a pixel):

    z <- (I + mu P^T P)^-1 (v + mu P^T (M - E)),   M <- shrink_r(P z + E),   E <- E + P z - M

shrink_r keeps r singular values and shortens the others, which is its exact proximal operator. Source: Hu,
Zhang, Ye, Li and He, TPAMI 2013 (TNNR-ADMM); Oh et al., TPAMI 2016 (shrink_r); Jin and Ye, IEEE TIP 2015
(patch matrices). It is not convex, and starts at total variation's result. The number of iterations is one of
its settings, chosen by PSNR like the others; they do not lead to a minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.degradations import Degradation
from restora.options import Auto, chosen
from restora.priors.base import Prior
from restora.solvers.admm import ADMM, NOMINAL, Regularizer, Settings, tuned
from restora.solvers.kind import OTHER, kind
from restora.solvers.tv import tv_start

PATCH = 6


@dataclass(frozen=True)
class LowRank(ADMM):
    """Low rank: truncated nuclear norm of the matrix of patches. No learnt prior, any size."""

    best: ClassVar[Mapping[str, Settings]] = {
        "mask": {"weight": 2.0, "penalty": 1.0, "iterations": 20, "rank": 4},
        "reduction": {"weight": 0.5, "penalty": 1.0, "iterations": 10, "rank": 4},
        "gaussian": {"weight": 2.4, "penalty": 2.0, "iterations": 15, "rank": 9},
        "rounding": {"weight": 3.3, "penalty": 2.0, "iterations": 16, "rank": 4},
        "convolution": {"weight": 0.5, "penalty": 0.05, "iterations": 10, "rank": 6},
        OTHER: {"weight": 0.5, "penalty": 0.05, "iterations": 10, "rank": 6},
    }

    rank: int | Auto = tuned("r: number of singular values without penalty", low=0)

    def settled(self, degradation: Degradation) -> LowRank:
        """The more noise, the fewer directions stand out of it; the table has the rank for sigma = 0.1."""
        found = super().settled(degradation)
        if self.rank != "auto" or kind(degradation) != "gaussian" or degradation.sigma == 0:
            return found
        return replace(found, rank=max(1, round(chosen(found.rank) * (NOMINAL / degradation.sigma) ** 0.75)))

    def start(self, y: Tensor, degradation: Degradation) -> Tensor:
        return tv_start(y, degradation)

    def regularizer(self, start: Tensor, prior: Prior | None) -> Regularizer:
        return TruncatedNuclearNorm(start, chosen(self.rank))


class TruncatedNuclearNorm:
    """R, with its split for images like `start`. `prox` is one warm step; at one v the calls converge."""

    def __init__(self, start: Tensor, rank: int, patch: int = PATCH):
        self.rank, self.size = rank, start.shape[-2:]
        self.patch = min(patch, *self.size)
        self.coupling = 1 / self.patch**2
        self.M = self._patches(start)
        self.E = torch.zeros_like(self.M)
        self.count = self._add(torch.ones_like(self.M[:1]))

    def value(self, x: Tensor) -> Tensor:
        P = self._patches(x)
        values = torch.linalg.eigvalsh(P @ P.mT).clamp(min=0).sqrt()
        return values[:, : max(values.shape[1] - self.rank, 0)].sum(1)

    def prox(self, v: Tensor, step: float) -> Tensor:
        right = v + self.coupling * self._add(self.M - self.E)
        z = right / (1 + self.coupling * self.count)
        target = self._patches(z) + self.E
        self.M = shrink(target, step / self.coupling, self.rank)
        self.E = target - self.M
        return z

    def _patches(self, x: Tensor) -> Tensor:
        """P x: (B, C, H, W) -> (B, C p p, n)."""
        return F.unfold(x, self.patch)

    def _add(self, M: Tensor) -> Tensor:
        """P^T M: (B, C p p, n) -> (B, C, H, W)."""
        return F.fold(M, self.size, self.patch)


def shrink(M: Tensor, threshold: float, rank: int) -> Tensor:
    """argmin_N threshold sum_{i > rank} sigma_i(N) + |N - M|^2 / 2, matrices (B, m, n): all but the `rank`
    largest singular values are shortened by the threshold. Quick for m much smaller than n."""
    squares, U = torch.linalg.eigh(M @ M.mT)
    values = squares.clamp(min=0).sqrt()
    keep = 1 - threshold / values.clamp(min=max(threshold, 1e-12))
    keep[:, max(keep.shape[1] - rank, 0) :] = 1
    return (U * keep.unsqueeze(1)) @ U.mT @ M

"""Sparse coding: every patch of an image is a few atoms of a dictionary.

    prox(v) = (sum_i P_i^T P_i)^-1 sum_i P_i^T D alpha_i
    alpha_i = argmin |alpha|_0   with   |P_i v - D alpha|^2 <= n step^2

P_i cuts out the patch at place i, n is its size: a patch gets just as many atoms, by orthogonal matching
pursuit, as leave no more than noise of deviation `step`, and the overlapping patches are averaged. For added
noise a single iteration is the method of Elad and Aharon, IEEE TIP 2006, with a dictionary learnt before; the
other tasks have the same operator inside ADMM. It is not convex, and starts at total variation's result. The
number of iterations is one of its settings, chosen by PSNR like the others; they do not lead to a minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.degradations import Degradation
from restora.options import Auto, chosen, option
from restora.priors.base import Prior
from restora.priors.dictionary import DictionaryPrior
from restora.solvers.admm import ADMM, Regularizer, Settings, tuned
from restora.solvers.kind import OTHER
from restora.solvers.tv import tv_start


@dataclass(frozen=True)
class Sparse(ADMM):
    """Sparse coding of patches in a learnt dictionary."""

    needs: ClassVar[type[Prior] | None] = DictionaryPrior
    best: ClassVar[Mapping[str, Settings]] = {
        "mask": {"weight": 0.1, "penalty": 1.0, "iterations": 3, "stride": 2},
        "reduction": {"weight": 0.3, "penalty": 1.0, "iterations": 20, "stride": 2},
        "gaussian": {"weight": 1.03, "penalty": 1.0, "iterations": 1, "stride": 1},
        "rounding": {"weight": 1.4, "penalty": 1.0, "iterations": 8, "stride": 2},
        "convolution": {"weight": 0.1, "penalty": 0.05, "iterations": 5, "stride": 2},
        OTHER: {"weight": 0.1, "penalty": 0.05, "iterations": 5, "stride": 2},
    }

    stride: int | Auto = tuned("stride between patches, in pixels", low=1)
    sparsity: int = option(8, "maximum number of atoms per patch", 1)

    def start(self, y: Tensor, degradation: Degradation) -> Tensor:
        return tv_start(y, degradation)

    def regularizer(self, start: Tensor, prior: Prior | None) -> Regularizer:
        assert isinstance(prior, DictionaryPrior)  # what it needs
        return SparsePatches(prior, self.sparsity, chosen(self.stride))


class SparsePatches:
    """R: the number of atoms that the patches take, as of the last `prox`."""

    def __init__(self, prior: DictionaryPrior, sparsity: int, stride: int):
        self.prior, self.sparsity, self.stride = prior, sparsity, stride
        self.used = torch.zeros(())

    def value(self, x: Tensor) -> Tensor:
        return self.used

    def prox(self, v: Tensor, step: float) -> Tensor:
        """`step`: the standard deviation of what the atoms may leave."""
        p, (height, width) = self.prior.patch, v.shape[-2:]
        padding = [max(p - size, 0) + -max(size - p, 0) % self.stride for size in (width, height)]
        padded = F.pad(v, (0, padding[0], 0, padding[1]), mode="replicate")
        patches = F.unfold(padded, p, stride=self.stride).mT
        coded, atoms = self.prior.code(patches.flatten(0, 1), self.sparsity, step)
        self.used = atoms.view(len(v), -1).sum(1).to(v)
        parts = torch.stack([coded, torch.ones_like(coded)]).view(2 * len(v), *patches.shape[1:])
        total, count = F.fold(parts.mT, padded.shape[-2:], p, stride=self.stride).chunk(2)
        return (total / count)[..., :height, :width]

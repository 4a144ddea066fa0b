"""Muon: gradient descent for kernels, along the orthogonal matrix that is nearest to the gradient.

    m <- momentum m + g,   u = g + momentum m,   W <- W - rate sqrt(max(1, out / rest)) NS(u)

Each kernel (out, in, h, w) is a matrix (out, rest), rest = in h w. NS is five Newton-Schulz steps

    X <- (a I + b G + c G^2) X,   G = X X^T,   starting from X = u / |u|

with (a, b, c) = (3.4445, -4.7750, 2.0315). They bring the singular values of u close to 1 (0.7 to 1.2),
except the smallest ones. Every step is a polynomial in the first G, so the steps run on square matrices of
the kernel's smaller side, and X is multiplied once, at the end.
Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from restora.networks.unet import UNet

STEPS = 5
A, B, C = 3.4445, -4.7750, 2.0315
TINY = 1e-7  # added to a norm, which is 0 for a kernel that has no gradient yet


class Muon(Optimizer):
    """Muon for parameters of at least two dimensions, without weight decay.

    Its state is one momentum per parameter, so `state_dict` resumes a run exactly.
    """

    def __init__(self, kernels: Iterable[Tensor], lr: float = 0.007, momentum: float = 0.95):
        super().__init__(kernels, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._move([p for p in group["params"] if p.grad is not None], group["lr"], group["momentum"])
        return loss

    def _move(self, kernels: list[Tensor], rate: float, momentum: float) -> None:
        """Update the kernels; those of one shape are orthogonalised together."""
        shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for p in kernels:
            shapes[p.shape].append(p)
        for shape, alike in shapes.items():
            directions = torch.stack([self._direction(p, momentum).flatten(1) for p in alike])
            out, rest = directions.shape[1:]
            updates = orthogonalise(directions).mul_(-rate * math.sqrt(max(1, out / rest)))
            for p, update in zip(alike, updates, strict=True):
                p.add_(update.view(shape))

    def _direction(self, p: Tensor, momentum: float) -> Tensor:
        """The gradient with Nesterov momentum."""
        assert p.grad is not None
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        mean = state["momentum"].mul_(momentum).add_(p.grad)
        return p.grad.add(mean, alpha=momentum)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices (N, rows, columns) with singular values brought close to 1; a matrix of zeros stays zero."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalise(matrices.mT).mT
    G = matrices @ matrices.mT
    norm = G.diagonal(dim1=1, dim2=2).sum(1).sqrt().add(TINY).view(-1, 1, 1)
    return (_factor(G / norm**2) / norm) @ matrices


def _factor(G: Tensor) -> Tensor:
    """Q (N, n, n) such that the steps turn X into Q X, where G = X X^T. All these matrices commute."""
    Q = P = _polynomial(G)
    for _ in range(STEPS - 1):
        G = P @ G @ P
        P = _polynomial(G)
        Q = P @ Q
    return Q


def _polynomial(G: Tensor) -> Tensor:
    """a I + b G + c G^2."""
    P = torch.baddbmm(G, G, G, beta=B, alpha=C)
    P.diagonal(dim1=1, dim2=2).add_(A)
    return P


def kernels(network: UNet) -> list[Tensor]:
    """The kernels to train with Muon: of the convolutions inside blocks and between resolutions."""
    parts = nn.ModuleList([network.down, network.up, network.coarser, network.finer])
    return [m.weight for m in parts.modules() if isinstance(m, nn.Conv2d)]

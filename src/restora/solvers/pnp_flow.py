"""PnP-Flow: steps down the data term, each put back on the flow's path by noise and its denoiser.

    z = x - (1 - t)^alpha A^T (A x - y) / |A|^2,   t = i / N
    x = the mean of D_t(t z + (1 - t) s e) over K draws of e

|A|^2 is the largest eigenvalue of A^T A, so that a full step meets y where A A^T is a multiple of I, and is
stable for any A. Where A is not linear, the gradient is that of d(y, A x) / 2, and the norm that of the
degradation's tangent. No start is needed: D_0 does not depend on z. Unless alpha is given, it is
2 sqrt(sigma / |A|): data without noise keep their weight, and the noisier they are, the sooner they lose it.
Source: Martin, Gagneux, Hagemann and Steidl, "PnP-Flow: Plug-and-Play Image Restoration with Flow Matching",
ICLR 2025; its alpha is 0.8 for denoising, 0.5 for holes, 0.3 for super-resolution, 0.01 for deblurring.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.operators.arithmetic import as_tensor
from restora.options import Auto, option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream, randn
from restora.solvers.base import Solver, Step


@dataclass(frozen=True)
class PnPFlow(Solver[FlowPrior]):
    """PnP-Flow, plug-and-play with a flow's denoiser: no gradients, no linear solves."""

    needs: ClassVar[type[Prior] | None] = FlowPrior

    iterations: int = option(50, "steps from noise to image", 1)
    draws: int = option(4, "denoised images that are averaged in each step", 1)
    alpha: float | Auto = option("auto", "decay of the data term, (1 - t)^alpha; auto: 2 sqrt(sigma/|A|)", 0)

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: FlowPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        streams = [g for g in generator for _ in range(self.draws)]
        x, total = y.new_zeros(len(y), *prior.image_shape), self.iterations
        curvature = _curvature(degradation.gaussian(x, y)[0], x, y)
        faded = 2 * (degradation.sigma / curvature.sqrt()).sqrt()
        alpha = faded if self.alpha == "auto" else self.alpha
        for i in range(total):
            t = i / total
            z = x - (1 - t) ** alpha / curvature * _gradient(x, y, degradation)
            z = z.repeat_interleave(self.draws, 0)
            w = t * z + (1 - t) * prior.scale * randn(z.shape, streams, like=z)
            x = prior.denoise(w, t).unflatten(0, (-1, self.draws)).mean(1)
            if i + 1 == total:
                x = degradation.project(x, y)
            yield Step(i + 1, total, x, degradation.fidelity(x, y))


def _gradient(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    """Of d(y, A x) / 2 in x: A^T (A x - y), whose A need not be differentiable, if A is linear."""
    if degradation.linear:
        return degradation.A_adjoint(degradation.A(x) - y)
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(degradation.fidelity(x, y).sum() / 2, x)
    return gradient


def _curvature(model: Degradation, x: Tensor, y: Tensor, iterations: int = 20) -> Tensor:
    """|A|^2, (B, 1, 1, 1): the largest entry of A A^T if that is diagonal, else by the power method from a
    random image, the same for all. It may come out a few per cent low; below half would be too low."""
    if model.operator.gram is not None:
        return as_tensor(model.operator.gram, y).expand_as(y).flatten(1).amax(1).view(-1, 1, 1, 1)
    u = torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(0)).to(x).expand_as(x)
    for _ in range(iterations):
        u = model.A_adjoint(model.A(u))
        length = torch.linalg.vector_norm(u, dim=(1, 2, 3), keepdim=True)
        u = u / length
    return length

"""The Jacobian of an operator that is not linear, by automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor

from restora.operators.base import Operator, Shape
from restora.operators.gain import Gain

DIAGONAL = 1e-4  # of the largest derivative: what rounding makes of a derivative that is 0


def tangent(operator: Operator, x: Tensor) -> tuple[Operator, Tensor]:
    """J about x, and the offset A x - J x; where A acts on each value by itself, J is a gain."""
    jacobian = Jacobian(operator, x)
    diagonal = jacobian.diagonal
    found: Operator = jacobian if diagonal is None else Gain(diagonal)
    return found, operator(x) - found(x)


class Jacobian(Operator):
    """The Jacobian of `operator` at images x (B, C, H, W), by automatic differentiation; one per image."""

    def __init__(self, operator: Operator, x: Tensor):
        self.operator, self.x = operator, x.detach()
        self._graph: tuple[Tensor, Tensor] | None = None

    @property
    def shared(self) -> bool:
        return False

    @property
    def diagonal(self) -> Tensor | None:
        """Where A acts on each value by itself, which a random image tells."""
        if tuple(self.x.shape) != tuple(self._trace()[1].shape):
            return None
        probe = torch.randn(self.x.shape[1:], generator=torch.Generator().manual_seed(0)).to(self.x)
        found, stray = self(torch.ones_like(self.x)), self(probe.expand_as(self.x))
        alike = (stray - found * probe).abs().max() <= DIAGONAL * found.abs().max()
        return found if bool(alike) else None

    def forward(self, x: Tensor) -> Tensor:
        """J x: the derivative of J^T w with respect to w, which is the same for all w."""
        start, u = self._trace()
        with torch.enable_grad():
            w = torch.zeros_like(u, requires_grad=True)
            (pulled,) = torch.autograd.grad(u, start, w, create_graph=True)
            (found,) = torch.autograd.grad(pulled, w, x, retain_graph=True)
        return found.detach()

    def adjoint(self, u: Tensor) -> Tensor:
        start, traced = self._trace()
        (found,) = torch.autograd.grad(traced, start, u, retain_graph=True)
        return found

    def take(self, index: Tensor) -> Jacobian:
        return Jacobian(self.operator.take(index), self.x[index.to(self.x.device)])

    def spectrum(self, spectrum: Tensor) -> Tensor | None:
        """Where u is like x: as if J were a multiple of I, of the same mean square."""
        if self.observed_shape(tuple(self.x.shape[1:])) != tuple(self.x.shape[1:]):
            return None
        probe = torch.randn(self.x.shape[1:], generator=torch.Generator().manual_seed(0)).to(self.x)
        power = self(probe.expand_as(self.x)).square().flatten(1).mean(1)
        return power.view(-1, 1, 1, 1, 1) * spectrum

    def restrict(self, y: Tensor) -> Tensor:
        return self.operator.restrict(y)

    def observed_shape(self, image_shape: Shape) -> Shape:
        return self.operator.observed_shape(image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        return tuple(self.x.shape[1:])

    def _trace(self) -> tuple[Tensor, Tensor]:
        if self._graph is None:
            with torch.inference_mode(False), torch.enable_grad():
                start = self.x.clone().requires_grad_()
                self._graph = start, self.operator(start)
        return self._graph

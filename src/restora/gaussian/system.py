"""The posterior of Gaussian images: y = A x + e, x ~ N(m, C), e ~ N(0, N).

    E[x | y] = m + C A^T M^-1 (y - A m),   M = A C A^T + N

Noise whose variance differs from value to value is made white first: both sides are divided by its standard
deviation. By conjugate gradients, whose preconditioner depends on C. For C = U^T diag(g) U + R with r
directions, let B = A U^T:

    P = B diag(g) B^T + tau I,   P^-1 v = (v - B h (h B^T B h + tau I)^-1 h B^T v) / tau

h is diag(g)^(1/2), and tau what the rest and the noise come to on average. A good prior has thousands of
times more variance along U than across it; without P, conjugate gradients would take an iteration for each of
its directions or more. B^T B depends on A alone, and serves any weights g. For C without directions see
`restora.gaussian.stationary`.

A draw of x given y is the same formula about a draw of x, with a draw of the noise taken from y.
Source: Papandreou and Yuille, "Gaussian sampling by local perturbations", NIPS 2010.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from restora.gaussian.conjugate_gradient import conjugate_gradient
from restora.gaussian.covariance import Covariance, Diagonal, Isotropic, LowRank, Stationary
from restora.gaussian.directions import Directions
from restora.gaussian.stationary import inverse, solve_masked
from restora.random import Generators

Function = Callable[[Tensor], Tensor]
TOLERANCE = 1e-3


class LinearMap(Protocol):
    """What is asked of A, as `restora.operators.Operator` has it."""

    def __call__(self, x: Tensor) -> Tensor: ...
    def adjoint(self, u: Tensor) -> Tensor: ...
    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor: ...
    def take(self, index: Tensor) -> LinearMap: ...
    def restrict(self, y: Tensor) -> Tensor: ...
    def spectrum(self, spectrum: Tensor) -> Tensor | None: ...
    def preconditioner(self, spectrum: Tensor, gain: Tensor | None, noise: float) -> Function | None: ...

    @property
    def gram(self) -> Tensor | float | None: ...
    @property
    def mask(self) -> Tensor | None: ...
    @property
    def shared(self) -> bool: ...


class System:
    """M for the observations of one operator; for many covariances C that share their directions.

    runs: so many images in a row have the same A, where an operator has one for each image.
    """

    def __init__(self, operator: LinearMap, noise: Covariance, runs: int = 1):
        self.operator, self.noise, self.runs = operator, noise, runs
        self.gain = noise.values.rsqrt() if isinstance(noise, Diagonal) else None
        self._directions: Directions | None = None

    def mean(self, C: Covariance, m: Tensor, y: Tensor, tolerance: float | None = None) -> Tensor:
        """E[x | y], (B, C, H, W), for m (B, C, H, W) and observations y (B, ...).

        tolerance: part of y - A m that may be left unexplained.
        """
        if isinstance(C, Isotropic) and not (self._coloured and self.operator.gram is None):
            return self._by_formula(C, m, y)
        solution = self.solve(C, y - self.operator(m), tolerance)
        return m + C(self.operator.adjoint(solution))

    def draw(
        self,
        C: Covariance,
        m: Tensor,
        y: Tensor,
        generator: Generators = None,
        tolerance: float | None = None,
    ) -> Tensor:
        """A draw of x given y, (B, C, H, W)."""
        x = m + C.draw(m, generator)
        return self.mean(C, x, y - self.noise.draw(y, generator), tolerance)

    def solve(self, C: Covariance, residual: Tensor, tolerance: float | None = None) -> Tensor:
        """M^-1 residual, (B, ...), until what is unexplained of it is `tolerance` of it.

        An observation's result does not depend on the rest of its batch.
        """
        residual = self.operator.restrict(residual)
        if tolerance is None and isinstance(C, Stationary):
            tolerance = TOLERANCE
        if isinstance(C, Stationary) and not C.rank and self._masked:
            assert self.operator.mask is not None
            spectrum, noise = self._noisy(C.spectrum)
            return solve_masked(self.operator.mask, spectrum, noise, residual, tolerance or TOLERANCE)

        def system(v: Tensor) -> Tensor:
            return self._A(C(self._adjoint(v))) + self._noise(v)

        if isinstance(C, LowRank) and C.rank:
            directions = self._seen(C.directions)

            def system(v: Tensor) -> Tensor:
                return self._A(C.rest(self._adjoint(v))) + self._noise(v) + directions.product(C.weights, v)

            preconditioner: Function | None = directions.preconditioner(C, residual)
        else:
            preconditioner = self._stationary(C.spectrum) if isinstance(C, Stationary) else None
        right = self.whiten(residual)
        return self.whiten(conjugate_gradient(system, right, tolerance, preconditioner=preconditioner))

    @property
    def _coloured(self) -> bool:
        return not isinstance(self.noise, Isotropic)

    @property
    def _masked(self) -> bool:
        return self.operator.mask is not None and isinstance(self.noise, Isotropic | Stationary)

    def _by_formula(self, C: Isotropic, m: Tensor, y: Tensor) -> Tensor:
        """For C = v I, where A A^T and N are diagonal, or N is white."""
        v = C.of(m)
        if isinstance(self.noise, Isotropic):
            gamma = torch.where(v > 0, v / self.noise.of(m), 0)  # v / 0 is infinite: y is met exactly
            return self.operator.prox(m, y, gamma)
        residual = y - self.operator(m)
        if isinstance(self.noise, Diagonal):
            scale = C.of(y) * torch.as_tensor(self.operator.gram).to(m) + self.noise.of(y)
            return m + self.operator.adjoint(C.of(y) * residual / scale)
        return m + v * self.operator.adjoint(self.solve(C, residual))

    def whiten(self, v: Tensor) -> Tensor:
        """Observations v (B, ...) in units of their noise, where it differs from value to value."""
        return v if self.gain is None else self.gain.to(v) * v

    def _A(self, x: Tensor) -> Tensor:
        return self.whiten(self.operator(x))

    def _adjoint(self, v: Tensor) -> Tensor:
        return self.operator.adjoint(self.whiten(v))

    def _noise(self, v: Tensor) -> Tensor:
        """N v; what A does not see has no noise either, with which that of the rest could vary."""
        if self.gain is not None:
            return v
        return self.operator.restrict(self.noise(self.operator.restrict(v)))

    def _noisy(self, spectrum: Tensor) -> tuple[Tensor, float | Tensor]:
        """The spectrum of A x + e, as far as it is one, and the white noise beside it, which broadcasts."""
        if isinstance(self.noise, Stationary):
            return spectrum + self.noise.spectrum, 0.0
        v = self.noise.variance
        return spectrum, v.view(-1, 1, 1, 1, 1) if isinstance(v, Tensor) and v.ndim else v

    def _stationary(self, spectrum: Tensor) -> Function | None:
        """M^-1, about, for C of this spectrum."""
        noise = 1.0 if self.gain is not None else float(torch.as_tensor(self.noise.variance).mean())
        own = self.operator.preconditioner(spectrum, self.gain, noise)
        if own is not None or (seen := self.operator.spectrum(spectrum)) is None:
            return own
        nearly, gain = inverse(*self._noisy(seen)), self.gain
        back = None if gain is None else torch.where(gain > 0, 1 / gain, 0).to(spectrum)
        return nearly if back is None else lambda v: back * nearly(back * v)

    def _seen(self, directions: Tensor) -> Directions:
        if self._directions is None or self._directions.directions.data_ptr() != directions.data_ptr():
            self._directions = Directions(self, directions)
        return self._directions

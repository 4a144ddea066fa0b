"""A degradation is an operator and noise: y ~ p(y | A x).

    prox_l2    argmin_x gamma/2 d(y, A x)^2 + 1/2 |x - z|^2
    condition  E[x | y] for x ~ N(x_hat, C)
    draw       x | y    for x ~ N(x_hat, C)

For a linear A and Gaussian noise both are exact, for any C. Other noise has a posterior of its own, value by
value, which serves where A A^T is diagonal and the values of A x are taken for independent; and a Gaussian
that stands for it about a point, which serves everywhere else. An A that is not linear counts as its tangent
there. Method names and signatures are those of deepinv's physics, so that either can stand in for the other.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from restora.degradations.forward import ForwardModel
from restora.gaussian.covariance import Covariance, Isotropic, Stationary, as_covariance
from restora.gaussian.system import System
from restora.noise.gaussian import GaussianNoise
from restora.operators.arithmetic import as_tensor, divide
from restora.operators.composition import compose
from restora.operators.masking import Masking
from restora.random import Generators

ROUNDS = 100  # projections on the cells, at most, of a prox that has no formula


class Degradation(ForwardModel):
    """A degradation: y ~ p(y | A x).

    Images are (B, C, H, W), nominally in [0, 1]; nothing is clipped. The methods are final: special cases
    belong in the operator or the noise.

    Args:
        operator: A, in u = A x.
        noise: p(y | u); none by default.
    """

    @property
    def known(self) -> Tensor | None:
        """1 where y is x exactly and 0 where y tells nothing, (B or 1, 1, H, W); None for all but a noiseless
        mask."""
        noisy = self.blind or not self.noise.linear or self.noise.level > 0
        return None if noisy else self.operator.mask

    def doubt(self, std: Tensor) -> Tensor:
        """Standard deviations (B, C, H, W), with 0 where y is x."""
        return std if self.known is None else std * (1 - self.known.to(std))

    @property
    def valuewise(self) -> bool:
        """Whether `condition` uses the exact posterior of the noise for each value."""
        special = not self.noise.linear and self.operator.linear
        return special and self.operator.gram is not None and self.noise.separable

    @final
    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_x gamma/2 d(y, A x)^2 + 1/2 |x - z|^2. `gamma`: in [0, inf], a number or (B, 1, 1, 1)."""
        y, gram = self.operator.restrict(y), self.operator.gram
        if self.noise.quadratic:
            return self.operator.prox(z, y, gamma)
        if isinstance(gram, float):
            u = self.operator(z)
            moved = self.noise.prox(u, y, as_tensor(gamma, z) * gram) - u
            return z + self.operator.adjoint(moved) / gram
        x = z
        for _ in range(ROUNDS):  # the distance to a cell is at most that to the nearest point of before
            x = self.operator.prox(z, self.noise.project(self.operator(x), y), gamma)
        return x

    @final
    def condition(
        self,
        x_hat: Tensor,
        covariance: float | Tensor | Covariance,
        y: Tensor,
        *,
        tolerance: float | None = None,
        system: System | None = None,
    ) -> Tensor:
        """E[x | y] for x ~ N(x_hat, C), (B, C, H, W).

        Args:
            x_hat: mean of x, (B, C, H, W).
            covariance: C: a number v of at least 0, for C = v I; a tensor with one number per image; or a
                Covariance.
            y: observations (B, ...).
            tolerance: relative residual of y - A x_hat at which a linear solve stops.
            system: the `system_of` the same `gaussian` model, to reuse its computations.
        """
        C = as_covariance(covariance)
        if self._by_values(C):
            return self._posterior(x_hat, C, y)
        model, z = self.gaussian(x_hat, y)
        return self.project((system or system_of(model)).mean(C, x_hat, z, tolerance), y)

    @final
    def draw(
        self,
        x_hat: Tensor,
        covariance: float | Tensor | Covariance,
        y: Tensor,
        generator: Generators = None,
        *,
        tolerance: float | None = None,
        system: System | None = None,
    ) -> Tensor:
        """A sample of x given y, for x ~ N(x_hat, C). Arguments as for `condition`, and `generator` as for
        `randn`.

        If the noise has its own posterior, the part of x along the directions of C is drawn without y. The
        rest of C is treated as white, and drawn given y. If all of C were treated as white, the errors of
        neighbouring pixels in a sample would be independent.
        """
        C = as_covariance(covariance)
        if not self.noise.linear and self.operator.linear and self.operator.gram is not None:
            if isinstance(C, Stationary):
                x_hat, C = x_hat + C.draw_along(x_hat, generator), Isotropic(C.rest_variance)
            return self._draw(x_hat, C, y, generator)
        x = x_hat + C.draw(x_hat, generator)
        model, z = self.gaussian(x, y)
        system = system or system_of(model)
        return self.project(system.mean(C, x, z - system.noise.draw(z, generator), tolerance), y)

    @final
    def gaussian(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """The linear Gaussian approximation of this degradation around x, and its observation."""
        y = self.operator.restrict(y)
        if self.linear:
            return self, y
        tangent, offset = self.operator.tangent(x)
        features, noise, z = self.noise.gaussian(self.operator(x), y)
        return Degradation(compose(tangent, features), noise), z - features(offset) if offset.ndim else z

    @final
    def project(self, x: Tensor, y: Tensor) -> Tensor:
        """Move x to the nearest image that is consistent with y, if the noise bounds the values exactly."""
        if self.noise.linear:
            exact = not self.operator.linear and self.noise.level == 0
            return self.operator.prox(x, self.operator.restrict(y), torch.inf) if exact else x
        u = self.operator(x)
        moved = self.noise.project(u, self.operator.restrict(y))
        if moved is u:
            return x
        if self.operator.identity:
            return moved
        return x + self.operator.pseudo_inverse(moved - u)

    @final
    def given(self, y: Tensor) -> Degradation:
        """This degradation with all parameters that were estimated from y (B, ...); unchanged unless it is
        `blind`.

        Raises:
            RestoraError: if the parameters cannot be estimated from y.
        """
        if not self.blind:
            return self
        noise, seen = self.noise.given(y)
        operator = self.operator if seen is None else compose(self.operator, Masking(seen))
        return Degradation(operator, noise).to(y.device)

    @final
    def take(self, index: Tensor) -> Degradation:
        """The degradation of the images `index` (N,) of the batch; indices may be repeated."""
        operator, noise = self.operator.take(index), self.noise.take(index)
        return self if operator is self.operator and noise is self.noise else Degradation(operator, noise)

    def _by_values(self, C: Covariance) -> bool:
        if self.noise.linear or not self.operator.linear or self.operator.gram is None:
            return False
        return self.noise.separable or isinstance(C, Isotropic)

    def _posterior(self, x_hat: Tensor, C: Covariance, y: Tensor) -> Tensor:
        m = self.operator(x_hat)
        u = self.noise.posterior(m, self._variances(m, C), self.operator.restrict(y))
        return self._lift(x_hat, m, u)

    def _draw(self, x_hat: Tensor, C: Covariance, y: Tensor, generator: Generators) -> Tensor:
        """What A does not see is drawn from C, the rest given y."""
        m, y = self.operator(x_hat), self.operator.restrict(y)
        if self.operator.identity:
            return self.noise.draw(m, self._variances(m, C), y, generator)
        x = x_hat + C.draw(x_hat, generator)
        return self._lift(x, self.operator(x), self.noise.draw(m, self._variances(m, C), y, generator))

    def _variances(self, u: Tensor, C: Covariance) -> Tensor:
        """Of the values u = A x, for a white x of the mean variance of C."""
        assert self.operator.gram is not None
        return Isotropic(C.variance).of(u) * as_tensor(self.operator.gram, u)

    def _lift(self, x: Tensor, u: Tensor, wanted: Tensor) -> Tensor:
        """The image nearest to x whose A x, now u, is `wanted`; A A^T is diagonal."""
        if self.operator.identity:
            return wanted
        assert self.operator.gram is not None
        return x + self.operator.adjoint(divide(wanted - u, as_tensor(self.operator.gram, u)))


def system_of(model: Degradation, runs: int = 1) -> System:
    """The linear system of a `linear` degradation.

    Args:
        model: the degradation.
        runs: number of consecutive rows of a batch that belong to one image.
    """
    assert isinstance(model.noise, GaussianNoise)
    return System(model.operator, model.noise.N, runs)

"""How observations come about: y ~ p(y | A x), an operator and noise, without any inference."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from restora.noise.base import Noise
from restora.noise.gaussian import GaussianNoise
from restora.operators import checking
from restora.operators.base import Operator, Shape
from restora.random import Generators


class ForwardModel(nn.Module):
    """operator: u = A x. noise: p(y | u), by default none."""

    operator: Operator
    noise: Noise

    def __init__(self, operator: Operator, noise: Noise | None = None):
        super().__init__()
        self.operator, self.noise = operator, noise or GaussianNoise(0.0)

    @property
    def sigma(self) -> Any:
        """The standard deviation of the noise, on average."""
        return self.noise.level

    @property
    def linear(self) -> bool:
        """Whether A is linear and the noise Gaussian, so that posteriors of Gaussian images are exact."""
        return self.operator.linear and self.noise.linear

    @property
    def blind(self) -> bool:
        """Whether the observation has to say what the noise is, by `given`."""
        return self.noise.blind

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        """Simulate an observation of x. Generators as in `random.randn`."""
        return self.operator.restrict(self.noise.simulate(self.operator(x), generator))

    @final
    def A(self, x: Tensor) -> Tensor:
        """A x, (B, ...), free of noise."""
        return self.operator(x)

    @final
    def A_adjoint(self, y: Tensor) -> Tensor:
        """A^T y, in image space."""
        return self.operator.adjoint(y)

    @final
    def A_dagger(self, y: Tensor) -> Tensor:
        """The image of least norm among those that minimise |A x - y|."""
        return self.operator.pseudo_inverse(self.operator.restrict(y))

    @final
    def fidelity(self, x: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """d(y, A x), per image: (B,); for Gaussian noise sum_i weight_i |A x - y|_i^p."""
        return self.noise.fidelity(self.operator(x), self.operator.restrict(y), p, weight)

    @final
    def check(self, image_shape: Shape, tolerance: float = checking.TOLERANCE) -> None:
        """Try the operator on random images (C, H, W). `restore` does so by itself, once, for a user's own.

        OptionError, with the relative error, unless <A x, y> = <x, A_adjoint y>, A is linear where it says
        so, and each image of a batch is seen by itself.
        """
        checking.check(self.operator, image_shape, tolerance)

"""Conversions between deepinv and restora, in both directions (`pip install 'restora[deepinv]'`).

    physics        from_physics          -> Degradation        to_physics         -> deepinv LinearPhysics
    denoiser       from_denoiser         -> FlowPrior          to_denoiser        -> deepinv Denoiser
    reconstructor  from_reconstructor    -> Solver             to_reconstructor   -> deepinv Reconstructor

The denoisers of deepinv receive x + sigma e: the convention `ve` of `restora.priors.conventions`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from restora.degradations import Degradation, from_physics
from restora.errors import OptionError, PackageError, PairingError
from restora.noise import GaussianNoise, Noise, PoissonNoise
from restora.operators.base import Shape
from restora.pairing import Named
from restora.priors import FlowPrior, GaussianPrior
from restora.random import Stream
from restora.restoration import restore
from restora.solvers import Solver, Step

__all__ = [
    "FromReconstructor",
    "from_denoiser",
    "from_physics",
    "from_reconstructor",
    "to_denoiser",
    "to_physics",
    "to_reconstructor",
]


def to_physics(degradation: Degradation, image_shape: Shape) -> Any:
    """Convert a degradation to a deepinv LinearPhysics, for images (B, C, H, W); to a Physics if A is not
    linear.

    Its `A`, `A_adjoint`, `A_dagger` and `prox_l2` are those of the degradation. Gaussian noise with numbers
    as levels and photon noise become noise models of deepinv, so that its methods can read sigma and gain.
    """
    classes = _classes()
    kind = classes.LinearPhysics if degradation.operator.linear else classes.Physics
    return kind(degradation, tuple(image_shape))


def from_denoiser(
    denoiser: nn.Module,
    image_shape: tuple[int, int, int],
    gaussian: GaussianPrior | None = None,
    name: str | None = None,
    levels: tuple[float, float] | None = None,
) -> FlowPrior:
    """Convert denoiser(x, sigma), with images in [0, 1] and sigma (B,), to a prior of images (C, H, W).

    Args:
        gaussian: a Gaussian model of the images, for methods that start from the linear estimate.
        levels: lowest and highest noise level in training.
    """
    channels, *size = image_shape
    sides = size[0], size[1]
    prior = FlowPrior.from_denoiser(
        denoiser, "ve", levels=levels, channels=channels, size=sides, gaussian=gaussian, check=False
    )
    prior.name = name or type(denoiser).__name__
    return prior


def to_denoiser(prior: FlowPrior) -> Any:
    """Convert a prior to a deepinv Denoiser, (x, sigma) to E[x_0 | x = x_0 + sigma e].

    It is differentiable, for any sigma >= 0. It accepts images of another size, or grey images, if the prior
    does.
    """
    if not isinstance(prior, FlowPrior):
        raise PairingError(f"a denoiser needs a FlowPrior; {prior.name!r} is a {type(prior).__name__}")
    return _classes().Denoiser(prior)


def from_reconstructor(model: nn.Module) -> FromReconstructor:
    """Convert model(y, physics) -> images, such as deepinv's RAM, to a method for `restore`."""
    return FromReconstructor(model)


def to_reconstructor(method: str | Solver = "auto", prior: Named = None, **settings: Any) -> Any:
    """Convert a method to a deepinv Reconstructor, model(y, physics) -> images, for example for
    `deepinv.test`.

    `settings` are arguments of `restora.restore`, such as seed or differentiable.
    """
    return _classes().Reconstructor(method, prior, settings)


@dataclass(frozen=True)
class FromReconstructor(Solver[Any]):
    """Another library's reconstruction, in one step; the degradation is its physics."""

    model: nn.Module
    differentiable: ClassVar[bool] = True

    def steps(
        self, y: Tensor, degradation: Degradation, prior: Any, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        shape = degradation.operator.image_shape(tuple(y.shape[1:]))
        x = self.model(y, to_physics(degradation, shape))
        yield Step(1, 1, x, degradation.fidelity(x, y))


def _denoise(prior: FlowPrior, x: Tensor, sigma: Tensor) -> Tensor:
    """D_t(t x) for images x (B, C, H, W) and sigma (B,); x itself where sigma is 0."""
    model = prior.with_channels(x.shape[1])
    assert isinstance(model, FlowPrior)
    model = model.sized(x.shape[-2], x.shape[-1])
    # A prior of grey images has noise of its own scale.
    t = model.scale / (model.scale + sigma)
    found = model.denoise(t.view(-1, 1, 1, 1) * x, t)
    return torch.where((sigma > 0).view(-1, 1, 1, 1), found, x)


@functools.cache
def _classes() -> SimpleNamespace:
    """The subclasses of deepinv's, made when the first is wanted."""
    try:
        import deepinv
    except ImportError as error:
        raise PackageError(
            f"this needs the package deepinv, which cannot be imported ({error}); "
            "pip install 'restora[deepinv]'"
        ) from error

    class Shared:
        """What both kinds of physics have."""

        degradation: Degradation

        def A(self, x: Tensor, **settings: Any) -> Tensor:
            return self.degradation.A(x)

        def noise(self, u: Tensor, **settings: Any) -> Tensor:
            return self.degradation.operator.restrict(super().noise(u, **settings))  # type: ignore[misc]

    class Physics(Shared, deepinv.physics.Physics):
        def __init__(self, degradation: Degradation, image_shape: Shape):
            super().__init__(noise_model=_noise_model(deepinv, degradation.noise))
            self.degradation, self.img_size = degradation, image_shape

    class LinearPhysics(Shared, deepinv.physics.LinearPhysics):
        def __init__(self, degradation: Degradation, image_shape: Shape):
            super().__init__(img_size=image_shape, noise_model=_noise_model(deepinv, degradation.noise))
            self.degradation = degradation

        def A_adjoint(self, y: Tensor, **settings: Any) -> Tensor:
            return self.degradation.A_adjoint(y)

        def A_dagger(self, y: Tensor, **settings: Any) -> Tensor:
            return self.degradation.A_dagger(y)

        def prox_l2(self, z: Any, y: Tensor, gamma: Any, **settings: Any) -> Tensor:
            if not isinstance(z, Tensor):
                z = torch.full_like(self.degradation.A_adjoint(y), z or 0.0)
            if isinstance(gamma, Tensor):
                gamma = gamma.reshape(-1, 1, 1, 1) if gamma.numel() > 1 else gamma.item()
            return self.degradation.operator.prox(z, self.degradation.operator.restrict(y), gamma)

    class Denoiser(deepinv.models.Denoiser):
        def __init__(self, prior: FlowPrior):
            super().__init__()
            self.prior = prior

        def forward(self, x: Tensor, sigma: Any, **settings: Any) -> Tensor:
            level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).flatten()
            if len(level) not in (1, len(x)):
                raise OptionError(
                    f"expected one number, or {len(x)} numbers, one per image; got {len(level)}", "sigma"
                )
            return _denoise(self.prior, x, level.expand(len(x)))

    class Reconstructor(deepinv.models.Reconstructor):
        def __init__(self, method: str | Solver, prior: Named, settings: dict[str, Any]):
            super().__init__()
            self.method, self.prior, self.settings = method, prior, settings

        def forward(self, y: Tensor, physics: Any, **settings: Any) -> Tensor:
            degradation = from_physics(physics, getattr(physics, "img_size", None))
            return restore(y, degradation, method=self.method, prior=self.prior, **self.settings).image

    return SimpleNamespace(
        Physics=Physics, LinearPhysics=LinearPhysics, Denoiser=Denoiser, Reconstructor=Reconstructor
    )


def _noise_model(deepinv: Any, noise: Noise) -> Any:
    models = deepinv.physics
    if isinstance(noise, PoissonNoise):
        gain = 1 / noise.peak
        return (
            models.PoissonGaussianNoise(gain, noise.sigma, True) if noise.sigma else models.PoissonNoise(gain)
        )
    plain = isinstance(noise, GaussianNoise) and noise.covariance is None and not noise.blind
    sigma = getattr(noise, "sigma", None)
    if plain and not (isinstance(sigma, Tensor) and sigma.ndim > 1):
        return models.GaussianNoise(sigma) if isinstance(sigma, Tensor) or sigma else models.ZeroNoise()
    return models.NoiseModel(lambda u, **settings: noise.simulate(u))

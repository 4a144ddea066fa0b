"""What every noise must do. New ones are taken from the registry; only one that cannot be built without
arguments has to be named in `EXAMPLES`, and one for other observations than 3x12x12 in `SIZES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from restora.noise import BlockRounding, GaussianNoise, ImpulseNoise, Noise, PoissonNoise, Rounding, noises
from restora.noise.base import StandIn, weighted_sum
from restora.noise.truncated import normal_cdf, truncated_draw, truncated_mean
from restora.operators import Identity, codec
from restora.random import Generators, randn
from restora.testing import check_noise

SHAPE = (3, 12, 12)
GREY = {"jpeg-grey": (1, 16, 16)}
COLOURS = torch.tensor([[1.0, 0.6, 0.2], [0.6, 1.0, 0.6], [0.2, 0.6, 1.0]]).double()


def values(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return 0.02 + 0.1 * torch.rand(*shape, generator=generator, dtype=torch.float64)


def spectrum() -> Tensor:
    """(3, 3, 12, 12): blotches, stronger in chroma than in luma."""
    k = torch.arange(12).double()
    fall = 1 / (1 + k.view(-1, 1) / 4 + k / 4)
    return 0.01 * COLOURS[..., None, None] * fall


EXAMPLES: dict[str, Callable[[], Noise]] = {}
VARIANTS: dict[str, Callable[[], Noise]] = {
    "white": lambda: GaussianNoise(0.1),
    "one-an-image": lambda: GaussianNoise(torch.tensor([0.02, 0.1, 0.3]).double()),
    "map": lambda: GaussianNoise(values(1, *SHAPE)),
    "maps": lambda: GaussianNoise(values(3, 1, *SHAPE[1:])),
    "channels": lambda: GaussianNoise(covariance=0.01 * COLOURS),
    "spectrum": lambda: GaussianNoise(covariance=spectrum()),
    "poisson-bright": lambda: PoissonNoise(200.0),
    "poisson-read": lambda: PoissonNoise(100.0, sigma=0.05),
    "rounding-fine": lambda: Rounding(64),
    "rounding-to-levels": lambda: Rounding(9, "identity"),
    "dither": lambda: Rounding(9, sigma=0.05),
    "jpeg-fine": lambda: BlockRounding(80, "4:4:4"),
    "jpeg-422": lambda: BlockRounding(30, "4:2:2"),
    "jpeg-grey": lambda: BlockRounding(30),
    "jpeg-dither": lambda: BlockRounding(30, sigma=0.02),
    "jpeg-tables": lambda: BlockRounding(tables=torch.stack([codec.tables(q) for q in (5, 30, 80)])),
    "impulse-noisy": lambda: ImpulseNoise(0.4, sigma=0.03),
}
ALL = [*noises.names(), *VARIANTS]


def build(name: str) -> Noise:
    make = VARIANTS.get(name) or EXAMPLES.get(name) or noises.get(name)
    try:
        return make()
    except TypeError as error:
        pytest.fail(f"noise {name!r} cannot be built without arguments: add it to EXAMPLES ({error})")


def shape_of(name: str) -> tuple[int, int, int]:
    return GREY.get(name, (3, 16, 16) if name.startswith("jpeg") else SHAPE)  # whole blocks


@pytest.mark.parametrize("name", ALL)
def test_what_every_noise_does(name: str) -> None:
    check_noise(build(name), shape_of(name))


@dataclass(eq=False)
class Bounded(Noise):
    """Errors of at most `width`, all equally likely. Only the line that registers it names it."""

    width: float = 0.1

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        share = normal_cdf(randn(u.shape, generator, like=u))
        return u + self.width * (2 * share - 1)

    def project(self, u: Tensor, y: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(u, y - self.width), y + self.width)

    def fidelity(self, u: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        return weighted_sum(u - self.project(u, y), p, weight)

    def prox(self, u: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        return super().prox(u, self.project(u, y), gamma)

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        v = torch.as_tensor(v).to(m).expand_as(m)
        std = torch.where(v > 0, v, 1).sqrt()
        return torch.where(v > 0, truncated_mean(m, std, y - self.width, y + self.width), m)

    def draw(self, m: Tensor, v: float | Tensor, y: Tensor, generator: Generators = None) -> Tensor:
        v, noise = torch.as_tensor(v).to(m).expand_as(m), randn(m.shape, generator, like=m)
        std = torch.where(v > 0, v, 1).sqrt()
        return torch.where(v > 0, truncated_draw(m, std, y - self.width, y + self.width, noise), m)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        return StandIn(Identity(), GaussianNoise(self.width / 3**0.5), y)


@dataclass(eq=False)
class Loose(Bounded):
    """A projection that stops too early."""

    def project(self, u: Tensor, y: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(u, y - 2 * self.width), y + 2 * self.width)

    def fidelity(self, u: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        return weighted_sum(u - super().project(u, y), p, weight)

    def prox(self, u: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        return Noise.prox(self, u, super().project(u, y), gamma)


@dataclass(eq=False)
class Timid(GaussianNoise):
    """A posterior that believes y too little."""

    sigma: float = 0.1

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        return m + (super().posterior(m, v, y) - m) / 2


@dataclass(eq=False)
class Louder(GaussianNoise):
    """More noise than it says."""

    sigma: float = 0.1

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        return u + 2 * self.sigma * randn(u.shape, generator, like=u)


@dataclass(eq=False)
class Forgetful(GaussianNoise):
    """Noise that takes no stream."""

    sigma: float = 0.1

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        return u + self.sigma * torch.randn_like(u)


@pytest.fixture
def registered() -> Iterator[str]:
    noises.register("bounded", Bounded)
    yield "bounded"
    noises._own.pop("bounded")


def test_a_new_noise_is_picked_up(registered: str) -> None:
    assert registered in noises.names()
    check_noise(build(registered), SHAPE)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (Timid(), "moves too much or too little"),
        (Louder(), "moves too much or too little|expected an error of variance"),
        (Forgetful(), "same y of the same streams"),
        (Loose(), "project: expected values that explain y"),
    ],
)
def test_the_check_finds(noise: Noise, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_noise(noise, SHAPE)


def test_noise_is_a_value() -> None:
    """Another sigma makes another noise, and a module moves its tensors."""
    noise = build("one-an-image")
    assert replace(noise, sigma=0.0).sigma == 0.0
    assert noise.float().sigma.dtype == torch.float32

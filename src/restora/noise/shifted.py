"""Noise of a sum of which one part is known: y ~ p(y | c + u + e),  e ~ N(0, tau^2 I).

An operator can then stand for the unknown part alone, and be linear where the whole is not: y - c would not
be distributed as `noise` says. e is what c + u misses; with it no value of y has to be met exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from restora.noise.base import Noise, StandIn
from restora.random import Generators, randn


@dataclass(eq=False)
class Shifted(Noise):
    """noise: p(y | v) of v = offset + u. offset: c, (B or 1, ...) like y. error: tau, on v."""

    noise: Noise
    offset: Tensor = field(repr=False)
    error: float = 0.0

    def __post_init__(self) -> None:
        known = self.noise
        del self.noise  # a module cannot be set before
        self.noise = known
        super().__post_init__()

    @property
    def level(self) -> float:
        return self.noise.level

    @property
    def reach(self) -> float:
        return self.noise.reach

    @property
    def quadratic(self) -> bool:
        return False

    @property
    def separable(self) -> bool:
        return self.noise.separable

    @property
    def steady(self) -> bool:
        return self.noise.steady

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        v = u + self.offset.to(u)
        return self.noise.simulate(v + self.error * randn(v.shape, generator, like=v), generator)

    def fidelity(self, u: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        return self.noise.fidelity(u + self.offset.to(u), y, p, weight)

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        """That of v about offset + m, with the offset taken from the observation of its features."""
        offset = self.offset.to(m)
        features, noise, z = self.noise.gaussian(m + offset, y)
        return StandIn(features, noise.wider(self.error), z - features(offset))

"""Noise: what chance does to an observation once the operator has acted.

    y ~ p(y | u)

Noise knows nothing of the operator. It says how y is drawn, how well u explains y, and what y tells of a u
that was known to be about m:

    fidelity    d(y, u), what a fit minimises
    prox        argmin_v gamma/2 d(y, v)^2 + 1/2 |v - u|^2, value by value
    posterior   E[u | y] for u ~ N(m, v), value by value;   draw: a draw of it
    gaussian    the linear Gaussian observation that stands for y about m: features F u
                and Gaussian noise on them
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from torch import Tensor, nn

from restora import options
from restora.operators.arithmetic import as_tensor
from restora.operators.base import Operator
from restora.random import Generators, Window

if TYPE_CHECKING:
    from restora.noise.anscombe import Anscombe
    from restora.noise.gaussian import GaussianNoise


Whitens = Literal["no", "level", "map"]


class StandIn(NamedTuple):
    """A Gaussian approximation of noise: z = F u + e, with the features F, the noise e, and the observation
    z."""

    features: Operator
    noise: GaussianNoise
    observation: Tensor


@dataclass(eq=False)
class Noise(nn.Module):
    """Base of all noise models: a dataclass whose tensors move with it. The defaults are for a squared
    distance.

    Attributes:
        level: the average standard deviation, full scale 1; 0 if there is no noise, or if it is unknown.
        linear: whether y is u plus Gaussian noise that does not depend on u.
        blind: whether parameters are estimated from y by `given`.
        quadratic: whether `fidelity` is the squared distance.
        separable: whether `posterior` is exact for independent values of u.
        steady: whether the noise of `gaussian` is the same around every point.
        shared: whether all images of a batch have the same noise.
        grain: side in pixels of the blocks that are rounded together; an observation can only be cut between
            them.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Noise:
        # A dataclass does not call nn.Module.__init__, and no field can be set before it has run.
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __post_init__(self) -> None:
        options.check(self, skip=self._tensors())

    def _tensors(self) -> list[str]:
        """The fields that are tensors. A default of the class keeps them from being buffers."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return [name for name, v in values.items() if isinstance(v, Tensor) and v.ndim]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        for name in self._tensors():
            setattr(self, name, fn(getattr(self, name)))
        return self

    @property
    def level(self) -> float:
        return 0.0

    @property
    def reach(self) -> float:
        """The largest standard deviation of any value, full scale 1."""
        return self.level

    @property
    def linear(self) -> bool:
        return False

    @property
    def blind(self) -> bool:
        return False

    @property
    def quadratic(self) -> bool:
        return True

    @property
    def separable(self) -> bool:
        return True

    @property
    def steady(self) -> bool:
        return True

    @property
    def shared(self) -> bool:
        return True

    @property
    def grain(self) -> int:
        return 1

    def simulate(self, u: Tensor, generator: Generators = None) -> Tensor:
        """Draw an observation y of u (B, ...). `generator` as for `random.randn`."""
        raise NotImplementedError

    def fidelity(self, u: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """d(y, u) = sum_i weight_i |u - y|_i^p, per image: (B,). Differentiable in u."""
        return weighted_sum(u - y, p, weight)

    def prox(self, u: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_v gamma/2 d(y, v)^2 + 1/2 |v - u|^2. `gamma`: in [0, inf], broadcastable to u."""
        return u + (y - u) / (1 + 1 / as_tensor(gamma, u))

    def posterior(self, m: Tensor, v: float | Tensor, y: Tensor) -> Tensor:
        """E[u | y] for u ~ N(m, v), value by value. v >= 0 broadcasts to m; u is m where v is 0."""
        raise NotImplementedError

    def draw(self, m: Tensor, v: float | Tensor, y: Tensor, generator: Generators = None) -> Tensor:
        """A sample of u given y for u ~ N(m, v), value by value."""
        raise NotImplementedError

    def gaussian(self, m: Tensor, y: Tensor) -> StandIn:
        """A linear Gaussian observation of u that approximates y around the point m."""
        raise NotImplementedError

    def project(self, u: Tensor, y: Tensor) -> Tensor:
        """The value nearest to u that is consistent with y; u itself if every value is."""
        return u

    @property
    def stabilizer(self) -> Anscombe | None:
        """A transform that makes the noise white if it depends on u; None if not needed or not known."""
        return None

    @property
    def whitens(self) -> Whitens:
        """The kind of result of `white`, as far as it is known without an observation."""
        return "no"

    def white(self, y: Tensor) -> Tensor | None:
        """Standard deviation if the noise is approximately white: (B,), or of each value, (B, 1 or C, H, W);
        otherwise None."""
        return None

    @property
    def beyond(self) -> GaussianNoise | None:
        """Information in y that white noise of the deviation `white` would have hidden, as a noise model;
        None if there is none."""
        return None

    def unclipped(self, y: Tensor, u: Tensor) -> Tensor:
        """y with the expected values before clipping, where a file clipped it at 0 or 1; u approximates the
        clean image."""
        return y

    def given(self, y: Tensor) -> tuple[Noise, Tensor | None]:
        """The noise model with the parameters that were estimated from y (B, ...), and a mask of the values
        that carry information: 1 or 0, (B, 1, ...); None for all.

        Raises:
            RestoraError: if the parameters cannot be estimated from y.
        """
        return self, None

    @property
    def follows(self) -> bool:
        """Whether `sigma` is white Gaussian noise that precedes the rest, so that earlier noise can be added
        to it."""
        return False

    @property
    def precedes(self) -> bool:
        """Whether `sigma` is white Gaussian noise that follows the rest, so that later noise can be added to
        it."""
        return False

    def take(self, index: Tensor) -> Noise:
        """The noise of the images `index` (N,) of the batch; indices may be repeated."""
        return self

    def window(self, window: Window, size: tuple[int, int]) -> Noise:
        """The noise in a window of observations of size (H, W)."""
        return self


def weighted_sum(residual: Tensor, p: float, weight: Tensor | None) -> Tensor:
    """sum_i weight_i |residual_i|^p over all but the first axis: (B,)."""
    loss = residual.square() if p == 2 else residual.abs() if p == 1 else residual.abs() ** p
    return (loss if weight is None else weight * loss).flatten(1).sum(1)

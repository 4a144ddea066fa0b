"""A degradation turns a clean image into an observation.

    y = A(x) + sigma e,   e ~ N(0, I)

    prox_l2    argmin_x gamma/2 |A x - y|^2 + 1/2 |x - z|^2 = z + A^T (A A^T + I/gamma)^-1 (y - A z)
    condition  E[x | y] for x ~ N(x_hat, v I)               = prox_l2 at z = x_hat, gamma = v / sigma^2
    draw       x | y    for x ~ N(x_hat, v I)               = condition x_hat + sqrt(v) e by y - sigma e'

Images x are (B, C, H, W), nominally in [0, 1]; nothing is ever clipped. A subclass is a dataclass: its
scalar fields, with the bounds and help of `option`, are its command-line options.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from restora.errors import OptionError, PairingError
from restora.gaussian import stationary
from restora.gaussian.conjugate_gradient import conjugate_gradient
from restora.gaussian.covariance import Covariance
from restora.gaussian.system import Observed
from restora.random import Generators, Window, randn

Shape = tuple[int, ...]
Operator = Callable[[Tensor], Tensor]
LMMSE_TOLERANCE = 1e-3


def option(help: str, low: float = -math.inf, high: float = math.inf) -> Mapping[str, Any]:
    """Metadata of a scalar field: what it is with its unit, and the range [low, high] it may have."""
    return {"help": help, "low": low, "high": high}


@dataclass(eq=False)
class Degradation(nn.Module):
    """Base of all degradations; the defaults suit a linear A with Gaussian noise.

    A subclass writes `A` and `A_adjoint`, and `gram` where A A^T is diagonal. Any float dtype and device.
    Raises OptionError for a field outside its type or range, ShapeError for a size that cannot be.
    """

    linear: ClassVar[bool] = True
    linearised: ClassVar[bool] = False
    """Of one that is not linear: whether E[x | y] is found better by its `tangent` and the covariance of x
    than by `condition`, which takes x for white; which it is has been measured."""
    blind: ClassVar[bool] = False
    """Whether the observation has to say what it is, by `given`; solvers never see one that is."""

    @property
    def grain(self) -> int:
        """Pixels a side that are observed together; an image can be cut only between them."""
        return 1

    sigma: float = field(
        default=0.0,
        kw_only=True,
        metadata=option("standard deviation of the added Gaussian noise, full scale = 1", 0, 1),
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Degradation:
        # A dataclass does not call nn.Module.__init__, and no field can be set before it has run.
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Tensor):
                delattr(self, entry.name)
                self.register_buffer(entry.name, value)
            else:
                validate(entry, hints[entry.name], value)

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Degradation:
        """One for `count` images (C, H, W) with options drawn at random, as the training of a network that
        serves all of them takes them; by default one with the default options."""
        return cls()

    @classmethod
    def of_file(cls, path: Path) -> dict[str, Any]:
        """The options that the file of an observation itself tells, in place of what is set; usually none."""
        return {}

    def forward(self, x: Tensor, generator: Generators = None) -> Tensor:
        """Simulate an observation: A(x) and this degradation's noise. Generators as in `random.randn`."""
        y = self.A(x)
        return y + self.sigma * randn(y.shape, generator, like=y) if self.sigma > 0 else y

    def A(self, x: Tensor) -> Tensor:
        """The observation of x without noise."""
        raise NotImplementedError

    def A_adjoint(self, y: Tensor) -> Tensor:
        """A^T y, in image space."""
        raise NotImplementedError

    def A_dagger(self, y: Tensor) -> Tensor:
        """The image of least norm among those that minimise |A x - y|.

        Where it takes conjugate gradients, 300 steps of them: what A all but loses is left at 0.
        """
        if self.gram is None:
            return conjugate_gradient(lambda x: self.A_adjoint(self.A(x)), self.A_adjoint(y), iterations=300)
        return self.A_adjoint(divide(y, as_tensor(self.gram, y)))

    @property
    def gram(self) -> Tensor | float | None:
        """The diagonal of A A^T, broadcastable to y; None where A A^T is not diagonal."""
        return None

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_x gamma/2 |A x - y|^2 + 1/2 |x - z|^2. `gamma`: in [0, inf], a number or (B, 1, 1, 1)."""
        data, prior = shares(gamma, z)
        residual = y - self.A(z)
        if self.gram is not None:
            return z + self.A_adjoint(divide(data * residual, data * as_tensor(self.gram, z) + prior))
        if bool((prior == 0).all()):
            return z + self.A_dagger(residual)
        normal = lambda d: data * self.A_adjoint(self.A(d)) + prior * d  # noqa: E731
        return z + conjugate_gradient(normal, data * self.A_adjoint(residual))

    def condition(self, x_hat: Tensor, variance: float | Tensor, y: Tensor) -> Tensor:
        """E[x | y] for x ~ N(x_hat, variance I). `variance` >= 0: a number or (B, 1, 1, 1); 0 gives x_hat."""
        variance = as_tensor(variance, x_hat)
        exact = torch.where(variance > 0, torch.inf, 0.0).to(x_hat)
        return self.prox_l2(x_hat, y, variance / self.sigma**2 if self.sigma > 0 else exact)

    def draw(
        self, x_hat: Tensor, variance: float | Tensor, y: Tensor, generator: Generators = None
    ) -> Tensor:
        """A draw of x given y when x ~ N(x_hat, variance I). Generators as in `random.randn`."""
        x = x_hat + as_tensor(variance, x_hat).sqrt() * randn(x_hat.shape, generator, like=x_hat)
        model, observed = self.perturb(x, y, generator)
        return self.fit(model.condition(x, variance, observed), y)

    def perturb(self, x: Tensor, y: Tensor, generator: Generators = None) -> tuple[Degradation, Tensor]:
        """What turns a draw x of a Gaussian into one of it given y, by `condition` or `lmmse` and then `fit`:
        the `tangent`, A itself if it is linear, and y less a draw of the noise.

        Source: Papandreou and Yuille, "Gaussian sampling by local perturbations", NIPS 2010.
        """
        model, observed = self.tangent(x, y)
        if model.sigma > 0:
            observed = observed - model.sigma * randn(observed.shape, generator, like=observed)
        return model, observed

    def lmmse(
        self,
        mean: Tensor,
        covariance: Operator,
        y: Tensor,
        seen: Observed | None = None,
        tolerance: float = LMMSE_TOLERANCE,
    ) -> Tensor:
        """E[x | y] when x ~ N(mean, C): mean + C A^T (A C A^T + sigma^2 I)^-1 (y - A mean), and then `fit`.

        `covariance` is the operator C on images (B, C, H, W); where it is a `Covariance`, its directions make
        it fast, and `seen` saves looking at them again. Conjugate gradients, until what is unexplained of
        y - A mean is `tolerance` of it. Where A is not linear, its `tangent` stands for it.
        """
        model, observed = self.tangent(mean, y)
        residual = observed - model.A(mean)
        if isinstance(covariance, Covariance):
            seen = seen or Observed(model, covariance.directions, len(y))
            solution = seen.solve(covariance, residual, tolerance)
        else:
            system = lambda u: model.A(covariance(model.A_adjoint(u))) + model.sigma**2 * u  # noqa: E731
            solution = conjugate_gradient(system, residual, tolerance)
        return self.fit(mean + covariance(model.A_adjoint(solution)), y)

    def observed_spectrum(self, spectrum: Tensor) -> Tensor | None:
        """The spectrum (C', C', h, w) of A x, for stationary x of `spectrum` (C, C, H, W); or one for each
        image, (B, C', C', h, w). As `restora.gaussian.covariance` has it; what A mixes of different
        frequencies is left out, so that it need not be exact: the closer, the faster `lmmse`. None where it
        is not known.
        """
        return None

    def solve_stationary(self, C: Covariance, residual: Tensor, tolerance: float) -> Tensor:
        """(A C A^T + sigma^2 I)^-1 residual, for C without directions; the part `tolerance` may be left."""
        return stationary.solve(self, C, residual, tolerance)

    def given(self, y: Tensor) -> Degradation:
        """What it is once the observations y (B, ...) are known: this very one, unless it is `blind`.

        A RestoraError where y does not tell.
        """
        return self

    def example(self, size: tuple[int, ...]) -> Degradation:
        """What solvers see in its place, for some observation of images of (height, width) `size`."""
        return self.given(torch.full((1, 3, *size), 0.5)) if self.blind else self

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """The linear degradation with Gaussian noise closest to this one about x, and its observation."""
        return self, y

    def fit(self, x: Tensor, y: Tensor) -> Tensor:
        """x moved to where it explains y, by as much as its `tangent` was wrong; x itself if A is linear."""
        return x

    def fidelity(self, x: Tensor, y: Tensor, p: float = 2, weight: Tensor | None = None) -> Tensor:
        """d(y, A(x)) = sum_i weight_i |A x - y|_i^p, per image: (B,). Differentiable in x."""
        return weighted_sum(self.A(x) - y, p, weight)

    def model_variance(self, x: Tensor, y: Tensor) -> Tensor:
        """How far a model x of the truth is off, by y: mean |y - A x|^2 less the noise, (B,), at least 0."""
        return ((y - self.A(x)).flatten(1).square().mean(1) - self.sigma**2).clamp(min=0)

    def white_noise(self, y: Tensor) -> Tensor | None:
        """Where A = I: the standard deviation of the noise, taken for white, (B,); else None."""
        return None

    def unclipped(self, y: Tensor, x: Tensor) -> Tensor:
        """y, and where a file cut it at 0 or 1 what it was before, on average, if x is about the image."""
        return y

    def importance(self, y: Tensor, window: int) -> Tensor | None:
        """Weights for `fidelity`, broadcastable to y, of the entries that matter; None for all alike."""
        return None

    def take(self, index: Tensor) -> Degradation:
        """This degradation for the images `index` (N,) of the batch; an index may come several times."""
        return self

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Degradation, Tensor]:
        """This degradation and its observations y of images of (H, W) `size`, for a window of them.

        By default of those that give an image of the same size, from each pixel or from those about it, so
        that only near its border a window can differ. PairingError where an image cannot be cut.
        """
        if tuple(y.shape[-2:]) != size:
            raise PairingError(
                f"{type(self).__name__} cannot be cut into pieces, as a large image has to be; expected an "
                "image that fits into one: raise their size (--tile), or crop it"
            )
        return self, window.of(y)

    def observed_shape(self, image_shape: Shape) -> Shape:
        """The shape of the observation of an image of shape (C, H, W). ShapeError where there is none."""
        return tuple(image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        """The (C, H, W) of the image behind an observation; `channels` counts where A does not keep them."""
        return tuple(observed_shape)


def as_tensor(value: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def shares(gamma: float | Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """gamma/(1 + gamma) and 1/(1 + gamma): the weights of data and prior, finite for gamma in [0, inf]."""
    gamma = as_tensor(gamma, like)
    return 1 / (1 + 1 / gamma), 1 / (1 + gamma)


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """numerator / denominator, and 0 where the denominator is 0 (the pseudo-inverse of a diagonal)."""
    positive = denominator > 0
    return torch.where(positive, numerator / torch.where(positive, denominator, 1), 0)


def weighted_sum(residual: Tensor, p: float, weight: Tensor | None) -> Tensor:
    """sum_i weight_i |residual_i|^p over all but the first axis: (B,)."""
    loss = residual.square() if p == 2 else residual.abs() if p == 1 else residual.abs() ** p
    return (loss if weight is None else weight * loss).flatten(1).sum(1)


def validate(entry: Field[Any], hint: Any, value: Any) -> None:
    """OptionError, in one line, unless `value` has the type `hint` and the range of the field's metadata."""
    if get_origin(hint) is Literal:
        expected, ok = " or ".join(map(repr, get_args(hint))), value in get_args(hint)
    elif hint in (int, float):
        low, high = entry.metadata.get("low", -math.inf), entry.metadata.get("high", math.inf)
        numeric = isinstance(value, (int, hint)) and not isinstance(value, bool)
        ok = numeric and math.isfinite(value) and low <= value <= high
        noun = "a whole number" if hint is int else "a number"
        expected = f"{noun} " + (f"from {low:g} to {high:g}" if high < math.inf else f"of at least {low:g}")
    else:
        return
    if not ok:
        meaning = entry.metadata.get("help", "")
        raise OptionError(
            f"{entry.name}: expected {expected} ({meaning}), got {value!r}; the default is {entry.default!r}"
        )


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def one_of(values: Sequence[Any], generator: torch.Generator) -> Any:
    return values[int(torch.randint(len(values), (), generator=generator))]

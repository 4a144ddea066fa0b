"""An operator: what happens to an image before it is seen, free of noise.

    u = A x

Images x are (B, C, H, W), nominally in [0, 1]; u is (B, ...). A subclass writes `forward`, and what else of A
has a formula; the rest follows from `forward` by automatic differentiation and conjugate gradients:

    adjoint          A^T u, the vector-Jacobian product
    pseudo_inverse   A^+ u, the image of least norm among those that minimise |A x - u|
    prox             argmin_x gamma/2 |A x - u|^2 + 1/2 |x - z|^2 = z + A^T (A A^T + I/gamma)^-1 (u - A z)
    tangent          A x ~ A x_0 + J (x - x_0), J the Jacobian at x_0: A itself if it is linear
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from restora import options
from restora.errors import PairingError
from restora.gaussian.conjugate_gradient import conjugate_gradient
from restora.operators.arithmetic import as_tensor, divide, per_image, shares
from restora.operators.newton import newton
from restora.random import Window

Shape = tuple[int, ...]
Map = Callable[[Tensor], Tensor]
DAGGER = 300  # conjugate gradients of a pseudo-inverse
GREY = 0.5


@dataclass(eq=False)
class Operator(nn.Module):
    """Base of all operators: a dataclass whose tensors are buffers. Works with any float dtype and device.

    Attributes:
        linear: whether A is linear; if not, solvers use its Jacobian.
        gram: the diagonal of A A^T, broadcastable to u; None if A A^T is not diagonal, or not known.
        diagonal: d, if A x = d x for each value, broadcastable to x; otherwise None.
        identity: whether A = I.
        mask: m of 0 and 1, (B or 1, 1, H, W), if A x = m x; otherwise None.
        kernel: the kernel of a convolution, (h, w) or (B, h, w); otherwise None.
        shared: whether all images of a batch have the same A.
        complex: whether u holds real and imaginary part of each channel, (B, 2C, ...).
        picture: whether A x of an image is an image: values stay in [0, 1], and white stays white.
        grain: side in pixels of the blocks that A processes together; an image can only be cut between them.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Operator:
        # A dataclass does not call nn.Module.__init__, and no field can be set before it has run.
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __post_init__(self) -> None:
        options.check(self)
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Tensor):
                delattr(self, entry.name)
                self.register_buffer(entry.name, value)

    @property
    def linear(self) -> bool:
        return True

    @property
    def gram(self) -> Tensor | float | None:
        return None

    @property
    def diagonal(self) -> Tensor | float | None:
        return None

    @property
    def identity(self) -> bool:
        return False

    @property
    def mask(self) -> Tensor | None:
        return None

    @property
    def kernel(self) -> Tensor | None:
        return None

    @property
    def shared(self) -> bool:
        return True

    @property
    def complex(self) -> bool:
        return False

    @property
    def picture(self) -> bool:
        return False

    @property
    def grain(self) -> int:
        return 1

    @property
    def trusted(self) -> bool:
        """Whether it is one of restora's own operators, which are tested."""
        return type(self).__module__.startswith("restora.")

    @property
    def has_adjoint(self) -> bool:
        """Whether it defines its adjoint, instead of automatic differentiation of A."""
        return type(self).adjoint is not Operator.adjoint

    def forward(self, x: Tensor) -> Tensor:
        """A x, (B, ...)."""
        raise NotImplementedError

    def adjoint(self, u: Tensor) -> Tensor:
        """A^T u, (B, C, H, W). If A is not linear, the adjoint of its Jacobian at a grey image."""
        from restora.operators.jacobian import Jacobian

        return Jacobian(self, self._grey(u)).adjoint(u)

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        """The image of least norm among those that minimise |A x - u|.

        Without a formula, this takes 300 steps of conjugate gradients; components that A almost removes stay
        0.
        """
        if not self.linear:
            return self.prox(self._grey(u), u, torch.inf)
        if self.gram is not None:
            return self.adjoint(divide(u, as_tensor(self.gram, u)))
        return conjugate_gradient(lambda x: self.adjoint(self(x)), self.adjoint(u), iterations=DAGGER)

    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_x gamma/2 |A x - u|^2 + 1/2 |x - z|^2. `gamma`: in [0, inf], a number or (B, 1, 1, 1).

        If A is not linear, this uses Newton's method with its Jacobians.
        """
        if not self.linear:
            return newton(self, z, u, gamma, shares(gamma, z))
        data, prior = shares(gamma, z)
        residual = u - self(z)
        if self.gram is not None:
            data, prior = per_image(data, u), per_image(prior, u)
            return z + self.adjoint(divide(data * residual, data * as_tensor(self.gram, z) + prior))
        if bool((prior == 0).all()):
            return z + self.pseudo_inverse(residual)
        normal = lambda d: data * self.adjoint(self(d)) + prior * d  # noqa: E731
        return z + conjugate_gradient(normal, data * self.adjoint(residual))

    def tangent(self, x: Tensor) -> tuple[Operator, Tensor]:
        """The Jacobian J at x_0 = x, and the offset A x_0 - J x_0: A x ~ offset + J x."""
        if self.linear:
            return self, x.new_zeros(())
        from restora.operators.jacobian import tangent

        return tangent(self, x)

    def take(self, index: Tensor) -> Operator:
        """A for the images `index` (N,) of the batch; indices may be repeated."""
        return self

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """A, and the observations y of images of size (H, W), restricted to a window of the images.

        The default is for an A that sees each pixel alone or with its neighbours, so that a window differs
        from the whole only near its border.

        Raises:
            PairingError: if images cannot be cut.
        """
        if tuple(y.shape[-2:]) != size:
            raise uncut(self)
        return self, window.of(y)

    def spectrum(self, spectrum: Tensor) -> Tensor | None:
        """The spectrum (C', C', h, w) of A x for stationary x of `spectrum` (C, C, H, W), or one per image,
        (B, C', C', h, w). It can be approximate: a better one makes the posterior mean faster. None if
        unknown.
        """
        return None

    def preconditioner(self, spectrum: Tensor, gain: Tensor | None, noise: float) -> Map | None:
        """An approximation of (G A C A^T G + noise I)^-1, for stationary x of `spectrum` and G = diag(gain);
        None for the default, which follows from `spectrum`."""
        return None

    def _verify(self, image_shape: Shape, dtype: torch.dtype = torch.float32) -> torch.dtype:
        """OptionError where a user's operator is not what it was said to be; each is tried once for a shape.
        Gives the dtype in which to compute, float32 where it is no more accurate, else `dtype`."""
        from restora.operators.checking import check

        known: set[Shape] = self.__dict__.setdefault("_verified", set())
        if tuple(image_shape) not in known and not self.trusted:
            check(self, image_shape)
            known.add(tuple(image_shape))
        return dtype

    def restrict(self, y: Tensor) -> Tensor:
        """Observations y without the values that do not count, such as those in a hole."""
        return y

    def observed_shape(self, image_shape: Shape) -> Shape:
        """The shape of u for an image of shape (C, H, W). ShapeError if A does not accept such images."""
        return tuple(image_shape)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        """Image shape (C, H, W) implied by the shape of u; `channels` is used if A does not preserve
        channels."""
        return tuple(observed_shape)

    def __matmul__(self, first: Operator) -> Operator:
        """A after `first`."""
        from restora.operators.composition import compose

        return compose(first, self)

    def _grey(self, u: Tensor) -> Tensor:
        return u.new_full((len(u), *self.image_shape(tuple(u.shape[1:]))), GREY)


def verify(operator: Operator, image_shape: Shape, dtype: torch.dtype = torch.float32) -> torch.dtype:
    """Check what a user wrote, once, on images of this shape (C, H, W); the dtype in which A works."""
    return operator._verify(image_shape, dtype)


def uncut(operator: Operator) -> PairingError:
    return PairingError(
        f"{type(operator).__name__} does not support tiles, which large images need; expected an "
        "image that fits into one tile: increase the tile size (tile), or crop the image"
    )

"""Any function as an operator: a user's A, with or without its adjoint, linear or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restora.errors import CallError, OptionError, RestoraError, ShapeError
from restora.operators.base import Map, Operator, Shape
from restora.random import Window


@dataclass(eq=False, init=False)
class Function(Operator):
    """`A`: images (B, C, H, W) -> u (B, ...), acting on each image by itself; a function or an nn.Module.

    Args:
        A: made of differentiable operations, unless it is linear and comes with its adjoint.
        adjoint: u -> images, with <A x, u> = <x, adjoint u>. Left out: the vector-Jacobian product of A.
        linear: False where A is not linear.
        shape: the (C, H, W) of images. Left out, A is tried on images of the shape of u.
    """

    linear: bool = True

    def __init__(
        self, A: Map, adjoint: Map | None = None, *, linear: bool = True, shape: Shape | None = None
    ):
        for name, value in (("A", A), ("adjoint", adjoint)):
            if value is not None and not callable(value):
                raise OptionError(f"{name}: expected a function of a tensor, got {type(value).__name__}")
        self.A, self.transposed, self.linear, self.shape = A, adjoint, linear, shape
        # What trials found: the dtype that a function takes, shapes, and shapes for which it was checked.
        self._dtypes: dict[str, torch.dtype] = {}
        self._shapes: dict[tuple[str, Shape], Shape] = {}
        self._verified: set[Shape] = set()
        # Follows .to(), so that shapes can be found by a trial on the right device.
        self.register_buffer("trial", torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self._call("A", self.A, x)

    def adjoint(self, u: Tensor) -> Tensor:
        return super().adjoint(u) if self.transposed is None else self._call("adjoint", self.transposed, u)

    def observed_shape(self, image_shape: Shape) -> Shape:
        key = ("A", tuple(image_shape))
        if key not in self._shapes:
            self._shapes[key] = tuple(self(self._trial(image_shape)).shape[1:])
        return self._shapes[key]

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        """By the adjoint, if it was given. ShapeError where the shape of images cannot be found."""
        if self.shape is not None:
            return self.shape
        if self.transposed is not None:
            key = ("adjoint", tuple(observed_shape))
            if key not in self._shapes:
                self._shapes[key] = tuple(self.adjoint(self._trial(observed_shape)).shape[1:])
            return self._shapes[key]
        if len(observed_shape) == 3:
            for count in dict.fromkeys((observed_shape[0], channels)):
                guess = (count, *observed_shape[1:])
                if self._seen(guess) == tuple(observed_shape):
                    return guess
        raise ShapeError(
            f"the images behind observations of shape {tuple(observed_shape)} are not known; "
            "give Function(A, shape=(C, H, W)), or an adjoint"
        )

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """PairingError: what A does to a part of an image is not known."""
        return super().window(window, y, (-1, -1))

    def _verify(self, image_shape: Shape, dtype: torch.dtype = torch.float32) -> torch.dtype:
        """`check`, once for each shape; and whether A takes float64 and gives it, if it has to."""
        shape = tuple(image_shape)
        if shape not in self._verified:
            self._check_batch(shape)
            self.check(shape)
            self._verified.add(shape)
        if dtype == torch.float64 and "double" not in self._dtypes:
            self._dtypes["double"] = self._accuracy(shape)
        return self._dtypes["double"] if dtype == torch.float64 else dtype

    def _accuracy(self, image_shape: Shape) -> torch.dtype:
        try:
            found: Any = self.A(self._trial(image_shape).double())
        except Exception:  # A, called as it is here, tells no more than that it takes no float64
            return torch.float32
        return torch.float64 if str(found.dtype).endswith("float64") else torch.float32

    def check(self, image_shape: Shape, tolerance: float = 1e-3) -> None:
        """OptionError unless <A x, u> = <x, adjoint u>, but for the part `tolerance` of |A x| |u|.

        x is random, and u is A x and as much that is random: what a wrong adjoint does shows best along A x.
        """
        generator = torch.Generator().manual_seed(0)
        x = self._random((1, *image_shape), generator)
        Ax = self(x).detach()
        u = self._random(Ax.shape, generator).to(Ax)
        u = Ax + Ax.norm() / u.norm().clamp(min=torch.finfo(u.dtype).tiny) * u
        if not self.linear:
            return
        if not bool(Ax.any()):
            raise OptionError(
                "A: expected observations that tell something of an image, got 0 for one of random values; "
                "is the map right for images of this size?"
            )
        back = self.adjoint(u)
        if back.shape != x.shape:
            raise OptionError(
                f"adjoint: expected images of shape {tuple(image_shape)}, got {tuple(back.shape[1:])}; is it "
                "the transpose of A?"
            )
        left, right = _product(Ax, u), _product(x, back)
        off = abs(left - right) / float(Ax.double().norm() * u.double().norm())
        if not off <= tolerance:
            self._blame(x, Ax, off, tolerance, generator)

    def _check_batch(self, image_shape: Shape, tolerance: float = 1e-3) -> None:
        """OptionError where A of an image depends on the others of its batch."""
        x = self._random((2, *image_shape), torch.Generator().manual_seed(1)).mul_(0.1).add_(0.5)
        x[1] /= 2
        alone = torch.cat([self(part) for part in x.split(1)])
        try:
            beside = self(x)
        except CallError:  # it takes one image at a time, and says so where more are needed
            return
        if beside.shape == alone.shape:
            off = float((beside - alone).norm() / alone.norm().clamp(min=torch.finfo(alone.dtype).tiny))
            if off <= tolerance:
                return
        raise OptionError(
            "A: expected each image to be seen by itself, got other values of two together than of each "
            "alone; keep apart what belongs to different images (axis 0)"
        )

    def _blame(self, x: Tensor, Ax: Tensor, off: float, tolerance: float, generator: torch.Generator) -> None:
        z = self._random(x.shape, generator)
        both = self(x + z)
        stray = float((both - Ax - self(z)).norm() / both.norm())
        if not stray <= tolerance or self.transposed is None:
            stray = max(stray, off) if self.transposed is None else stray
            raise OptionError(
                f"A: expected a linear map, got a relative error of {stray:.2g} between A(x + z) and "
                "A x + A z; subtract what A adds, or say Function(A, linear=False)"
            )
        raise OptionError(
            f"adjoint: expected <A x, u> = <x, adjoint u>, got a relative error of {off:.2g}; is it the "
            "transpose of A, on the same image size?"
        )

    def _call(self, role: str, function: Map, x: Tensor) -> Tensor:
        """What a user's function gives, as a tensor like x. One that takes no other dtype gets its own."""
        own = self._dtypes.get(role, x.dtype)
        try:
            try:
                found: Any = function(x.to(own, copy=True))  # it may write on it
            except RuntimeError as error:
                if "type" not in str(error):
                    raise
                own = torch.float32 if own == torch.float64 else torch.float64
                found = function(x.to(own, copy=True))
                self._dtypes[role] = own
        except RestoraError:
            raise
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "")
            raise CallError(
                f"{role} ({_name(function)}) raised {type(error).__name__} on a tensor of shape "
                f"{tuple(x.shape)}: {reason}"
            ) from error
        if isinstance(found, np.ndarray):
            found = torch.from_numpy(found)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            kind = (
                f"{found.dtype}".removeprefix("torch.") if isinstance(found, Tensor) else type(found).__name__
            )
            raise CallError(
                f"{role} ({_name(function)}): expected a tensor of floats, got {kind}; of complex "
                "numbers, return torch.view_as_real"
            )
        if found.ndim < 2 or len(found) != len(x):
            raise CallError(
                f"{role} ({_name(function)}): expected (B, ...) as of its argument, {tuple(x.shape)}, got "
                f"{tuple(found.shape)}"
            )
        return found.to(x)

    def _random(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float32).to(
            self.get_buffer("trial")
        )

    def _trial(self, shape: Shape) -> Tensor:
        return self.get_buffer("trial").new_zeros(1, *shape)

    def _seen(self, image_shape: Shape) -> Any:
        try:
            return self.observed_shape(image_shape)
        except (RestoraError, RuntimeError, ValueError, IndexError):
            return None


def _product(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())


def _name(function: Map) -> str:
    return getattr(function, "__qualname__", type(function).__name__)

"""Any function as an operator: a user's A, with or without its adjoint, linear or not."""

from __future__ import annotations

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
    """Your own A: images (B, C, H, W) to u (B, ...), for each image separately; a function or an nn.Module.

    Args:
        A: made of differentiable operations, unless it is linear and `adjoint` is given.
        adjoint: u to images, with <A x, u> = <x, adjoint u>. By default, automatic differentiation of A.
        linear: False if A is not linear.
        shape: the (C, H, W) of images. By default, images have the shape of u.
    """

    linear: bool = True

    def __init__(
        self, A: Map, adjoint: Map | None = None, *, linear: bool = True, shape: Shape | None = None
    ):
        for name, value in (("A", A), ("adjoint", adjoint)):
            if value is not None and not callable(value):
                raise OptionError(f"{name}: expected a function of a tensor, got {type(value).__name__}")
        self.A, self.transposed, self.linear, self.shape = A, adjoint, linear, shape
        # What trials found: the dtype that a function takes, and shapes.
        self._dtypes: dict[str, torch.dtype] = {}
        self._shapes: dict[tuple[str, Shape], Shape] = {}
        # Follows .to(), so that shapes can be found by a trial on the right device.
        self.register_buffer("trial", torch.empty(0), persistent=False)

    @property
    def trusted(self) -> bool:
        return False

    @property
    def has_adjoint(self) -> bool:
        return self.transposed is not None

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
        """As in the base; and whether A takes float64 and gives it, if it has to."""
        super()._verify(image_shape, dtype)
        if dtype == torch.float64 and "double" not in self._dtypes:
            self._dtypes["double"] = self._accuracy(tuple(image_shape))
        return self._dtypes["double"] if dtype == torch.float64 else dtype

    def _accuracy(self, image_shape: Shape) -> torch.dtype:
        try:
            found: Any = self.A(self._trial(image_shape).double())
        except Exception:  # A, called as it is here, tells no more than that it takes no float64
            return torch.float32
        return torch.float64 if str(found.dtype).endswith("float64") else torch.float32

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

    def _trial(self, shape: Shape) -> Tensor:
        return self.get_buffer("trial").new_zeros(1, *shape)

    def _seen(self, image_shape: Shape) -> Any:
        try:
            return self.observed_shape(image_shape)
        except (RestoraError, RuntimeError, ValueError, IndexError):
            return None


def _name(function: Map) -> str:
    return getattr(function, "__qualname__", type(function).__name__)

"""Whether an operator is what it says it is, tried on random images: linear, with its transpose as adjoint.

|<A x, u> - <x, A^T u>| <= tolerance |A x| |u|
"""

from __future__ import annotations

import torch
from torch import Tensor

from restora.errors import CallError, OptionError
from restora.operators.base import Operator, Shape

TOLERANCE = 1e-3


def check(operator: Operator, image_shape: Shape, tolerance: float = TOLERANCE) -> None:
    """OptionError, with the relative error, unless a linear operator is linear and its adjoint its transpose,
    and unless each image is seen by itself.

    x is random, and u is A x and as much that is random: what a wrong adjoint does shows best along A x.
    """
    if operator.shared:
        _check_batch(operator, tuple(image_shape), tolerance)
    first = operator if operator.shared else operator.take(torch.zeros(1, dtype=torch.long))
    _check_adjoint(first, tuple(image_shape), tolerance)


def _check_adjoint(operator: Operator, image_shape: Shape, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = _random(operator, (1, *image_shape), generator)
    Ax = operator(x).detach()
    u = _random(operator, tuple(Ax.shape), generator).to(Ax)
    u = operator.restrict(Ax + Ax.norm() / u.norm().clamp(min=_tiny(u)) * u)
    if not operator.linear:
        return
    if not bool(Ax.any()):
        raise OptionError(
            "A: expected observations that depend on the image, got 0 for random values; is "
            "the map right for images of this size?"
        )
    back = operator.adjoint(u)
    if back.shape != x.shape:
        raise OptionError(
            f"adjoint: expected images of shape {image_shape}, got {tuple(back.shape[1:])}; is it the "
            "transpose of A?"
        )
    left, right = _product(Ax, u), _product(x, back)
    off = abs(left - right) / float(Ax.double().norm() * u.double().norm())
    if not off <= tolerance:
        _blame(operator, x, Ax, off, tolerance, generator)


def _blame(
    operator: Operator, x: Tensor, Ax: Tensor, off: float, tolerance: float, generator: torch.Generator
) -> None:
    z = _random(operator, tuple(x.shape), generator)
    both = operator(x + z)
    stray = float((both - Ax - operator(z)).norm() / both.norm())
    own = operator.has_adjoint
    if not stray <= tolerance or not own:
        raise OptionError(
            f"A: expected a linear map, got a relative error of {stray if own else max(stray, off):.2g} "
            "between A(x + z) and A x + A z; subtract what A adds, or say Function(A, linear=False)"
        )
    raise OptionError(
        f"adjoint: expected <A x, u> = <x, adjoint u>, got a relative error of {off:.2g}; is it the "
        "transpose of A, on the same image size?"
    )


def _check_batch(operator: Operator, image_shape: Shape, tolerance: float) -> None:
    x = _random(operator, (2, *image_shape), torch.Generator().manual_seed(1)).mul_(0.1).add_(0.5)
    x[1] /= 2
    alone, again = (torch.cat([operator(part) for part in x.split(1)]) for _ in range(2))
    if not bool(alone.isfinite().all()):
        raise OptionError("A: expected finite values, got NaN or infinite ones of an image between 0 and 1")
    if float((again - alone).norm()) > tolerance * float(alone.norm()):
        raise OptionError(
            "A: expected the same values of the same image, got others the second time; leave what is "
            "random out of A, and give it as noise"
        )
    try:
        beside = operator(x)
    except CallError:  # it takes one image at a time, and says so where more are needed
        return
    if beside.shape == alone.shape:
        off = float((beside - alone).norm() / alone.norm().clamp(min=_tiny(alone)))
        if off <= tolerance:
            return
    raise OptionError(
        "A: expected each image to be processed alone, got other values for two images together; "
        "do not mix the images of a batch (axis 0)"
    )


def _random(operator: Operator, shape: Shape, generator: torch.Generator) -> Tensor:
    place = next(operator.buffers(), torch.empty(0)).device
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(place)


def _product(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())


def _tiny(like: Tensor) -> float:
    return torch.finfo(like.dtype).tiny

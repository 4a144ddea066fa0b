"""What every operator has to do: against its own matrix, on a tiny image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from restora.errors import RestoraError
from restora.operators import Operator
from restora.random import Window
from restora.testing.compare import close, images, inner, normal, require, slope

CONDITION = 100.0  # of a matrix whose pseudo-inverse is compared value by value
CUT = 2e-3  # what a pseudo-inverse may leave where A all but loses something
GAMMAS = (0.3, 50.0)


def check_operator(
    operator: Operator, image_shape: Sequence[int], *, batch: int = 3, tolerance: float = 1e-6, seed: int = 0
) -> None:
    """Check that the members of an operator are consistent, in float64 and in float32.

    It checks shapes in both directions, the dtype of results, that the images of a batch do not affect each
    other, `gram`, `diagonal`, `identity` and `mask` if they are defined, and:

    - if A is linear: linearity, <A x, u> = <x, A^T u>, and the pseudo-inverse and the proximal operator
      against the matrix of A. The image must be tiny, because the matrix has one column per value.
    - if it is not: its Jacobian against finite differences, and the Jacobian as a linear operator; `prox`
      is a local minimum; and the pseudo-inverse is consistent with its input.

    Args:
        operator: the operator to check.
        image_shape: (C, H, W) of the test images, such as (3, 12, 12).
        batch: number of images; that of the operator, if it has one A per image.
        tolerance: the largest difference that counts as rounding.
        seed: seed of the random images.

    Raises:
        AssertionError: if a check fails; the message is one line.
    """
    shape = tuple(image_shape)
    x = images(batch, shape, seed)
    _check_shapes(operator, shape, x)
    _check_dtypes(operator, x)
    _check_batches(operator, x, tolerance)
    _check_claims(operator, x, tolerance)
    if operator.linear:
        _check_linear(operator, x, tolerance)
        _check_against_matrix(operator, x, tolerance)
    else:
        _check_tangent(operator, x, tolerance)
        _check_nonlinear(operator, x)


def matrix(operator: Operator, image_shape: Sequence[int]) -> Tensor:
    """The matrix of a linear operator for the first image of its batch, (m, C H W), float64."""
    size = math.prod(image_shape)
    basis = torch.eye(size, dtype=torch.float64).view(size, *image_shape)
    return _first(operator, size)(basis).flatten(1).T


def _first(operator: Operator, count: int) -> Operator:
    """The operator of the first image, for `count` images."""
    return operator.take(torch.zeros(count, dtype=torch.long))


def _check_shapes(operator: Operator, shape: tuple[int, ...], x: Tensor) -> None:
    u = operator(x)
    observed = tuple(operator.observed_shape(shape))
    require(u.shape == (len(x), *observed), f"A x: observed_shape says {observed}, got {tuple(u.shape[1:])}")
    back = tuple(operator.image_shape(observed, shape[0]))
    require(back == shape, f"image_shape: expected {shape} for {observed}, got {back}")
    for name in ("adjoint", "pseudo_inverse"):
        found = tuple(getattr(operator, name)(u).shape)
        require(found == tuple(x.shape), f"{name}: expected shape {tuple(x.shape)}, got {found}")
    close(operator.restrict(u), u, "restrict: expected A x to stay as it is", 0)
    _check_window(operator, u, shape)


def _check_window(operator: Operator, u: Tensor, shape: tuple[int, ...]) -> None:
    """A window has an operator for images of its size, or is refused."""
    window = Window(0, 0, *(side - side % operator.grain for side in shape[-2:]))
    try:
        part, y = operator.window(window, u, (shape[-2], shape[-1]))
    except RestoraError:
        return
    expected = (len(u), *part.observed_shape((*shape[:-2], window.height, window.width)))
    require(tuple(y.shape) == expected, f"window: expected y of shape {expected}, got {tuple(y.shape)}")


def _check_dtypes(operator: Operator, x: Tensor) -> None:
    for dtype in (torch.float32, torch.float64):
        z = x.to(dtype)
        u = operator(z)
        results = {
            "A x": u,
            "adjoint": operator.adjoint(u),
            "pseudo_inverse": operator.pseudo_inverse(u),
            "prox": operator.prox(z, u, 3.0),
        }
        for name, found in results.items():
            require(found.dtype == dtype, f"{name}: expected {dtype}, got {found.dtype}")
            require(found.isfinite().all(), f"{name}: got NaN or infinite values in {dtype}")


def _check_batches(operator: Operator, x: Tensor, tolerance: float) -> None:
    u = operator(x)
    back, moved = operator.adjoint(u), operator.prox(1 - x, u, 2.0)
    for i in range(len(x)):
        index = torch.tensor([i])
        one = operator.take(index)
        close(one(x[index]), u[index], "A x of an image by itself, after take", tolerance)
        close(one.adjoint(u[index]), back[index], "A^T u of an image by itself, after take", tolerance)
        close(one.prox(1 - x[index], u[index], 2.0), moved[index], "prox of an image by itself", tolerance)
    index = torch.tensor([len(x) - 1, 0, 0])
    close(operator.take(index)(x[index]), u[index], "A x after take, which may repeat images", tolerance)
    if operator.shared:
        close(_first(operator, len(x))(x), u, "A x of a shared operator: expected one A for all", tolerance)
        none = tuple(operator(x[:0]).shape)
        require(none == (0, *u.shape[1:]), f"A x of no images: expected no rows, got shape {none}")


def _check_claims(operator: Operator, x: Tensor, tolerance: float) -> None:
    """The properties that say A is of a simple form."""
    u = operator(x)
    if operator.identity:
        close(u, x, "identity: expected A x = x", tolerance)
    if operator.diagonal is not None:
        d = torch.as_tensor(operator.diagonal).to(x)
        close(u, d * x, "diagonal: expected A x = d x", tolerance)
    if operator.mask is not None:
        m = operator.mask.to(x)
        close(u, m * x, "mask: expected A x = m x", tolerance)


def _check_linear(operator: Operator, x: Tensor, tolerance: float) -> None:
    a, b = x - 0.5, normal(x, 1)
    close(operator(2 * a - 3 * b), 2 * operator(a) - 3 * operator(b), "A (2 a - 3 b): not linear", tolerance)
    u = normal(operator(x), 2)
    left, right = inner(operator(b), u), inner(b, operator.adjoint(u))
    close(left, right, "<A x, u> = <x, A^T u>: the adjoint is not the transpose", tolerance)
    same, offset = operator.tangent(x)
    close(offset + same(x), operator(x), "tangent: expected A itself, with offset 0", tolerance)


def _check_against_matrix(operator: Operator, x: Tensor, tolerance: float) -> None:
    A, gram = matrix(operator, x.shape[1:]), operator.gram
    z, u = x[0].flatten(), normal(operator(x), 3)
    if gram is not None:
        values = torch.as_tensor(gram).to(x).expand_as(u)[0].flatten()
        close(A @ A.T, values.diag(), "gram: expected the diagonal of A A^T, the rest 0", tolerance)
    singular = torch.linalg.svdvals(A)
    kept = singular[singular > 1e-9 * singular.max()]
    sound = len(kept) > 0 and kept.max() < CONDITION * kept.min()
    if sound:
        expected = torch.linalg.pinv(A, rtol=1e-9) @ u[0].flatten()
        found = operator.pseudo_inverse(u)[0].flatten()
        close(found, expected, "pseudo_inverse: expected that of the matrix", 10 * tolerance)
    Ax = operator(x)
    again = operator(operator.pseudo_inverse(Ax))
    close(again, Ax, "A A^+ A x: expected A x", 10 * tolerance if sound else CUT)
    eye = torch.eye(A.shape[1]).to(A)
    for gamma in GAMMAS:
        expected = torch.linalg.solve(gamma * A.T @ A + eye, gamma * A.T @ u[0].flatten() + z)
        found = operator.prox(x, u, gamma)[0].flatten()
        close(found, expected, f"prox for gamma={gamma}: expected that of the matrix", 10 * tolerance)
    each = torch.linspace(0, 30, len(x)).to(x).view(-1, 1, 1, 1)
    found = operator.prox(x, u, each)
    close(found[0], x[0], "prox for gamma=0: expected z", 10 * tolerance)
    alone = operator.prox(x, u, each[-1].item())
    close(found[-1], alone[-1], "prox with one gamma an image", 10 * tolerance)
    exact = operator(operator.prox(1 - x, Ax, math.inf))
    close(exact, Ax, "prox for gamma=inf: expected A x = u", 10 * tolerance if sound else CUT)


def _check_tangent(operator: Operator, x: Tensor, tolerance: float) -> None:
    jacobian, offset = operator.tangent(x)
    require(jacobian.linear, "tangent: expected a linear operator")
    close(offset + jacobian(x), operator(x), "tangent: expected offset + J x = A x", tolerance)
    direction = normal(x, 4)
    expected = slope(operator, x, direction, 1e-6)
    close(jacobian(direction), expected, "tangent: expected the derivative of A", 1e-4)
    _check_linear(jacobian, x, tolerance)
    index = torch.tensor([len(x) - 1])
    close(jacobian.take(index)(x[index]), jacobian(x)[index], "tangent after take", tolerance)


def _check_nonlinear(operator: Operator, x: Tensor) -> None:
    """Newton's method gets near; so that these are only roughly what they are for a linear A."""
    u = operator(x)
    close(operator(operator.pseudo_inverse(u)), u, "A A^+ u: expected u, for u = A x", 1e-2)
    z = images(len(x), x.shape[1:], 5)
    for gamma in GAMMAS:
        best = operator.prox(z, u, gamma)

        def objective(v: Tensor, gamma: float = gamma) -> Tensor:
            return gamma / 2 * inner(operator(v) - u, operator(v) - u) + inner(v - z, v - z) / 2

        for step in (1.0, 0.1):
            other = objective(best + step * normal(best, 6))
            require((objective(best) <= other + 1e-9).all(), f"prox for gamma={gamma}: not a minimum")
        require((objective(best) <= objective(z) + 1e-9).all(), f"prox for gamma={gamma}: no better than z")

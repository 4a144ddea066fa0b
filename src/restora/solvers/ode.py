"""The flow's equation of motion, with the denoiser of the prior or that of the posterior.

    dw/dt = (E_t(w) - w) / (1 - t),   t_i = sin^2(pi i / 2 N)

by the midpoint rule, which never asks for E at t = 1, and is exact where E does not depend on w. Steps are
short at both ends: coarse features with much variance settle near t = 0, the finest near t = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

Denoiser = Callable[[Tensor, float], Tensor]


def times(steps: int) -> list[float]:
    """t_0 = 0, ..., t_N = 1."""
    return [math.sin(math.pi * i / (2 * steps)) ** 2 for i in range(steps)] + [1.0]


def slope(denoiser: Denoiser, w: Tensor, t: float, after: float) -> Tensor:
    """dw/dt halfway from t < 1 to `after`, before it or behind it: w + (after - t) slope is the next w."""
    half = (after - t) / 2
    middle = w + half * (denoiser(w, t) - w) / (1 - t)
    return (denoiser(middle, t + half) - middle) / (1 - t - half)

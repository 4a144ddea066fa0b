"""A normal variable held to an interval.

    E[x | lo < x < hi] = m + s (phi(a) - phi(b)) / (Phi(b) - Phi(a)),   x ~ N(m, s^2)
    a = (lo - m)/s,  b = (hi - m)/s

Both differences vanish in the tails. So the interval is mirrored until a + b <= 0, and the quotient taken as
r(b) E / (1 - (1 + E) erfcx(-a/sqrt 2)/erfcx(-b/sqrt 2)), with r(b) = phi(b)/Phi(b) the inverse Mills ratio
and E = expm1((b - a)(b + a)/2), in which nothing over- or underflows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def inverse_mills(u: Tensor) -> Tensor:
    """phi(u) / Phi(u), for any u: the hazard of a normal variable seen from the right."""
    return math.sqrt(2 / math.pi) / torch.special.erfcx(-u / math.sqrt(2))


def truncated_mean(mean: Tensor, std: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """E[x | low < x < high] for x ~ N(mean, std^2), std > 0; always within [low, high].

    An infinite end is allowed. The error is about eps std^2 / (high - low), eps that of the dtype.
    """
    a, b = (low - mean) / std, (high - mean) / std
    mirror = b > -a
    a, b = torch.where(mirror, -b, a), torch.where(mirror, -a, b)
    rise = torch.expm1((b - a) * (b + a) / 2)
    outside = (1 + rise) * torch.special.erfcx(-a / math.sqrt(2)) / torch.special.erfcx(-b / math.sqrt(2))
    shift = inverse_mills(b) * rise / (1 - outside)
    shift = torch.where(mirror, -shift, shift).nan_to_num(0.0)
    return torch.minimum(torch.maximum(mean + std * shift, low), high)

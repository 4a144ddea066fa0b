"""A normal variable held to an interval: its mean, and draws of it.

    E[x | lo < x < hi] = m + s (phi(a) - phi(b)) / (Phi(b) - Phi(a)),   x ~ N(m, s^2)
    a = (lo - m)/s,  b = (hi - m)/s

Both differences vanish in the tails. So the interval is mirrored until a + b <= 0, and the quotient taken as
r(b) E / (1 - (1 + E) erfcx(-a/sqrt 2)/erfcx(-b/sqrt 2)), with r(b) = phi(b)/Phi(b) the inverse Mills ratio
and E = expm1((b - a)(b + a)/2), in which nothing over- or underflows.

A draw is x = m + s Phi^-1(Phi(a) + u (Phi(b) - Phi(a))), u uniform. In the tail, with r = Phi(a)/Phi(b),
x = m + s (b - d) where

    log(Phi(b - d)/Phi(b)) = b d - d^2/2 + log(erfcx((d - b)/sqrt 2)/erfcx(-b/sqrt 2)) = log(r + u (1 - r))
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TAIL = -5.0  # below it, Phi is inverted by Newton's method
NEWTON = 4  # steps


def inverse_mills(u: Tensor) -> Tensor:
    """phi(u) / Phi(u), for any u: the hazard of a normal variable seen from the right."""
    return math.sqrt(2 / math.pi) / torch.special.erfcx(-u / math.sqrt(2))


def normal_cdf(u: Tensor) -> Tensor:
    """Phi(u), exact in the left tail too."""
    return torch.special.erfc(-u / math.sqrt(2)) / 2


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


def unclipped(y: Tensor, mean: Tensor, std: Tensor, low: float = -torch.inf) -> Tensor:
    """y ~ N(mean, std^2), of which a file has cut what is beyond 0 and 1: its mean there, else y itself.

    An image with values beyond them was not cut. `low`: what y cannot fall below; 0: it is not cut there.
    """
    inside = ((y >= 0) & (y <= 1)).flatten(1).all(1).view(-1, 1, 1, 1)
    zero, one = torch.zeros_like(y), torch.ones_like(y)
    above = truncated_mean(mean, std, one, one * torch.inf)
    found = torch.where(y >= 1, above, y)
    if low < 0:
        found = torch.where(y <= 0, truncated_mean(mean, std, zero + low, zero), found)
    return torch.where(inside, found, y)


def truncated_draw(mean: Tensor, std: Tensor, low: Tensor, high: Tensor, noise: Tensor) -> Tensor:
    """x ~ N(mean, std^2) given low < x < high, std > 0, made of standard normal noise; within [low, high].

    It grows with `noise`, and is mean + std noise if the interval is infinite. An infinite end is allowed.
    """
    m, s, n, lo, hi = (value.double() for value in torch.broadcast_tensors(mean, std, noise, low, high))
    a, b = (lo - m) / s, (hi - m) / s
    mirror = b > -a
    a, b = torch.where(mirror, -b, a), torch.where(mirror, -a, b)
    share = normal_cdf(torch.where(mirror, -n, n))
    below = normal_cdf(a)
    x = torch.special.ndtri((below + share * (normal_cdf(b) - below)).clamp(max=1 - 2**-53))
    tail = b < TAIL
    x[tail] = _tail_draw(a[tail], b[tail], share[tail])
    x = m + s * torch.where(mirror, -x, x)
    return torch.minimum(torch.maximum(x.to(mean), low), high)


def _tail_draw(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """x = b - d by Newton's method, which starts at too large a d and, log Phi being concave, keeps there."""
    outside = _log_ratio(b, b - a).exp()
    target = (outside + share * (1 - outside)).log()
    d = -2 * target / ((b.square() - 2 * target).sqrt() - b)
    for _ in range(NEWTON):
        d = d + (_log_ratio(b, d) - target) / inverse_mills(b - d)
    return b - d


def _log_ratio(b: Tensor, d: Tensor) -> Tensor:
    """log Phi(b - d) - log Phi(b), for d >= 0, free of cancellation."""
    erfcx = torch.special.erfcx
    ratio = erfcx((d - b) / math.sqrt(2)) / erfcx(-b / math.sqrt(2))
    return torch.where(d < torch.inf, b * d - d.square() / 2 + ratio.log(), -torch.inf)

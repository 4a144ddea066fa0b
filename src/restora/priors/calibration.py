"""How sure an estimate is, made true on images that were held out.

    s' = f_k s,   k the tenth that s lies in;   |x - x_hat| <= q_p s' for a part p of all values

f_k is the root mean square error over the root mean square of s, and q_p the quantile of |x - x_hat| / s', of
the values of held-out images: split conformal prediction (Papadopoulos et al., ECML 2002). It holds on
average over values of images like those, for damage of the same kind and strength.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor

TENTHS = 10
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
KNOWN = 1e-3  # full scale 1: values that are as good as known are left out
ALL = "all"
LEAST = 1e-6


@dataclass(frozen=True)
class Calibration:
    """edges: of s between tenths, 9. factors: f_k, 10. reach: q_p by p."""

    edges: tuple[float, ...]
    factors: tuple[float, ...]
    reach: Mapping[float, float]

    def correct(self, std: Tensor) -> Tensor:
        """s' of s, of any shape."""
        edges, factors = torch.tensor(self.edges).to(std), torch.tensor(self.factors).to(std)
        return std * factors[torch.bucketize(std.contiguous(), edges)]

    def width(self, level: float) -> float:
        """q_p for any p in (0, 1): between those that were measured along the quantiles of a normal variable,
        beyond them in proportion to these."""
        levels, values = sorted(self.reach), [self.reach[p] for p in sorted(self.reach)]
        places = [normal(p) for p in levels]
        at = normal(level)
        if at <= places[0] or at >= places[-1]:
            end = 0 if at <= places[0] else -1
            return values[end] * at / places[end]
        return float(np.interp(at, places, values))

    def facts(self) -> dict[str, Any]:
        """JSON types, for a card."""
        reach = {str(level): value for level, value in self.reach.items()}
        return {"edges": list(self.edges), "factors": list(self.factors), "reach": reach}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Calibration:
        """What `facts` gave."""
        reach = {float(level): float(value) for level, value in facts["reach"].items()}
        return cls(tuple(facts["edges"]), tuple(facts["factors"]), reach)

    @classmethod
    def measured(cls, std: Tensor, wrong: Tensor) -> Calibration:
        """Of predicted deviations s (N,) and what x - x_hat (N,) was."""
        kept = std >= KNOWN
        if int(kept.sum()) < TENTHS**2:
            kept = torch.ones_like(kept)
        std, wrong = std[kept].double(), wrong[kept].double()
        edges = torch.from_numpy(np.quantile(std.numpy(), np.arange(1, TENTHS) / TENTHS))
        tenth = torch.bucketize(std, edges)
        factors = [_ratio(wrong[tenth == k], std[tenth == k]) for k in range(TENTHS)]
        found = cls(tuple(edges.tolist()), tuple(factors), {})
        score = (wrong.abs() / found.correct(std).clamp(min=LEAST)).numpy()
        # The level that makes the promise hold for one more value (split conformal prediction).
        reach = {p: float(np.quantile(score, min(p * (1 + 1 / len(score)), 1))) for p in LEVELS}
        return cls(found.edges, found.factors, reach)


def normal(level: float) -> float:
    """z with P(|Z| <= z) = level, for a standard normal Z."""
    return NormalDist().inv_cdf((1 + level) / 2)


def _ratio(wrong: Tensor, std: Tensor) -> float:
    """Of root mean squares; 1 where there is nothing to tell from."""
    if not len(std):
        return 1.0
    return (wrong.square().mean() / std.square().mean().clamp(min=LEAST**2)).sqrt().item()

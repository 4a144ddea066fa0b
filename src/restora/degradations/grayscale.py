"""Colourisation: one grey value a pixel.

    luma    y = 0.299 R + 0.587 G + 0.114 B + sigma e     linear; A A^T = |w|^2 I, w the weights (BT.601)
    value   y = max(R, G, B) + sigma e                    the V of HSV; not linear

For `value`, x_c ~ N(m_c, v) given max x = t is a mixture over the channel i that attains t: weight
phi_i(t) prod_{j != i} Phi_j(t), with x_i = t and the others normal below t. With sigma > 0 it is integrated
over t: each component against N(y; t, sigma^2), by Gauss-Hermite quadrature of `NODES` nodes about its mode.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from restora.degradations.base import Degradation, Shape, as_tensor, one_of, option, shares
from restora.degradations.quadrature import hermite
from restora.degradations.truncated import inverse_mills, truncated_mean
from restora.errors import ShapeError
from restora.pictures.colour import LUMA, luma

NODES = 8


@dataclass(eq=False)
class Grayscale(Degradation):
    """RGB (B, 3, H, W) -> grey (B, 1, H, W). ShapeError for an image without three channels.

    For `value`, A^T y = y/3 in each channel (the subgradient of the maximum at a grey image), A^dagger
    repeats y, and `prox_l2` and `condition` are those of the maximum itself.
    """

    grey: Literal["luma", "value"] = field(
        default="luma", metadata=option("grey of a colour: BT.601 luma, or the largest channel (V of HSV)")
    )

    @classmethod
    def random(cls, image_shape: Shape, count: int, generator: torch.Generator) -> Grayscale:
        return cls(one_of(("luma", "luma", "luma", "value"), generator))

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.grey == "luma"

    @property
    def gram(self) -> float | None:
        return sum(w * w for w in LUMA) if self.linear else None

    def A(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        return luma(x) if self.linear else x.amax(1, keepdim=True)

    def A_adjoint(self, y: Tensor) -> Tensor:
        weights = LUMA if self.linear else (1 / 3,) * 3
        return y * torch.tensor(weights, dtype=y.dtype, device=y.device).view(3, 1, 1)

    def A_dagger(self, y: Tensor) -> Tensor:
        return super().A_dagger(y) if self.linear else y.expand(-1, 3, -1, -1)

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor) -> Tensor:
        """argmin_x gamma/2 |A x - y|^2 + 1/2 |x - z|^2. For `value`, the global minimum.

        If max z > y, the channels above a ceiling come down to it; else the largest channel goes up.
        """
        if self.linear:
            return super().prox_l2(z, y, gamma)
        data, prior = shares(gamma, z)
        ranked, channel = z.sort(1, descending=True)
        count = torch.arange(1, 4, dtype=z.dtype, device=z.device).view(3, 1, 1)
        ceilings = (data * y + prior * ranked.cumsum(1)) / (data + prior * count)
        lowered = torch.minimum(z, torch.maximum(y, ceilings.amax(1, keepdim=True)))
        raised = z.scatter(1, channel[:, :1], ceilings[:, :1])
        return torch.where(ranked[:, :1] > y, lowered, raised)

    def condition(self, x_hat: Tensor, variance: float | Tensor, y: Tensor) -> Tensor:
        """E[x | y] when x ~ N(x_hat, variance I).

        Exact for `luma`, and for `value` if sigma = 0; else the quadrature's error is below 1e-3 of the
        prior's standard deviation wherever y is within six standard deviations of what x_hat foretells.
        """
        if self.linear:
            return super().condition(x_hat, variance, y)
        variance = as_tensor(variance, x_hat)
        std = torch.where(variance > 0, variance, 1).sqrt()
        if self.sigma > 0:
            mean = _given_noisy_maximum(x_hat, std, y, self.sigma)
        else:
            mean = _given_maximum(x_hat, std, y)
        return torch.where(variance > 0, mean, x_hat)

    def observed_spectrum(self, spectrum: Tensor) -> Tensor:
        weights = torch.tensor(LUMA).to(spectrum)
        return torch.einsum("i,...ijhw,j->...hw", weights, spectrum, weights)[..., None, None, :, :]

    def tangent(self, x: Tensor, y: Tensor) -> tuple[Degradation, Tensor]:
        """For the maximum, the channel that is the largest in x."""
        if self.linear:
            return self, y
        chosen = torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1)
        return ChosenChannel(chosen, sigma=self.sigma), y

    def fit(self, x: Tensor, y: Tensor) -> Tensor:
        """For the maximum, free of noise: no channel above it."""
        return x if self.linear or self.sigma > 0 else torch.minimum(x, y)

    def observed_shape(self, image_shape: Shape) -> Shape:
        if len(image_shape) != 3 or image_shape[0] != 3:
            raise ShapeError(f"expected an RGB image (3, H, W), got {tuple(image_shape)}; convert it first")
        return (1, *image_shape[1:])

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        if len(observed_shape) != 3 or observed_shape[0] != 1:
            raise ShapeError(
                f"expected a grey image (1, H, W), got {tuple(observed_shape)}; convert it first"
            )
        return (3, *observed_shape[1:])


@dataclass(eq=False)
class ChosenChannel(Degradation):
    """One channel of each pixel: y = sum_c chosen_c x_c + sigma e, A A^T = I.

    `chosen`: (B, C, H, W), 1 in one channel of each pixel and 0 in the others.
    """

    chosen: Tensor = field(repr=False)

    @property
    def gram(self) -> float:
        return 1.0

    def A(self, x: Tensor) -> Tensor:
        return (self.chosen * x).sum(1, keepdim=True)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.chosen * y

    def take(self, index: Tensor) -> ChosenChannel:
        return replace(self, chosen=self.chosen[index.to(self.chosen.device)])


def _given_maximum(m: Tensor, s: Tensor, t: Tensor) -> Tensor:
    """E[x | max_c x_c = t] for x ~ N(m, s^2 I); m (..., 3, H, W), t (..., 1, H, W)."""
    u = (t - m) / s
    log_cdf = torch.special.log_ndtr(u)
    weight = torch.softmax(-u.square() / 2 + log_cdf.sum(-3, keepdim=True) - log_cdf, -3)
    return weight * t + (1 - weight) * _below(m, s, t)


def _below(m: Tensor, s: Tensor, t: Tensor) -> Tensor:
    """E[x | x < t] for x ~ N(m, s^2)."""
    return truncated_mean(m, s, torch.full_like(m, -torch.inf), t)


def _given_noisy_maximum(m: Tensor, s: Tensor, y: Tensor, sigma: float) -> Tensor:
    """E[x | max_c x_c + sigma e = y] for x ~ N(m, s^2 I)."""
    spread = s * sigma / (s.square() + sigma**2).sqrt()
    nodes, log_weights = (torch.from_numpy(a).to(m).view(-1, 1, 1, 1, 1) for a in hermite(NODES))
    masses, means = [], []
    for i in range(3):
        top, others = m[:, i : i + 1], m[:, [j for j in range(3) if j != i]]
        mode, width = _mode((top * sigma**2 + y * s.square()) / (s.square() + sigma**2), spread, others, s)
        t = mode + width * nodes
        log_density = torch.special.log_ndtr((t - others) / s).sum(-3, keepdim=True)
        log_density -= ((t - y).square() / sigma**2 + ((t - top) / s).square()) / 2
        log_mass = log_density + log_weights + width.log()
        inside = torch.softmax(log_mass, 0)
        mean = _below(m, s, t)
        mean[:, :, i : i + 1] = t
        masses.append(torch.logsumexp(log_mass, 0))
        means.append((inside * mean).sum(0))
    share = torch.softmax(torch.stack(masses), 0)
    return (share * torch.stack(means)).sum(0)


def _mode(centre: Tensor, spread: Tensor, below: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Mode, and width from the curvature there, of N(t; centre, spread^2) prod_j Phi((t - below_j)/s).

    The logarithm is concave and its slope convex, so that Newton's method climbs from the centre and
    never overshoots.
    """
    t, width = centre, spread
    for _ in range(6):
        u = (t - below) / s
        hazard = inverse_mills(u)
        slope = hazard.sum(1, keepdim=True) / s - (t - centre) / spread.square()
        curvature = (hazard * (hazard + u)).sum(1, keepdim=True) / s.square() + 1 / spread.square()
        t, width = t + slope / curvature, curvature.rsqrt()
    return t, width

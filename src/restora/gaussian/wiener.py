"""The linear denoiser of a Gaussian prior at any level of noise, each image at its own.

    w = t x + n e,   n = (1 - t) scale,   x ~ N(mean, S)
    L_t(w) = E[x | w] = mean + t S (t^2 S + n^2 I)^-1 (w - t mean)
    C_t = Cov[x | w] = n^2 S (t^2 S + n^2 I)^-1,   c_t^2 = trace(C_t) / d

S = F^T F + R is taken for U^T diag(lambda) U + P R P, P = I - U^T U: its directions, with what the stationary
rest R adds along them, and R across them. Functions of S are then taken part by part: exact where there are
no directions, or R is a multiple of I; else it neglects what couples the parts, and what P does to R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from restora.gaussian.cosine import dct, idct
from restora.gaussian.covariance import LowRank, mix

LEAST = 1e-3
BISECTIONS = 12
Gain = Callable[[Tensor, Tensor, Tensor], Tensor]  # of variances, n^2 and t


@dataclass(frozen=True)
class Spectral:
    """U^T diag(along) U + P T^T V diag(across) V^T T P, an operator on images (B, C, H, W).

    directions: U, (r, d), orthonormal. along: (B or 1, r). mixing: V, (C, C, H, W), orthogonal at each
    frequency. across: (B or 1, C, H, W).
    """

    directions: Tensor
    along: Tensor
    mixing: Tensor
    across: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        weights = x.flatten(1) @ self.directions.T
        spectrum = mix(self.mixing.transpose(0, 1), dct(self._add(x, -weights)))
        rest = idct(mix(self.mixing, self.across * spectrum))
        return self._add(rest, self.along * weights - rest.flatten(1) @ self.directions.T)

    def _add(self, x: Tensor, weights: Tensor) -> Tensor:
        return x + (weights @ self.directions).view_as(x)


class Wiener(nn.Module):
    """L_t, C_t and c_t. `scale`: standard deviation of the noise at t = 0, for images in [0, 1].

    Noise below 0.001 counts as 0.001, so that all stays finite at t = 1.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    mixing: Tensor
    powers: Tensor
    squares: Tensor

    def __init__(self, mean: Tensor, covariance: LowRank, scale: float = 0.5):
        super().__init__()
        self.scale, spread = scale, covariance.spread
        factors = covariance.weights.sqrt().unsqueeze(1) * covariance.directions.flatten(1)
        directions, variances = _axes(factors)
        spectrum = torch.einsum("ikhw,jkhw->hwij", spread, spread)
        powers, mixing = torch.linalg.eigh(spectrum.double())
        powers, mixing = powers.clamp(min=0).permute(2, 0, 1), mixing.permute(2, 3, 0, 1)
        parts = {"mean": mean, "directions": directions, "mixing": mixing, "powers": powers}
        for name, value in parts.items():
            self.register_buffer(name, value.to(mean).contiguous(), persistent=False)
        spectrum = mix(self.mixing.transpose(0, 1), dct(self._rows()))
        self.register_buffer("squares", spectrum.square().flatten(1), persistent=False)
        within = self.squares @ self.powers.flatten()
        self.register_buffer("variances", variances.to(within) + within, persistent=False)
        self.share = 1 - (within.sum() / self.powers.sum().clamp(min=1e-30)).item()

    def forward(self, w: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """w (B, C, H, W) and t (B,) in [0, 1] -> L_t (B, C, H, W) and c_t (B,)."""
        noise, t_ = self._noise(t), t.view(-1, 1)
        gain = self._operator(lambda s, n, t: t * s / (t.square() * s + n), noise, t_)
        centred = w - t_[..., None, None] * self.mean
        return self.mean + gain(centred), self._error(noise, t_)

    def covariance(self, t: float) -> LowRank:
        """C_t in the form of S: exact along each direction and at each frequency of the rest, it neglects
        what couples them; at t = 0 it is S."""
        level = self.mean.new_tensor([t])
        noise, t_ = self._noise(level), level.view(-1, 1)
        powers = _remaining(self.powers, noise[..., None, None], t_[..., None, None])[0]
        along = _remaining(self.variances, noise, t_)[0] - self.squares @ powers.flatten()
        root = torch.einsum("ikhw,khw,jkhw->ijhw", self.mixing, powers.sqrt(), self.mixing)
        return LowRank(root.contiguous(), self._rows(), along.clamp(min=0))

    def _rows(self) -> Tensor:
        return self.directions.view(-1, *self.mean.shape)

    def error(self, t: float) -> float:
        """c_t."""
        level = self.mean.new_tensor([t])
        return self._error(self._noise(level), level.view(-1, 1)).item()

    def level(self, error: Tensor) -> Tensor:
        """t (B,) at which c_t is `error` (B,), to 1/4096; 0 or 1 where it never is."""
        low, high = torch.zeros_like(error), torch.ones_like(error)
        for _ in range(BISECTIONS):
            t = (low + high) / 2
            above = self._error(self._noise(t), t.view(-1, 1)) > error
            low, high = torch.where(above, t, low), torch.where(above, high, t)
        return (low + high) / 2

    def _noise(self, t: Tensor) -> Tensor:
        """n^2, (B, 1)."""
        return ((1 - t) * self.scale).clamp(min=LEAST).square().view(-1, 1)

    def _operator(self, function: Gain, noise: Tensor, t: Tensor) -> Spectral:
        along = function(self.variances, noise, t)
        across = function(self.powers, noise[..., None, None], t[..., None, None])
        return Spectral(self.directions, along, self.mixing, across)

    def _error(self, noise: Tensor, t: Tensor) -> Tensor:
        along = _remaining(self.variances, noise, t).sum(1)
        across = _remaining(self.powers.flatten(), noise, t).sum(1) * self.share
        return ((along + across) / self.powers.numel()).sqrt()


def _remaining(variance: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    return variance * noise / (t.square() * variance + noise)


def _axes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal U (k, d) and lambda (k,) with rows^T rows = U^T diag(lambda) U, to 0.01 %.

    Rows that are orthogonal but for the rounding of a file, as a trained prior's are, take one Newton step.
    """
    lengths = rows.norm(dim=1)
    rows, lengths = rows[lengths > 0], lengths[lengths > 0]
    units = rows / lengths.unsqueeze(1)
    gram = units @ units.T
    if len(rows) and (gram - torch.eye(len(gram)).to(gram)).abs().max() < 1e-2:
        return 1.5 * units - 0.5 * gram @ units, lengths.square()
    values, vectors = torch.linalg.eigh((rows @ rows.T).double())
    kept = values > 1e-6 * values.max() if len(values) else values > 0
    values, vectors = values[kept], vectors[:, kept]
    return ((vectors / values.sqrt()).T.to(rows) @ rows), values.to(rows)

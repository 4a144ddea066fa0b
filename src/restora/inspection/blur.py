"""The width of a Gaussian blur and the noise together, by the evidence of the Gaussian prior.

    p(y | w, s) = prod_k N(c_k; 0, v_k),   v_k = a S_k f^-b |H_w(f)|^2 + s^2

c_k are the coefficients of patches of the luma under a window, S is the spectrum of `natural-gaussian`, f the
frequency in cycles a pixel, H the transfer function of a Gaussian that is sampled at pixels. Pictures differ
in contrast, a, and in how fast their spectrum falls, b, which is near 0: -log p(b) = b^2 / 2 t^2. A slope is
straight in log f, a blur bends: so the two can be told apart, where there is something to see above the
noise. How sure a blur is, is what w = 0 costs in log p.

A grid over all four, then Fisher scoring from its best point. Patches are averaged in rings of
frequency, which hold all that an isotropic v_k depends on; the sharpest patches carry the mean, so that a
picture with a blurred background is not called blurred. A picture whose rings fit no v_k, such as one of
stripes, tells less: log p is divided by the dispersion, as for a quasi-likelihood.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from restora.gaussian.cosine import dct
from restora.pictures.colour import LUMA
from restora.priors import GaussianPrior, load_prior

SIDE, RINGS = 64, 28
LEAST, HIGHEST = 0.06, 0.5  # cycles a pixel: below, the window leaks and pictures differ most
FEWEST = 5  # rings, one more than there is to find
SLOPE = 0.35  # t
WIDEST, FAINTEST = 5.0, 0.03  # a wider blur is hard to tell from fog, and one of a fainter picture from sky
EFFECTIVE = 0.02  # of the coefficients in a ring: how many tell something of their own
MOST, ENOUGH = 60, 1e-5  # steps of a search; of log p, what the last one gains
NARROWEST, REACH = 0.1, 15  # pixels: of widths, and from the middle of a kernel
ROUNDING = 1 / 255 / math.sqrt(12)
WIDTHS = tuple(0.4 * 1.15**k for k in range(20))
SLOPES = (-0.6, -0.3, 0.0, 0.3, 0.6, 1.0)
CLIPPED = 0.02  # share of a patch's values at 0 or 1


class Blur(NamedTuple):
    """width: standard deviation in pixels. sigma: of the noise, full scale 1. gain: log p of the best point
    over that of the best without a blur. contrast: a, about 1 for photographs."""

    width: float
    sigma: float
    gain: float
    contrast: float = 1.0


def is_blur(found: Blur, width: float, gain: float) -> bool:
    """Whether it is one of at least this width, for this gain, in a picture that has something to blur."""
    return width <= found.width <= WIDEST and found.gain >= gain and found.contrast >= FAINTEST


def find_blur(
    patches: Tensor, highest: float = HIGHEST, sigma: float | None = None, width: float | None = None
) -> Blur | None:
    """The blur and the noise of patches (N, SIDE, SIDE) of luma; None where they cannot tell.

    highest: frequencies above it do not count. sigma, width: what is known.
    """
    usable = patches[((patches <= 0) | (patches >= 1)).float().mean((-1, -2)) < CLIPPED]
    if not len(usable):
        return None
    power, counts = rings(usable)
    keep, counts = _tables().frequency <= highest, counts * min(len(usable), 400) * EFFECTIVE
    if keep.sum() < FEWEST:
        return None
    best = _Fit(keep, power, counts, width, sigma).best()
    sharp = _Fit(keep, power, counts, 0.0, sigma).best()
    return Blur(best.width, best.sigma, (sharp.cost - best.cost) / best.dispersion, best.contrast)


def rings(patches: Tensor) -> tuple[Tensor, Tensor]:
    """The mean power in each ring of frequency, and how many coefficients of a patch it has."""
    window = torch.hann_window(SIDE, periodic=False)
    window = window.outer(window)
    window = (window / window.square().mean().sqrt()).to(patches)
    flat = patches - (patches * window).mean((-1, -2), keepdim=True) / window.mean()
    power = dct(flat * window).square().mean(0).double()
    averages = _tables().averages
    return (averages * power).sum((1, 2)), (averages > 0).sum((1, 2)).double()


class _Point(NamedTuple):
    cost: float
    width: float
    sigma: float
    contrast: float
    dispersion: float


class _Fit:
    """-log p of ring powers, as a function of z = (log a, b, log w, log s), (..., 4). width, sigma: what is
    known, and not searched."""

    def __init__(self, keep: Tensor, power: Tensor, counts: Tensor, width: float | None, sigma: float | None):
        tables = _tables()
        self.log_f, self.log_S = (tables.frequency[keep] / 0.1).log(), tables.spectrum[keep].log()
        self.averages, self.P, self.n = tables.averages[keep], power[keep], counts[keep]
        self.width, self.sigma = width, sigma
        self.searched = torch.tensor([True, True, width is None, sigma is None])

    def log_v(self, z: Tensor) -> Tensor:
        """(..., R)."""
        log_a, slope, log_w, log_s = z.unsqueeze(-1).unbind(-2)
        w = log_w.exp() if self.width is None else torch.full_like(log_w, self.width)
        s = log_s.exp() if self.sigma is None else torch.full_like(log_s, self.sigma)
        signal = (log_a.clamp(max=50) + self.log_S - slope * self.log_f).exp() * self.transfer(w)
        return (signal + s.square() + ROUNDING**2).log()

    def cost(self, z: Tensor) -> Tensor:
        log_v = self.log_v(z)
        return (self.n * (log_v + self.P / log_v.exp())).sum(-1) / 2 + z[..., 1].square() / (2 * SLOPE**2)

    def best(self) -> _Point:
        """The best point of a grid, and what Fisher scoring finds from there."""
        z = self._grid()
        cost, damping = self.cost(z), 1e-3
        for _ in range(MOST):
            gradient, fisher = self._slopes(z)
            scale = torch.where(self.searched, fisher.diagonal(), 1)
            step = torch.linalg.solve(fisher + damping * scale.diag(), gradient).clamp(-1, 1)
            lower = self.cost(z - step)
            if lower < cost:
                z, gained, cost, damping = z - step, float(cost - lower), lower, damping / 4
                if gained < ENOUGH:
                    break
            elif (damping := 4 * damping) > 1e6:
                break
        log_a, _, log_w, log_s = z.tolist()
        width = math.exp(log_w) if self.width is None else self.width
        sigma = math.exp(log_s) if self.sigma is None else self.sigma
        return _Point(float(cost), width, sigma, math.exp(min(log_a, 50)), self._dispersion(z))

    def _dispersion(self, z: Tensor) -> float:
        """How far the rings are from v_k, where chance alone gives 1; at least that."""
        ratio = self.P / self.log_v(z).exp()
        deviance = (self.n * (ratio - 1 - ratio.log())).sum()
        return max(1.0, float(deviance) / (len(ratio) - len(z)))

    def _slopes(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the cost, and the information of z; those of what is known are 0 and 1."""
        small = 1e-4
        here, *moved = self.log_v(z + small * torch.cat([torch.zeros(1, 4), torch.eye(4)]).double())
        J = (torch.stack(moved) - here) / small * self.searched[:, None]
        gradient, fisher = J @ (self.n * (1 - self.P / here.exp())) / 2, (J * self.n) @ J.T / 2
        gradient[1] += z[1] / SLOPE**2
        return gradient, fisher + torch.tensor([1e-9, 1 / SLOPE**2, 1e-9, 1e-9]).double().diag()

    def _grid(self) -> Tensor:
        w = torch.tensor(WIDTHS if self.width is None else (max(self.width, NARROWEST),)).double()
        most = math.sqrt(max(float(self.P.min()) * 1.1 - ROUNDING**2, 1e-8))  # all that the quietest ring has
        levels = (1e-4, 0.5 * most, 0.8 * most, most) if self.sigma is None else (max(self.sigma, 1e-4),)
        axes = torch.meshgrid(
            torch.tensor(SLOPES).double(), w.log(), torch.tensor(levels).double().log(), indexing="ij"
        )
        b, log_w, log_s = (axis.flatten() for axis in axes)
        transfer = self.transfer((log_w.exp() if self.width is None else 0 * log_w + self.width)[:, None])
        low = slice(0, max(3, len(self.P) // 6))  # frequencies that tell the contrast
        log_a = (self.P.log() - self.log_S + b[:, None] * self.log_f - transfer.log())[:, low].mean(1)
        z = torch.stack([log_a, b, log_w, log_s], 1)
        return z[self.cost(z).argmin()]

    def transfer(self, width: Tensor) -> Tensor:
        """What a Gaussian of the width (..., 1), sampled at pixels, leaves of the power in each ring."""
        place = torch.arange(-REACH, REACH + 1).double()
        taps = torch.exp(-place.square() / (2 * width.clamp(min=NARROWEST).square()))
        taps = torch.where(width > 0, taps, (place == 0).double())
        waves = torch.cos(math.pi / SIDE * torch.outer(place, torch.arange(SIDE).double()))
        line = (taps @ waves / taps.sum(-1, keepdim=True)).square()
        return torch.einsum("rij,...i,...j->...r", self.averages, line, line)


class _Tables(NamedTuple):
    """Of each ring the mean frequency, the prior's power of luma, and the weights (R, SIDE, SIDE) of a mean
    over it."""

    frequency: Tensor
    spectrum: Tensor
    averages: Tensor


@cache
def _tables() -> _Tables:
    prior = load_prior("natural-gaussian")
    assert isinstance(prior, GaussianPrior)
    row = torch.tensor(LUMA)
    luma = torch.einsum("i,ijhw->jhw", row, prior.sized(SIDE, SIDE).spread).square().sum(0).double()
    k = torch.arange(SIDE).double() / (2 * SIDE)
    f = torch.hypot(k[:, None], k)
    place = torch.bucketize(f, torch.linspace(LEAST, HIGHEST, RINGS + 1).double(), right=True) - 1
    place[(place < 0) | (place >= RINGS)] = RINGS
    rings = torch.nn.functional.one_hot(place, RINGS + 1).movedim(-1, 0)[:RINGS].double()
    averages = rings / rings.sum((1, 2), keepdim=True).clamp(min=1)
    return _Tables((averages * f).sum((1, 2)), (averages * luma).sum((1, 2)), averages)

"""The width of a Gaussian blur and the noise together, by the evidence of the Gaussian prior.

    p(y | w, s) = prod_k N(c_k; 0, v_k),   v_k = a S_k f^-b exp(-(2 pi w f)^2) + s^2

c_k are the coefficients of patches of the luma under a window, S is the spectrum of `natural-gaussian`, f the
frequency in cycles a pixel. Pictures differ in contrast, a, and in how fast their spectrum falls, b, which is
near 0: -log p(b) = b^2 / 2 t^2. A slope is straight in log f, a blur bends: so the two can be told apart,
where there is something to see above the noise. How sure a blur is, is what w = 0 costs in log p.

A grid over all four, then a simplex search from its best point. Patches are averaged in rings of
frequency, which hold all that an isotropic v_k depends on; the sharpest patches carry the mean, so that a
picture with a blurred background is not called blurred.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from restora.gaussian.cosine import dct
from restora.pictures.colour import LUMA
from restora.priors import GaussianPrior, load_prior

SIDE, RINGS = 64, 30
LEAST, HIGHEST = 0.02, 0.5  # cycles a pixel
SLOPE = 0.35  # t
WIDEST, FAINTEST = 5.0, 0.03  # a wider blur is hard to tell from fog, and one of a fainter picture from sky
EFFECTIVE = 0.02  # of the coefficients in a ring: how many tell something of their own
ROUNDING = 1 / 255 / math.sqrt(12)
WIDTHS = (0.0, *(0.4 * 1.15**k for k in range(20)))
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
    """The blur and the noise of patches (N, SIDE, SIDE) of luma; None where there are none.

    highest: frequencies above it do not count. sigma, width: what is known.
    """
    usable = patches[((patches <= 0) | (patches >= 1)).float().mean((-1, -2)) < CLIPPED]
    if not len(usable):
        return None
    power, counts = rings(usable)
    frequency, spectrum, _ = _tables()
    keep = frequency <= highest
    fit = _Fit(frequency[keep], spectrum[keep], power[keep], counts[keep] * min(len(usable), 400) * EFFECTIVE)
    best = fit.best(WIDTHS[1:] if width is None else (width,), sigma, width is None)
    sharp = fit.best((0.0,), sigma, False)
    return Blur(best.width, best.sigma, sharp.cost - best.cost, best.contrast)


def rings(patches: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The mean power in each ring of frequency, and how many coefficients of a patch it has."""
    window = torch.hann_window(SIDE, periodic=False)
    window = window.outer(window)
    window = (window / window.square().mean().sqrt()).to(patches)
    flat = patches - (patches * window).mean((-1, -2), keepdim=True) / window.mean()
    power = dct(flat * window).square().mean(0)
    _, _, place = _tables()
    sums = np.bincount(place.ravel(), power.double().numpy().ravel(), RINGS + 1)[:RINGS]
    counts = np.bincount(place.ravel(), minlength=RINGS + 1)[:RINGS]
    return sums / counts, counts


class _Point(NamedTuple):
    cost: float
    width: float
    sigma: float
    contrast: float


class _Fit:
    """-log p of ring powers, as a function of log a, b, w and log s."""

    def __init__(self, frequency: np.ndarray, spectrum: np.ndarray, power: np.ndarray, counts: np.ndarray):
        self.f, self.S, self.P, self.n = frequency, spectrum, power, counts

    def cost(self, log_a: float, slope: float, width: float, sigma: float) -> float:
        model = math.exp(min(log_a, 50)) * self.S * (self.f / 0.1) ** -slope
        v = model * np.exp(-((2 * math.pi * width * self.f) ** 2)) + sigma**2 + ROUNDING**2
        return float((self.n * (np.log(v) + self.P / v)).sum() / 2 + slope**2 / (2 * SLOPE**2))

    def best(self, widths: tuple[float, ...], sigma: float | None, free: bool) -> _Point:
        """The best point of a grid, and what a simplex finds from there; `free`: the width is searched
        too."""
        levels = self._levels() if sigma is None else (sigma,)
        grid = [
            (self.cost(log_a, b, w, s), log_a, b, w, s)
            for w in widths
            for b in SLOPES
            for s in levels
            for log_a in (self._contrast(b, w),)
        ]
        _, log_a, b, w, s = min(grid)
        start = [
            log_a,
            b,
            *([math.log(w)] if free else []),
            *([math.log(max(s, 1e-4))] if sigma is None else []),
        ]

        def unpack(z: np.ndarray) -> tuple[float, float, float, float]:
            rest = list(z[2:])
            width = math.exp(min(rest.pop(0), 4)) if free else w
            return z[0], z[1], width, math.exp(min(rest.pop(0), 0)) if sigma is None else s

        found = minimize(
            lambda z: self.cost(*unpack(z)),
            start,
            method="Nelder-Mead",
            options={"maxiter": 600, "xatol": 1e-3, "fatol": 1e-3},
        )
        log_a, _, width, level = unpack(found.x)
        return _Point(float(found.fun), width, level, math.exp(min(log_a, 50)))

    def _levels(self) -> tuple[float, ...]:
        """Noise from none to all that the quietest ring has."""
        most = math.sqrt(max(float(self.P.min()) * 1.1 - ROUNDING**2, 1e-8))
        return (1e-4, 0.5 * most, 0.8 * most, most)

    def _contrast(self, slope: float, width: float) -> float:
        """log a, by the low frequencies."""
        model = self.S * (self.f / 0.1) ** -slope * np.exp(-((2 * math.pi * width * self.f) ** 2))
        low = slice(0, max(3, len(self.f) // 6))
        return float(np.log(self.P[low] / model[low]).mean())


@cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each ring the mean frequency and the prior's power of luma; the ring of each coefficient."""
    prior = load_prior("natural-gaussian")
    assert isinstance(prior, GaussianPrior)
    row = torch.tensor(LUMA)
    luma = torch.einsum("i,ijhw->jhw", row, prior.sized(SIDE, SIDE).spread).square().sum(0).double().numpy()
    k = np.arange(SIDE) / (2 * SIDE)
    f = np.hypot(k[:, None], k)
    edges = np.linspace(LEAST, HIGHEST, RINGS + 1)
    place = np.digitize(f, edges) - 1
    place[(f < LEAST) | (place < 0) | (place >= RINGS)] = RINGS
    counts = np.bincount(place.ravel(), minlength=RINGS + 1)[:RINGS].clip(1)
    mean = lambda values: np.bincount(place.ravel(), values.ravel(), RINGS + 1)[:RINGS] / counts  # noqa: E731
    return mean(f), mean(luma), place

"""How strong the cosine coefficients are in the flattest blocks of an image: there they are noise alone.

Noise is the same in blocks that are flat and in blocks that are nearly so, and the energy of a block varies
from one to the next as a chi-square does. Texture grows from the flattest blocks to the next, and varies
more. How flat a block is its neighbours tell, whose noise is not its own, so that no block is chosen for
having little noise. Blocks of different brightness are looked at apart, because noise may grow with it.

Source: Ponomarenko et al., "An automatic approach to lossy compression of AVIRIS images", IGARSS 2007; Colom,
Lebrun, Buades and Morel, "Nonparametric multiscale blind estimation of intensity-frequency-dependent noise",
IEEE TIP 2015. Neighbours in place of the block's own low frequencies are ours.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.gaussian.cosine import dct

SIDE, STRIDE = 8, 4
BANDS = ((1, 2), (3, 4), (5, 7), (8, 10), (11, 14))  # sums of the two frequencies of a coefficient
MIDDLE = (1, 2)  # bands that hold noise of every kind, and little else
FLATTEST, FLAT = 0.04, (0.1, 0.2)  # shares of the blocks
FEWEST, BINS = 30, 4
LEAST = 0.1  # share of the blocks that has no more than noise
ROOM = 1 / 255  # a value nearer to 0 or 1 may have been cut
WHOLE = 0.95  # share of the values of a block that are not cut
MOST = 1_000_000  # pixels that are looked at


class Flat(NamedTuple):
    """Of the flattest blocks, for each of K ranges of brightness.

    brightness: (K,), the mean of the channels. power: (K, C, bands), mean squares of coefficients.
    covariance: (K, C, C), of those of the lowest band. spread: (K,), how much the energy of the first channel
    varies, 1 for noise. growth: (K,), how much larger it is in blocks that are nearly flat, 1 for noise.
    limit: (K, bands), power of the first channel that white or other noise has at most, because a tenth of
    all blocks has no more than noise of that power would have there.
    """

    brightness: Tensor
    power: Tensor
    covariance: Tensor
    spread: Tensor
    growth: Tensor
    limit: Tensor


def flat_blocks(image: Tensor, basis: Tensor) -> Flat | None:
    """Those of an image (C, H, W), whose channels are taken in a `basis` (C, C), the mean first; None where
    it has too few whose values were not cut at 0 or 1."""
    stride = STRIDE * max(1, round((image[0].numel() / MOST) ** 0.5))
    if min(image.shape[1:]) < 3 * SIDE:
        return None
    blocks = image.unfold(1, SIDE, stride).unfold(2, SIDE, stride).movedim(0, 2)
    coefficients = dct(torch.einsum("kc,ijcuv->ijkuv", basis, blocks))
    texture = _neighbours(coefficients[..., _textured()].square().mean((-1, -2)), stride)
    room = torch.minimum(blocks, 1 - blocks) >= ROOM
    whole = (room.double().mean((-1, -2, -3)) > WHOLE).flatten()
    coefficients, texture = coefficients.flatten(0, 1)[whole], texture.flatten()[whole]
    if len(coefficients) < 2 * FEWEST:
        return None
    bins = max(1, min(BINS, len(coefficients) // (10 * FEWEST)))
    parts = coefficients[:, 0, 0, 0].argsort().chunk(bins)
    found = [_look(coefficients, part[texture[part].argsort()]) for part in parts]
    return Flat(*(torch.stack(values) for values in zip(*found, strict=True)))


def _look(coefficients: Tensor, flattest_first: Tensor) -> tuple[Tensor, ...]:
    count = len(flattest_first)
    flattest = coefficients[flattest_first[: max(FEWEST, int(FLATTEST * count))]]
    next_ones = coefficients[flattest_first[int(FLAT[0] * count) : int(FLAT[1] * count) + 10]]
    energy, others = _energies(flattest), _energies(next_ones)
    middle = energy.median(0).values.clamp(min=1e-12)
    power = torch.minimum(energy, 3 * middle).mean(0)
    low, high = energy[:, 0].quantile(energy.new_tensor([0.2, 0.8]), 0).clamp(min=1e-12)
    spread = ((high / low).log() / energy.new_tensor([_width(k) for k in range(len(BANDS))]))[
        list(MIDDLE)
    ].max()
    growth = (others.median(0).values / middle).sqrt()[0, list(MIDDLE)].max()
    lowest = flattest[..., _band(0)]
    covariance = torch.einsum("nik,njk->ij", lowest, lowest) / (len(lowest) * lowest.shape[-1])
    brightness = coefficients[flattest_first, 0, 0, 0].median() / SIDE / coefficients.shape[1] ** 0.5
    least = _energies(coefficients[flattest_first, :1])[:, 0].quantile(LEAST, 0)
    limit = least / energy.new_tensor([_quantile(k, LEAST) for k in range(len(BANDS))])
    return brightness, power, covariance, spread, growth, limit


def _energies(coefficients: Tensor) -> Tensor:
    """(N, C, 8, 8) -> (N, C, bands)."""
    return torch.stack([coefficients[..., _band(k)].square().mean(-1) for k in range(len(BANDS))], -1)


def _neighbours(texture: Tensor, stride: int) -> Tensor:
    """The largest of the four blocks beside each, that have no pixel in common with it."""
    step = -(-SIDE // stride)
    near = F.pad(texture[None], (step,) * 4, value=-torch.inf)[0]
    rows, columns = texture.shape
    shifts = ((0, step), (2 * step, step), (step, 0), (step, 2 * step))
    return torch.stack([near[i : i + rows, j : j + columns] for i, j in shifts]).amax(0)


@cache
def _order() -> Tensor:
    k = torch.arange(SIDE)
    return k[:, None] + k


@cache
def _textured() -> Tensor:
    """Coefficients that texture shows in."""
    return (_order() >= 1) & (_order() <= 4)


@cache
def _band(k: int) -> Tensor:
    low, high = BANDS[k]
    return (_order() >= low) & (_order() <= high)


@cache
def _width(k: int) -> float:
    """log of the 80 % over the 20 % quantile of the mean square of a band's coefficients."""
    return math.log(_quantile(k, 0.8) / _quantile(k, 0.2))


@cache
def _quantile(k: int, share: float) -> float:
    """Of the mean square of a band's coefficients, a chi-square, whose mean is 1."""
    half = torch.tensor(int(_band(k).sum()) / 2, dtype=torch.float64)
    low, high = 0.0, 8.0 + 4 * half.item()
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.gammainc(half, torch.tensor(middle).double()) < share
        low, high = (middle, high) if below else (low, middle)
    return high / half.item()

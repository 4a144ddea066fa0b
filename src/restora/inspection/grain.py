"""Noise from before a JPEG compression, by the indices that its coefficients were rounded to.

    k = round(c / q),  c ~ N(0, s^2) in a flat block:  P(k | s) = Phi((k + 1/2) q / s) - Phi((k - 1/2) q / s)

s by maximum likelihood over the flattest blocks; how flat a block is its neighbours tell, whose noise is not
its own (as in `restora.noise.flat`). Noise is as strong in blocks that are less flat, and at lower
frequencies; texture is stronger.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.inspection.lattice import Lattice, luma_blocks
from restora.operators import codec

LOWER, BAND, TEXTURE = (1, 2), (3, 4), (1, 4)  # sums of the two frequencies of a coefficient
FLATTEST, NEXT, AFTER = (0, 0.02), (0.02, 0.05), (0.05, 0.1)  # shares of the blocks
FEWEST = 20  # blocks
LEVELS = 0.5 * 1.07 ** torch.arange(70).double()  # s that are tried, in bytes
SEEN = 0.2  # of the median step: an s that can be told
GROWTH, FURTHER = 1.4, 1.75  # of s at most, to the next blocks and to lower frequencies; to those after them


def find_noise(parts: Tensor, lattice: Lattice) -> float:
    """The deviation, full scale 1, of the noise that the luma of parts (N, C, H, W) had before they were
    compressed; 0 where none can be told."""
    table = codec.tables(lattice.quality)[0].double()
    index = (luma_blocks(parts).double() / table).round()
    energy = (index * table)[..., _between(*TEXTURE)].square().mean(-1)
    ordered = index.flatten(0, -3)[_neighbours(energy).flatten().argsort()]

    def deviation(shares: tuple[float, float], sums: tuple[int, int]) -> float:
        first, last = (int(share * len(ordered)) for share in shares)
        band = _between(*sums)
        return _deviation(ordered[first : last + FEWEST, band], table[band])

    s = deviation(FLATTEST, BAND)
    if s < SEEN * table[_between(*BAND)].median().item():
        return 0.0
    growth = max(deviation(NEXT, BAND), deviation(FLATTEST, LOWER)) / s
    return s / 255 if growth <= GROWTH and deviation(AFTER, BAND) <= FURTHER * s else 0.0


def _deviation(index: Tensor, step: Tensor) -> float:
    """The most likely s of indices (n, m) with the steps (m,)."""
    scale = step / (2**0.5 * LEVELS[:, None, None])
    chance = (torch.erf((index + 0.5) * scale) - torch.erf((index - 0.5) * scale)) / 2
    return float(LEVELS[chance.clamp(min=1e-12).log().sum((1, 2)).argmax()])


def _between(low: int, high: int) -> Tensor:
    k = torch.arange(codec.BLOCK)
    order = k[:, None] + k
    return (order >= low) & (order <= high)


def _neighbours(energy: Tensor) -> Tensor:
    """(N, rows, columns): the largest of the four blocks beside each."""
    near = F.pad(energy, (1, 1, 1, 1), value=-torch.inf)
    beside = (near[:, :-2, 1:-1], near[:, 2:, 1:-1], near[:, 1:-1, :-2], near[:, 1:-1, 2:])
    return torch.stack(beside).amax(0)

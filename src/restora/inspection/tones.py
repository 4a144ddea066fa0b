"""What the values of a picture tell: how many levels there are, how many are cut, and whether there is
colour."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST, MOST = 3, 64  # levels of a picture that was posterised
USED = 0.5  # share of the levels between the darkest and the brightest that occur
STEPS = 0.6  # share of the changes from pixel to pixel that are of one level
NEAR = 0.6 / 255  # of a level, as files of bytes round it
COLOUR = 3 / 255  # a difference of channels that is one


def find_levels(tiles: Tensor) -> tuple[int, float] | None:
    """The fewest equal steps from 0 to 1 that hold all values of tiles (N, C, h, w), and how sure that is;
    None where there are more than MOST.

    A picture of few colours, such as a drawing, is none that was posterised: there, neighbours are of one
    colour or of quite different ones, while a gradient that was rounded goes level by level.
    """
    values = torch.bincount((255 * tiles).round().int().flatten().clamp(0, 255)).nonzero()[:, 0] / 255
    if not FEWEST <= len(values) <= 256:
        return None
    for levels in range(max(FEWEST, len(values)), MOST + 1):
        index = values * (levels - 1)
        if bool(((index - index.round()).abs() / (levels - 1) <= NEAR).all()):
            between = round((values.max() - values.min()).item() * (levels - 1)) + 1
            share = _single_steps(tiles, levels)
            if len(values) < USED * between or share < STEPS:
                return None
            return levels, min(share, 0.99)
    return None


def _single_steps(tiles: Tensor, levels: int) -> float:
    """Of the changes from one pixel to the next, the share that is of one level."""
    index = (tiles * (levels - 1)).round()
    changes = torch.cat([index.diff(dim=-1).abs().flatten(), index.diff(dim=-2).abs().flatten()])
    changed = changes[changes > 0]
    return (changed == 1).float().mean().item() if len(changed) else 0.0


def clipped(tiles: Tensor) -> tuple[float, float]:
    """The shares of pixels that are black, and that are white, in all channels."""
    return (tiles <= 0).all(1).float().mean().item(), (tiles >= 1).all(1).float().mean().item()


def is_grey(tiles: Tensor) -> bool:
    """Whether three channels are one, but for what compression does to them."""
    spread = tiles.amax(1) - tiles.amin(1)
    return bool((spread <= COLOUR).float().mean() > 0.999)

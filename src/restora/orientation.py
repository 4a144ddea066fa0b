"""The eight ways in which a square can lie: mirrored or not, and turned by quarters.

In their order each pair has its mirror image, and the first four have up and down in equal parts too.
"""

from __future__ import annotations

from torch import Tensor

TURNS = (0, 2, 1, 3)  # quarters
ORIENTATIONS = 2 * len(TURNS)


def lay(x: Tensor, k: int) -> Tensor:
    """x (..., H, W) in orientation k: mirrored where k is odd, and then turned."""
    return (x.flip(-1) if k % 2 else x).rot90(TURNS[k // 2], (-2, -1))


def upright(x: Tensor, k: int) -> Tensor:
    """The inverse of `lay`."""
    x = x.rot90(-TURNS[k // 2], (-2, -1))
    return x.flip(-1) if k % 2 else x

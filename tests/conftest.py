"""What several test modules share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    """(24, 32, 3) uint8: smooth enough for JPEG, no two rows, columns or channels alike. Read-only."""
    row, column = np.mgrid[0:24, 0:32]
    ramps = np.stack([9 * row + column, 3 * row + 5 * column, 255 - 2 * row - 6 * column], axis=2)
    noise = np.random.default_rng(0).integers(0, 3, ramps.shape)
    pixels = np.clip(ramps + noise, 0, 255).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels

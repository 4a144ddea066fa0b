"""Photos with faces: scikit-image's astronaut (NASA, public domain), and their degradations."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from skimage import data
from skimage.transform import rescale, rotate
from torch import Tensor

SIZE = 97.0  # of the astronaut's face


@cache
def astronaut(size: float = 64.0, angle: float = 0.0) -> Tensor:
    """(1, 3, H, W), sides multiples of 16, around the face, turned clockwise."""
    picture = rotate(data.astronaut()[:224, 112:336] / 255, -angle, mode="edge")
    shrunk = rescale(picture, size / SIZE, anti_aliasing=True, channel_axis=2)
    height, width = (side // 16 * 16 for side in shrunk.shape[:2])
    pixels = np.ascontiguousarray(shrunk[:height, :width].transpose(2, 0, 1))
    return (torch.from_numpy(pixels)[None].float().clamp(0, 1) * 255).round() / 255

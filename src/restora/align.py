"""Bring a face to the position that the `faces64` priors were trained on: a similarity transform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# (x, y) of the left eye, the right eye (as seen in the picture) and the middle of the mouth, in 64x64 pixels.
TEMPLATE = ((17.0, 10.5), (46.0, 10.5), (31.5, 43.0))

# The same points of scikit-image's astronaut (Eileen Collins, NASA, public domain).
ASTRONAUT = ((203.2, 101.2), (247.0, 103.3), (224.1, 142.5))


def align(picture: Tensor, points: Sequence[tuple[float, float]], size: int = 64) -> Tensor:
    """Crop and scale a face to the layout of the priors of faces.

    Args:
        picture: an image, (C, H, W) in [0, 1].
        points: (x, y) in pixels of the left eye, the right eye and the middle of the mouth, as seen in the
            image.
        size: side of the result in pixels.

    Returns:
        The face, (C, size, size) in [0, 1].
    """
    from skimage.transform import SimilarityTransform, rescale, warp

    target = np.asarray(TEMPLATE) * size / 64
    scale = SimilarityTransform.from_estimate(np.asarray(points), target).scale
    array = picture.permute(1, 2, 0).double().numpy()
    # Shrink with antialiasing first, so that the warp itself only moves and turns.
    shrink = min(1.0, float(scale))
    array = rescale(array, shrink, anti_aliasing=shrink < 1, channel_axis=2)
    transform = SimilarityTransform.from_estimate(np.asarray(points) * shrink, target)
    face = warp(array, transform.inverse, output_shape=(size, size), order=3, mode="edge")
    return torch.from_numpy(face.clip(0, 1)).float().permute(2, 0, 1).contiguous()


def astronaut(size: int = 64) -> Tensor:
    """The aligned face of scikit-image's astronaut (Eileen Collins, NASA), (3, size, size) in [0, 1]."""
    from skimage import data

    picture = torch.from_numpy(data.astronaut()).permute(2, 0, 1) / 255
    return align(picture, ASTRONAUT, size)

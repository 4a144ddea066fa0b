"""Find the faces in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from restora.errors import ShapeError
from restora.faces.cascade import detect
from restora.faces.face import Face

SMALLEST = 14.0  # pixels of a box
TURNS = (0.0, -45.0, 45.0)  # degrees in which the picture is searched
LARGEST = 2**20  # pixels that are searched; a larger picture is shrunk to as many first
CERTAIN = 0.9  # score
FRONTAL = 4.5  # misfit, in pixels of the aligned face


def find(picture: Tensor | np.ndarray) -> list[Face]:
    """Find the faces in one image, largest first.

    Faces from about 14 pixels in height are found. Images of more than a megapixel are reduced to that size
    first. Faces in profile are left out.

    Args:
        picture: (C, H, W) or (1, C, H, W) in [0, 1], a tensor or a NumPy array, or uint8 (H, W, 3); 1 or 3
            channels.

    Raises:
        PackageError: without the extra `faces`.
        ShapeError: for anything but an image.
    """
    import cv2

    pixels = _bytes(picture)
    shrink = min(1.0, (LARGEST / (pixels.shape[0] * pixels.shape[1])) ** 0.5)
    if shrink < 1:
        pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    found = [(face, angle) for angle in TURNS for face in _turned(pixels, shrink, angle)]
    likely = [(face, angle) for face, angle in found if face.score >= CERTAIN and face.misfit <= FRONTAL]
    return sorted(_once(likely), key=lambda face: -face.size)


def _turned(pixels: np.ndarray, shrink: float, angle: float) -> list[Face]:
    """The faces in pixels turned by an angle, where they are in the picture that is `shrink` times as large;
    upright ones first, since the networks know no others well."""
    import cv2

    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    if angle:
        wide = np.abs(turn[:, :2]) @ (width, height)
        turn[:, 2] = turn[:, 2] + (wide - np.array([width, height])) / 2
        pixels = cv2.warpAffine(pixels, turn, (int(wide[0]), int(wide[1])), flags=cv2.INTER_LINEAR)
    boxes, scores, points = detect(np.ascontiguousarray(pixels), SMALLEST)
    back = np.linalg.inv(turn[:, :2])
    points = ((points - turn[:, 2]) @ back.T + 0.5) / shrink - 0.5
    middles = ((boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5 - turn[:, 2]) @ back.T + 0.5
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    boxes = np.concatenate([middles - half, middles + half], 1) / shrink
    return [
        Face(_four(box), float(score), _pairs(own))
        for box, score, own in zip(boxes, scores, points, strict=True)
    ]


def _once(found: list[tuple[Face, float]]) -> list[Face]:
    """Each face once: as it was found where it stood most upright, after a turn by its angle."""
    kept: list[Face] = []
    for face, _ in sorted(found, key=lambda pair: abs(pair[0].angle - pair[1])):
        if all(_apart(face, other) > max(face.size, other.size) / 2 for other in kept):
            kept.append(face)
    return kept


def again(picture: Tensor, face: Face) -> Face | None:
    """The face in this picture that is about where that one is, or None."""
    near = [other for other in find(picture) if _apart(face, other) < face.size / 3]
    return min(near, key=lambda other: _apart(face, other), default=None)


def moved(before: Face, after: Face) -> float:
    """By how many pixels of the aligned face its points have moved, on average."""
    steps = np.array(before.points) - np.array(after.points)
    return float(np.hypot(*steps.T).mean() / before.scale)


def _apart(one: Face, other: Face) -> float:
    return float(np.hypot(*(np.mean(one.points, 0) - np.mean(other.points, 0))))


def _bytes(picture: Tensor | np.ndarray) -> np.ndarray:
    """(H, W, 3) of uint8."""
    array = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else np.asarray(picture)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[-1] == 3 and array.shape[0] != 3:
        return array
    if array.ndim != 3 or len(array) not in (1, 3) or not array.size:
        raise ShapeError(
            f"picture: expected (C, H, W) of one channel or three, got shape {tuple(np.shape(picture))}"
        )
    full = 1 if array.dtype == np.uint8 else 255
    scaled = np.nan_to_num(array.astype(np.float32) * full).clip(0, 255).round().astype(np.uint8)
    return np.repeat(scaled, 3 // len(scaled), 0).transpose(1, 2, 0)


def _four(values: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, values)
    return left, top, right, bottom


def _pairs(points: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)

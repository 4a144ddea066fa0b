"""Find the faces in a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from restora.errors import ShapeError
from restora.faces.cascade import detect
from restora.faces.face import Face

SMALLEST = 14.0  # pixels of a box
TURNS = (0.0, -45.0, 45.0)  # degrees in which the picture is searched
LARGEST = 2**20  # pixels that are searched at once; a larger picture is shrunk to as many
SIDE, OVERLAP = 1024, 128  # pixels of the pieces in which such a picture is searched for small faces
CERTAIN = 0.9  # score
FRONTAL = 4.5  # misfit, in pixels of the aligned face


def find(picture: Tensor | np.ndarray) -> list[Face]:
    """Find the faces in one image, largest first.

    The detector finds faces of at least about 14 pixels in height. In images of more than a megapixel, it
    searches for large faces in a reduced copy, and for small faces tile by tile. It does not find faces in
    profile.

    Args:
        picture: (C, H, W) or (1, C, H, W) in [0, 1], a tensor or a NumPy array, or uint8 (H, W, 3); 1 or 3
            channels.

    Raises:
        PackageError: without the extra `faces`.
        ShapeError: for anything that is not an image.
    """
    pixels = _bytes(picture)
    whole = _shrunk(pixels)
    found = [(face, angle) for angle in TURNS for face in _turned(*whole, angle)]
    found += [
        (face, angle)
        for corner in _pieces(pixels.shape[:2])
        for angle in TURNS
        for face in _small(pixels, corner, angle)
    ]
    likely = [(face, angle) for face, angle in found if face.score >= CERTAIN and face.misfit <= FRONTAL]
    return sorted(_once(likely), key=lambda face: -face.size)


def _shrunk(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """The whole picture in so many pixels as are searched at once, and how many times as large it is."""
    import cv2

    shrink = min(1.0, (LARGEST / (pixels.shape[0] * pixels.shape[1])) ** 0.5)
    if shrink == 1:
        return pixels, shrink
    return cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), shrink


def _pieces(size: tuple[int, ...]) -> list[tuple[int, int]]:
    """The upper left corners of the pieces of a picture of (height, width) `size`; none of one that is
    searched as a whole."""
    if size[0] * size[1] <= LARGEST:
        return []
    step = SIDE - OVERLAP
    rows, columns = (range(0, max(side - OVERLAP, 1), step) for side in size)
    return [(row, column) for row in rows for column in columns]


def _small(pixels: np.ndarray, corner: tuple[int, int], angle: float) -> Iterator[Face]:
    """The small faces about the middle of a piece; those near its borders are nearer to that of another."""
    top, left = corner
    piece = pixels[top : top + SIDE, left : left + SIDE]
    for face in _turned(piece, 1.0, angle):
        column, row = np.mean(face.points, 0)
        across = _is_inside(column, left, pixels.shape[1])
        if face.size <= OVERLAP / 2 and across and _is_inside(row, top, pixels.shape[0]):
            yield face.moved(left, top)


def _is_inside(place: float, start: int, side: int) -> bool:
    """Whether it is away from the ends of a piece that are none of the picture."""
    low = OVERLAP / 2 if start > 0 else -np.inf
    high = SIDE - OVERLAP / 2 if start + SIDE < side else np.inf
    return bool(low <= place <= high)


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
    """The face in this picture (C, H, W) that is about where that one is, or None."""
    window = face.window((picture.shape[-2], picture.shape[-1]), round(face.size / 2))
    seen = [other.moved(window.left, window.top) for other in find(window.of(picture))]
    near = [other for other in seen if _apart(face, other) < face.size / 3]
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

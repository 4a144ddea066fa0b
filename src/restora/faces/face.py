"""A face in a picture, and where each of its points lies in the layout that `faces64` knows.

q = s R(phi) p + c    a pixel p of the aligned face, q of the picture: a similarity, by least squares
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from restora.operators.warp import Warp
from restora.random import Window

SIDE = 64
Point = tuple[float, float]

MARKS = ((18.7, 12.3), (47.4, 11.7), (33.7, 29.1), (20.3, 41.4), (46.3, 41.0))
"""Where the detector sees the points of a face that is aligned to `restora.align.TEMPLATE`, in its pixels:
the medians over 32 held-out faces at four sizes, by `benchmarks/faces.py marks`."""
FITTED = (0, 1, 3, 4)  # of them; the nose moves with the pose of the head
FADE = 8.0  # pixels of the aligned face over which it fades out at its border


@dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes:
        box: left, top, right and bottom, in pixels.
        score: confidence of the detector, up to 1.
        points: (x, y) of the left and the right eye as seen in the image, the nose, and the corners of the
            mouth.
    """

    box: tuple[float, float, float, float]
    score: float
    points: tuple[Point, ...]

    @cached_property
    def similarity(self) -> tuple[complex, complex]:
        """(s exp(i phi), c), for points as complex numbers x + iy."""
        p = np.array([complex(*MARKS[i]) for i in FITTED])
        q = np.array([complex(*self.points[i]) for i in FITTED])
        centred = p - p.mean()
        turn = (centred.conj() * (q - q.mean())).sum() / (abs(centred) ** 2).sum()
        return complex(turn), complex(q.mean() - turn * p.mean())

    @property
    def scale(self) -> float:
        """Size of a pixel of the aligned face, in pixels of the photo."""
        return abs(self.similarity[0])

    @property
    def size(self) -> float:
        """Side of the square that the aligned face covers, in pixels of the photo."""
        return SIDE * self.scale

    @property
    def angle(self) -> float:
        """Clockwise rotation of the face, in degrees."""
        turn = self.similarity[0]
        return math.degrees(math.atan2(turn.imag, turn.real))

    @property
    def misfit(self) -> float:
        """Root mean square distance of the points from those of an upright frontal face, in pixels of the
        aligned face. It is large for profiles, and for detections that are not faces."""
        turn, shift = self.similarity
        q = (np.array([complex(*point) for point in self.points]) - shift) / turn
        return float(np.sqrt((abs(q - np.array([complex(*mark) for mark in MARKS])) ** 2).mean()))

    def moved(self, right: float, down: float) -> Face:
        """The face, moved by so many pixels."""
        left, top, *corner = self.box
        box = (left + right, top + down, corner[0] + right, corner[1] + down)
        return Face(box, self.score, tuple((x + right, y + down) for x, y in self.points))

    def window(self, size: tuple[int, int], margin: int = 0, grain: int = 1) -> Window:
        """The window of a photo of (height, width) `size` that contains the face and a margin of `margin`
        pixels. It begins and ends at multiples of `grain`, or at the border."""
        turn, shift = self.similarity
        corners = [turn * complex(x, y) + shift for x in (-1, SIDE) for y in (-1, SIDE)]
        spans = []
        for values, side in (([c.imag for c in corners], size[0]), ([c.real for c in corners], size[1])):
            low = math.floor((min(values) - margin) / grain) * grain
            high = math.ceil((max(values) + 1 + margin) / grain) * grain
            spans.append((max(low, 0), min(high, side)))
        (top, bottom), (left, right) = spans
        return Window(top, left, max(bottom - top, 0), max(right - left, 0))

    def mask(self, window: Window) -> Tensor:
        """Weights (h, w) in [0, 1] of the face in its window; 0 outside its border."""
        place = self._inside(window)
        depth = torch.minimum(place + 0.5, SIDE - 0.5 - place).amin(-1)
        return torch.sin((depth / FADE).clamp(0, 1) * torch.pi / 2).square()

    def spread(self, window: Window) -> Warp:
        """S: maps the aligned face (B, C, 64, 64) to the pixels of a window of the photo, times `mask`."""
        return Warp(self._inside(window), (SIDE, SIDE), self.mask(window), 1 / self.scale)

    def gather(self, window: Window) -> Warp:
        """P: maps the pixels of a window to the aligned face, with antialiasing."""
        turn, shift = self.similarity
        here = _grid(SIDE, SIDE, lambda p: turn * p + shift - complex(window.left, window.top))
        return Warp(here, (window.height, window.width), reduction=self.scale)

    def _inside(self, window: Window) -> Tensor:
        """The place in the aligned face of each pixel of the window, (h, w, 2)."""
        turn, shift = self.similarity
        corner = complex(window.left, window.top)
        return _grid(window.height, window.width, lambda q: (q + corner - shift) / turn)


def _grid(height: int, width: int, place: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """(height, width, 2): where `place` puts each pixel, as (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    found = place(columns + 1j * rows)
    return torch.from_numpy(np.stack([found.real, found.imag], -1))

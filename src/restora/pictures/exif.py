"""An EXIF block, changed in place: makers' notes hold absolute places, so nothing in it may move.

Source: TIFF 6.0, section 2; EXIF 2.32 (CIPA DC-008).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PREFIX = b"Exif\0\0"
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, EXIF, GPS = 0x0112, 282, 283, 0x8769, 0x8825
WIDTH, HEIGHT = 0xA002, 0xA003
SHORT, LONG, RATIONAL = 3, 4, 5


class Block:
    """The bytes after the prefix; struct.error where they are damaged."""

    def __init__(self, data: bytes):
        self.data = bytearray(data.removeprefix(PREFIX))
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(self.data[:2]), "")
        if not self.order:
            raise struct.error("no byte order")
        self.first = self._get("I", 4)

    def _get(self, kind: str, place: int) -> int:
        return struct.unpack_from(self.order + kind, self.data, place)[0]

    def _put(self, kind: str, place: int, value: int) -> None:
        struct.pack_into(self.order + kind, self.data, place, value)

    def _entries(self, start: int) -> Iterator[tuple[int, int, int]]:
        """(tag, type, place of the value) of a directory."""
        for place in range(start + 2, start + 2 + 12 * self._get("H", start), 12):
            yield self._get("H", place), self._get("H", place + 2), place + 8

    def upright(self) -> None:
        """Say that the picture needs no turning, and forget the thumbnail, which is of the old one."""
        for tag, kind, place in self._entries(self.first):
            if tag == ORIENTATION and kind == SHORT:
                self._put("H", place, 1)
        self._put("I", self.first + 2 + 12 * self._get("H", self.first), 0)

    def resize(self, size: tuple[int, int], ratio: tuple[float, float]) -> None:
        """For a picture of (height, width) `size`, which is `ratio` times what it was, in as much paper."""
        for tag, kind, place in list(self._entries(self.first)):
            if tag in (X_RESOLUTION, Y_RESOLUTION) and kind == RATIONAL:
                at = self._get("I", place)
                value = self._get("I", at) * ratio[tag == X_RESOLUTION]
                self._put("I", at, min(round(value), 2**32 - 1))
            if tag == EXIF:
                self._resize_pixels(self._get("I", place), size)

    def _resize_pixels(self, start: int, size: tuple[int, int]) -> None:
        for tag, kind, place in self._entries(start):
            if tag in (WIDTH, HEIGHT) and kind in (SHORT, LONG):
                self._put("H" if kind == SHORT else "I", place, size[tag == WIDTH])


def upright(data: bytes) -> bytes:
    """An EXIF block that asks for no turning; empty where it is damaged."""
    try:
        block = Block(data)
        block.upright()
    except (struct.error, OverflowError):
        return b""
    return PREFIX + bytes(block.data)


def resized(data: bytes, size: tuple[int, int], ratio: tuple[float, float]) -> bytes:
    """As `Block.resize`; what cannot be changed is left."""
    if not data or ratio == (1, 1):
        return data
    try:
        block = Block(data)
        block.resize(size, ratio)
    except (struct.error, OverflowError):
        return data
    return PREFIX + bytes(block.data)

"""The directories of a TIFF, followed before anything is built of them: no loop, and no more than the bounds.

Source: TIFF 6.0, section 2; BigTIFF (Aware Systems).
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from restora.limits import DIRECTORIES, TAGS, BoundError

SUB_DIRECTORIES = 330
_CLASSIC, _BIG = ("HHI4s", "H", "I", 4), ("HHQ8s", "Q", "Q", 8)  # an entry, their number, an offset, where


def check(file: BinaryIO) -> None:
    """BoundError for a chain that is a loop or too long. struct.error where it is cut short."""
    chain = _Chain(file)
    while chain.left:
        chain.follow(chain.left.pop())


class _Chain:
    def __init__(self, file: BinaryIO):
        self.file, self.size = file, file.seek(0, 2)
        file.seek(0)
        head = file.read(4)
        self.order = "<" if head[:2] == b"II" else ">"
        self.entry, self.count, self.offset, first = _BIG if 43 in head[2:] else _CLASSIC
        self.seen: set[int] = set()
        self.tags = 0
        self.left = [self._number(self.offset, first if first == 4 else 8)]

    def _number(self, kind: str, place: int) -> int:
        self.file.seek(place)
        return struct.unpack(self.order + kind, self.file.read(struct.calcsize(self.order + kind)))[0]

    def follow(self, place: int) -> None:
        """Count a directory, and note those that it points to."""
        if not 0 < place < self.size:
            return
        if place in self.seen:
            raise BoundError("its pages form a loop")
        self.seen.add(place)
        tags = self._number(self.count, place)
        self.tags += min(tags, 4096)  # readers refuse more
        self._bound()
        entries = self.file.read(tags * struct.calcsize(self.order + self.entry))
        if len(entries) < tags * struct.calcsize(self.order + self.entry):
            return
        after = self.file.read(struct.calcsize(self.order + self.offset))
        for code, _, number, value in struct.iter_unpack(self.order + self.entry, entries):
            if code == SUB_DIRECTORIES:
                self._below(number, value)
        if len(after) == struct.calcsize(self.order + self.offset):
            self.left.append(struct.unpack(self.order + self.offset, after)[0])

    def _below(self, number: int, value: bytes) -> None:
        """Directories of a page, each of which is read once for each time that it is named."""
        self.tags += number
        self._bound()
        width = struct.calcsize(self.order + self.offset)
        if number * width > len(value):
            self.file.seek(struct.unpack(self.order + self.offset, value)[0])
            value = self.file.read(number * width)
        for (place,) in struct.iter_unpack(self.order + self.offset, value[: len(value) // width * width]):
            if 0 < place < self.size - 8:
                self.tags += min(self._number(self.count, place), 4096)
        self._bound()

    def _bound(self) -> None:
        if self.tags > TAGS or len(self.seen) > DIRECTORIES:
            raise BoundError(f"more than {DIRECTORIES:,} pages, or {TAGS:,} tags in them")

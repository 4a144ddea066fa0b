"""What must be known of a file before its decoder may see it: the size of a JPEG XL, whose decoder takes all
at once, and how often a progressive JPEG goes over the picture.

Sources: ISO/IEC 18181-1, annex D (SizeHeader, ImageMetadata); ISO/IEC 10918-1, annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from restora.limits import SCANS, BoundError

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOS, _EOI, _ALONE = 0xDA, 0xD9, (0x01, 0xD8)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_JXL, _BOXES = b"\xff\x0a", b"\0\0\0\x0cJXL "


def check_scans(data: bytes) -> None:
    """BoundError for a JPEG of too many scans; nothing for other files."""
    if not data.startswith(b"\xff\xd8"):
        return
    place, scans = 0, 0
    while found := _MARKER.search(data, place):
        marker, place = data[found.end() - 1], found.end()
        if marker == _EOI:
            return
        scans += marker == _SOS
        if scans > SCANS:
            raise BoundError(f"a progressive JPEG of more than {SCANS} scans; save it again")
        if marker not in _ALONE:
            place += int.from_bytes(data[place : place + 2], "big")


def jxl_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a JPEG XL, as stored; None for other files."""
    stream = data if data.startswith(_JXL) else next(_codestreams(data), b"")
    if not stream.startswith(_JXL):
        return None
    bits = _Bits(stream[2:32])
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else bits.number()
    ratio = bits.take(3)
    if ratio:
        times, by = _RATIOS[ratio]
        return height * times // by, height
    return (8 * (bits.take(5) + 1) if small else bits.number()), height


def _codestreams(data: bytes) -> Iterator[bytes]:
    """The beginnings of the codestreams in the boxes of a container."""
    place = 0 if data.startswith(_BOXES) else len(data)
    while place + 8 <= len(data):
        size, kind, head = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        if kind in (b"jxlc", b"jxlp"):
            start = place + head + 4 * (kind == b"jxlp")
            yield data[start : start + 32]
        place += max(size, head) if size else len(data)


class _Bits:
    """Least significant bit first."""

    def __init__(self, data: bytes):
        self.value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        found, self.value = self.value & ((1 << count) - 1), self.value >> count
        return found

    def number(self) -> int:
        """U32 of the four widths that sizes have."""
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1

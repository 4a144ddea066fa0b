"""The strips and tiles of a TIFF, measured before they are unpacked: decoders inflate all that is there."""

from __future__ import annotations

import contextlib
import lzma
import math
import zlib
from typing import Any, BinaryIO

from restora.limits import INFLATED, BoundError, amount

PACKBITS = 32773
ENGINES: dict[int, tuple[Any, int]] = {
    8: (zlib.decompressobj, 1032),
    32946: (zlib.decompressobj, 1032),
    34925: (lzma.LZMADecompressor, 8000),
}
"""Of compressions that have no bound of their own, and how many bytes one of theirs may become."""
SLACK, STEP, MANY = 2**16, 2**20, 16


def check(series: Any) -> None:
    """BoundError where a part of the pages inflates to more than it should, and that is not little."""
    page, file = series.keyframe, series.keyframe.parent.filehandle
    expected = math.prod(page.chunks) * page.dtype.itemsize + SLACK
    parts = [part for own in series.pages if own is not None for part in _parts(own)]
    if page.compression == PACKBITS:
        _refuse(max((size for _, size in parts), default=0) > 2 * expected, expected)
    engine, ratio = ENGINES.get(page.compression, (None, 0))
    if engine is None or sum(min(ratio * size, INFLATED) for _, size in parts) <= MANY * INFLATED:
        parts = [part for part in parts if ratio * part[1] > INFLATED]
    for place, size in parts if engine else ():
        _refuse(_inflates(file, place, size, engine(), expected), expected)


def _parts(page: Any) -> list[tuple[int, int]]:
    return list(zip(page.dataoffsets, page.databytecounts, strict=False))


def _refuse(wrong: bool, expected: int) -> None:
    if wrong:
        raise BoundError(f"a part of it inflates to more than the {amount(expected)} that it should have")


def _inflates(file: BinaryIO, place: int, size: int, engine: Any, most: int) -> bool:
    """Whether a part inflates to more than `most` bytes; damage is for decoders to find."""
    file.seek(place)
    rest, total = file.read(size), 0
    with contextlib.suppress(zlib.error, lzma.LZMAError):
        while total <= most and not engine.eof:
            found = engine.decompress(rest, STEP)
            rest = getattr(engine, "unconsumed_tail", b"")
            total += len(found)
            if not found and not rest:
                break
    return total > most

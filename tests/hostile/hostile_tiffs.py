"""TIFF files that ask for much, made tag by tag."""

from __future__ import annotations

import io
import lzma
import struct
from collections.abc import Callable, Sequence

from hostile_bombs import GIGA, zeros

SHORT, LONG, UNDEFINED = 3, 4, 7
Tag = tuple[int, int, int, int]


def tiff(tags: Sequence[Tag], data: bytes = b"", pages: int = 1, loop: bool = False) -> bytes:
    """Pages of the same tags (code, type, count, value), whose offsets are those in `data`, at the end."""
    size = 2 + 12 * len(tags) + 4
    start = 8 + size * pages
    found = [b"II*\0" + struct.pack("<I", 8)]
    for page in range(pages):
        last = 8 if loop else 0
        after = 8 + size * (page + 1) if page < pages - 1 else last
        entries = [
            struct.pack("<HHII", *tag[:3], tag[3] + (start if _points(tag) else 0)) for tag in sorted(tags)
        ]
        found.append(struct.pack("<H", len(tags)) + b"".join(entries) + struct.pack("<I", after))
    return b"".join(found) + data


def _points(tag: Tag) -> bool:
    """Whether the value of a tag is a place in the data."""
    return tag[0] == 273 or tag[2] * {SHORT: 2, LONG: 4, UNDEFINED: 1}[tag[1]] > 4


def picture(width: int = 10, height: int = 10, packing: int = 1, size: int = 100, *more: Tag) -> list[Tag]:
    """One grey strip of `size` bytes."""
    values = {256: width, 257: height, 258: 8, 259: packing, 262: 1, 273: 0, 277: 1, 278: height, 279: size}
    values |= {tag[0]: tag[3] for tag in more}
    own = {tag[0]: tag for tag in more}
    return [own.get(code, (code, LONG, 1, value)) for code, value in values.items()]


def packed(data: bytes, packing: int) -> bytes:
    return tiff(picture(10, 10, packing, len(data)), data)


def tiles() -> bytes:
    tags = picture(10, 10)
    kept = [tag for tag in tags if tag[0] not in (273, 278, 279)]
    tile = [(322, LONG, 1, 40_000), (323, LONG, 1, 40_000), (324, LONG, 1, 8), (325, LONG, 1, 100)]
    return tiff(kept + tile, bytes(100))


def overlapping() -> bytes:
    """10,000 pages of 4,000 tags each, in 88 kB: each begins a few bytes after the last."""
    pages, tags = 10_000, 4000
    body = io.BytesIO(b"II*\0" + struct.pack("<I", 8) + bytes(tags * 12 + 4 * pages + 8))
    for page in range(pages):
        place = 8 + 4 * page
        body.seek(place)
        body.write(struct.pack("<H", tags))
        body.seek(place + 2 + 12 * tags)
        body.write(struct.pack("<I", place + 4 if page < pages - 1 else 0))
    return body.getvalue()


def sub_directories() -> bytes:
    """A page that names a million directories, all the same."""
    data = struct.pack("<I", 8) * 1_000_000
    return tiff([*picture(), (330, LONG, 1_000_000, 0)], data)


def many_tags() -> bytes:
    entries = b"".join(struct.pack("<HHII", 40_000 + i % 20_000, LONG, 1, i) for i in range(65_000))
    return b"II*\0" + struct.pack("<IH", 8, 65_000) + entries + bytes(4)


def big_tags() -> bytes:
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**40) + bytes(2**20)


def entities() -> bytes:
    """OME metadata of entities that stand for a billion letters."""
    names = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{names}]><OME>&a9;</OME>'.encode()
    return tiff(picture(10, 10, 1, 100, (270, 2, len(text) + 1, 0))[:-1], bytes(100))


TIFFS: dict[str, Callable[[], bytes]] = {
    "sides.tif": lambda: tiff(picture(2**31, 2**31), bytes(100)),
    "pixels.tif": lambda: tiff(picture(60_000, 60_000), bytes(100)),
    "deflate.tif": lambda: packed(zeros(GIGA), 8),
    "lzma.tif": lambda: packed(lzma.compress(bytes(GIGA), preset=0), 34925),
    "packbits.tif": lambda: packed(b"\x81\0" * 2_000_000, 32773),
    "lzw.tif": lambda: packed(b"\x80\0\1" * 1_000_000, 5),
    "samples.tif": lambda: tiff(picture(1000, 1000, 1, 100, (277, LONG, 1, 65535)), bytes(100)),
    "depth.tif": lambda: tiff([*picture(1000, 1000), (32997, LONG, 1, 2**31)], bytes(100)),
    "tiles.tif": tiles,
    "pages.tif": lambda: tiff(picture(1000, 1000, 1, 10**6), bytes(10**6), pages=30_000),
    "tiny-pages.tif": lambda: tiff(picture(1, 1, 1, 1), bytes(1), pages=30_000),
    "million-pages.tif": lambda: tiff(picture(1, 1, 1, 1), bytes(1), pages=150_000),
    "loop.tif": lambda: tiff(picture(), bytes(100), pages=3, loop=True),
    "long-loop.tif": lambda: tiff(picture(), bytes(100), pages=300, loop=True),
    "shared-tag.tif": lambda: tiff(
        [*picture(10, 10), (50_000, UNDEFINED, 2**21, 0)], bytes(2**21), pages=5_000
    ),
    "strips.tif": lambda: tiff(
        [tag for tag in picture(1, 10**6, 1, 1) if tag[0] not in (273, 278, 279)]
        + [(273, LONG, 2**31, 0), (278, LONG, 1, 1), (279, LONG, 2**31, 0)]
    ),
    "overlapping.tif": overlapping,
    "sub-directories.tif": sub_directories,
    "tags.tif": many_tags,
    "big-tags.tif": big_tags,
}

"""PNG where Pillow does not do: 16 bits of any colour type, the chunks of a file, damaged files.

Source: PNG specification, third edition (W3C 2025).
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

MAGIC = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # channels, by colour type
UP = 2  # a filter: each row less the one above
GAMMA = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
BLOCK = 256  # bytes that are given up together


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of each chunk, the last perhaps cut short."""
    place = len(MAGIC)
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        yield name, data[place + 8 : place + 8 + length]
        place += 12 + length


def gamma(data: bytes) -> dict[bytes, bytes]:
    """The chunks that say how values are encoded."""
    return {name: content for name, content in chunks(data) if name in GAMMA}


def encode(array: np.ndarray, options: dict[str, Any]) -> bytes:
    """(H, W, C) of 16 bits, C = 1, 2, 3 or 4, with what Pillow's `save` has options for."""
    height, width, channels = array.shape
    rows = array.astype(">u2").reshape(height, -1).view(np.uint8)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, format="PNG", **options)
    others = [c for c in chunks(stream.getvalue()) if c[0] not in (b"IHDR", b"IDAT", b"IEND")]
    return _join([(b"IHDR", header), *others, (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b"")])


def mended(data: bytes, max_pixels: float) -> tuple[bytes, float]:
    """A damaged file with what can be read of it, the rest 0; and the share of the bytes that are lost.
    ValueError where there is nothing to be read, or more pixels than allowed."""
    kept: list[tuple[bytes, bytes]] = []
    packed = bytearray()
    for name, content in chunks(data):
        if name == b"acTL":
            raise ValueError("an animation")
        if name == b"IDAT":
            packed += content
        elif not packed and name != b"IEND":
            kept.append((name, content))
    if not kept or kept[0][0] != b"IHDR" or not packed:
        raise ValueError("no pixels")
    header = struct.unpack(">IIBBBBB", kept[0][1])
    if header[0] * header[1] > max_pixels:
        raise ValueError("too large")
    size = _size(*header)
    pixels = _inflate(packed, size)
    if not pixels:
        raise ValueError("no pixels")
    whole = pixels + bytes(size - len(pixels))
    return _join([*kept, (b"IDAT", zlib.compress(whole, 1)), (b"IEND", b"")]), 1 - len(pixels) / size


def _size(width: int, height: int, bits: int, colour: int, *others: int) -> int:
    """Bytes of the filtered rows."""
    interlaced = others[-1]
    total = 0
    for top, left, down, right in PASSES if interlaced else [(0, 0, 1, 1)]:
        rows, columns = max(0, math.ceil((height - top) / down)), max(0, math.ceil((width - left) / right))
        total += rows * (1 + math.ceil(columns * bits * SAMPLES[colour] / 8)) if columns else 0
    return total


def _inflate(packed: bytearray, most: int) -> bytes:
    engine, found = zlib.decompressobj(), bytearray()
    for start in range(0, len(packed), BLOCK):
        try:
            found += engine.decompress(packed[start : start + BLOCK])
        except zlib.error:
            break
        if len(found) >= most:
            break
    return bytes(found[:most])


def _join(parts: list[tuple[bytes, bytes]]) -> bytes:
    made = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts
    ]
    return MAGIC + b"".join(made)

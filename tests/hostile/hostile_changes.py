"""Changes that make a hostile file of a good one: each takes its bytes and a random stream."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

ODD = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x10000,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)
HEAD = 512  # bytes in which half of the changes are, since most lengths are there
PNG = b"\x89PNG\r\n\x1a\n"
Change = Callable[[bytes, random.Random], bytes]


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(min(len(data), HEAD) if rng.random() < 0.5 else len(data))


def flip(data: bytes, rng: random.Random) -> bytes:
    """Some bits."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    """The end."""
    return data[: rng.randrange(len(data))]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """A part, once or many times more."""
    start, length = _place(data, rng), rng.choice((1, 4, 12, 64, 512))
    part = data[start : start + length]
    return data[:start] + part * rng.choice((2, 3, 100)) + data[start + length :]


def remove(data: bytes, rng: random.Random) -> bytes:
    start, length = _place(data, rng), rng.choice((1, 4, 12, 64, 512))
    return data[:start] + data[start + length :]


def length(data: bytes, rng: random.Random) -> bytes:
    """A number of 1 to 8 bytes becomes an odd one."""
    size, start = rng.choice((1, 2, 4, 4, 8)), _place(data, rng)
    value = (rng.choice(ODD) + rng.choice((0, 0, 1, -1))) % 2 ** (8 * size)
    return data[:start] + value.to_bytes(size, rng.choice(("little", "big"))) + data[start + size :]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two parts."""
    first, second = sorted((_place(data, rng), rng.randrange(len(data))))
    size = rng.choice((4, 12, 64))
    a, b = data[first : first + size], data[second : second + size]
    return data[:first] + b + data[first + size : second] + a + data[second + size :]


CHANGES: tuple[Change, ...] = (flip, cut, repeat, remove, length, length, swap)


def hostile(data: bytes, rng: random.Random) -> bytes:
    """One to three changes; often such that the checksums or the JSON around them are right."""
    for inside in (_in_zip, _in_json, _in_safetensors):
        changed = inside(data, rng) if rng.random() < 0.6 else None
        if changed is not None:
            return changed
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(CHANGES)(data, rng) or b"\0"
    return _with_checksums(data) if data.startswith(PNG) and rng.random() < 0.7 else data


def _with_checksums(data: bytes) -> bytes:
    parts, place = [PNG], len(PNG)
    while place + 12 <= len(data):
        size = struct.unpack_from(">I", data, place)[0]
        if place + 12 + size > len(data):
            break
        body = data[place + 4 : place + 8 + size]
        parts += [data[place : place + 4], body, struct.pack(">I", zlib.crc32(body))]
        place += 12 + size
    return b"".join(parts) + data[place:]


def _in_zip(data: bytes, rng: random.Random) -> bytes | None:
    """A zip in which one member is changed, and all else is right."""
    if data[:2] != b"PK":
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist()]
    except Exception:
        return None
    chosen, stream = rng.randrange(len(members)), io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i, (info, content) in enumerate(members):
            changed = rng.choice(CHANGES)(content, rng) if i == chosen and content else content
            archive.writestr(info, changed)
    return stream.getvalue()


VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    2**40,
    10**30,
    "",
    "../x",
    "a" * 300,
    [],
    {},
    [[]],
    [2**31] * 3,
)


def _in_json(data: bytes, rng: random.Random) -> bytes | None:
    """JSON, or lines of it, with another value somewhere."""
    if data[:1] != b"{":
        return None
    try:
        return json.dumps(other_value(json.loads(data), rng)).encode()
    except ValueError:
        lines = data.splitlines()
        chosen = rng.randrange(len(lines))
        lines[chosen] = json.dumps(other_value(json.loads(lines[chosen]), rng)).encode()
        return b"\n".join(lines)


def _in_safetensors(data: bytes, rng: random.Random) -> bytes | None:
    """Another value in the header."""
    size = int.from_bytes(data[:8], "little")
    if data[8:9] != b"{" or not 2 <= size <= len(data) - 8:
        return None
    header = json.dumps(other_value(json.loads(data[8 : 8 + size]), rng)).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def other_value(node: Any, rng: random.Random) -> Any:
    """A tree with an odd value in the place of one of its own, also in JSON that is one of its strings."""
    places: list[Any] = (
        [*node] if isinstance(node, dict) else [*range(len(node))] if isinstance(node, list) else []
    )
    if isinstance(node, str) and node[:1] in ("{", "["):
        return json.dumps(other_value(json.loads(node), rng))
    if not places or rng.random() < 0.1:
        return rng.choice(VALUES)
    copy, place = node.copy(), rng.choice(places)
    if rng.random() < 0.1:
        del copy[place]
    else:
        copy[place] = other_value(node[place], rng)
    return copy

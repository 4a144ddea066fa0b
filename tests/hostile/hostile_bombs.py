"""Small files that ask for much: of memory, or of time. Each is made by a function, named DOOR/NAME."""

from __future__ import annotations

import functools
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from hostile_files import pixels, saved
from PIL import Image

GIGA = 2**29
Make = Callable[[], bytes]


@functools.cache
def zeros(count: int) -> bytes:
    """Deflated: a thousandth of the bytes."""
    engine = zlib.compressobj(9)
    parts = [engine.compress(bytes(2**20)) for _ in range(count // 2**20)]
    return b"".join(parts) + engine.flush()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(*parts: bytes, width: int = 24, height: int = 20, bits: int = 8, colour: int = 0) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(parts) + chunk(b"IEND", b"")


def rows(width: int = 24, height: int = 20) -> bytes:
    return chunk(b"IDAT", zlib.compress(bytes((1 + width) * height)))


def pngs() -> dict[str, Make]:
    return {
        "sides.png": lambda: png(rows(), width=2**31 - 1, height=2**31 - 1),
        "pixels.png": lambda: png(chunk(b"IDAT", zeros(GIGA // 4)), width=50_000, height=40_000, bits=1),
        "more-rows.png": lambda: png(chunk(b"IDAT", zeros(GIGA))),
        "more-rows-cut.png": lambda: png(chunk(b"IDAT", zeros(GIGA)))[:-30],
        "ztxt.png": lambda: png(chunk(b"zTXt", b"a\0\0" + zeros(GIGA)), rows()),
        "itxt.png": lambda: png(chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(GIGA)), rows()),
        "many-ztxt.png": lambda: png(chunk(b"zTXt", b"a\0\0" + zeros(2**20)) * 1000, rows()),
        "iccp.png": lambda: png(chunk(b"iCCP", b"a\0\0" + zeros(GIGA)), rows()),
        "iccp16.png": lambda: png(
            chunk(b"iCCP", b"a\0\0" + zeros(GIGA)),
            chunk(b"IDAT", zlib.compress(bytes((1 + 24 * 6) * 20))),
            bits=16,
            colour=2,
        ),
        "exif.png": lambda: png(chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 2**25), rows()),
        "frames.png": lambda: png(
            chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
            chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2000, 2000, 0, 0, 1, 1, 0, 0)),
            rows(2000, 2000),
            width=2000,
            height=2000,
        ),
        "empty-chunks.png": lambda: png(chunk(b"IDAT", b"") * 200_000, rows()),
        "crumbs.png": lambda: png(chunk(b"IDAT", b"\0") * 300_000)[:-20],
    }


def others() -> dict[str, Make]:
    return {
        "sides.jpg": lambda: _at(saved(pixels(), "JPEG"), b"\xff\xc0", 5, struct.pack(">HH", 65535, 65535)),
        "scans.jpg": _scans,
        "screen.gif": lambda: b"GIF89a" + b"\xff" * 4 + saved(pixels(), "GIF", "P")[10:],
        "growing.gif": _growing,
        "frames.gif": _frames,
        "canvas.webp": lambda: _at(_animated("WEBP"), b"VP8X", 12, b"\xff" * 6),
        "sides.avif": lambda: _at(saved(pixels(), "AVIF"), b"ispe", 8, struct.pack(">II", 2**16, 2**15)),
        "sides.bmp": lambda: _at(saved(pixels(), "BMP"), b"BM", 18, struct.pack("<ii", 2**31 - 1, 2**31 - 1)),
        "zeros.png": lambda: bytes(2**27),
        "pixels.jxl": lambda: _extra("pillow_jxl", "JXL"),
        "pixels.heic": lambda: _extra("pillow_heif", "HEIF"),
    }


def _at(data: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    place = data.index(mark) + offset
    return data[:place] + new + data[place + len(new) :]


def _animated(format: str, **options: object) -> bytes:
    frame = Image.fromarray(np.roll(pixels(), 3, 1))
    return saved(pixels(), format, save_all=True, append_images=[frame], **options)


def _scans() -> bytes:
    """A progressive JPEG whose last pass comes 50,000 times."""
    data = saved(pixels(1900, 1900, 1), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2][:12] * 50_000 + b"\xff\xd9"


def _growing() -> bytes:
    """A GIF whose second frame lies far beyond the first."""
    data = _animated("GIF")
    place = data.rindex(b"\x21\xf9")
    place = data.index(b"\x2c", place)
    return data[: place + 1] + struct.pack("<HHHH", 0, 0, 3000, 3000) + data[place + 9 :]


def _frames() -> bytes:
    """A GIF of 2,000 frames of 2,000 x 1,900."""
    empty = Image.new("P", (2000, 1900))
    stream = io.BytesIO()
    empty.save(stream, "GIF")
    data = stream.getvalue()
    start = data.index(b"\x2c")
    tiny = struct.pack("<BHHHHB", 0x2C, 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00"
    return data[:start] + tiny * 2000 + b"\x3b"


def _extra(module: str, format: str) -> bytes:
    """2,500 x 2,500 of one colour, in a few bytes; nothing where the extra is not installed."""
    try:
        plugin = __import__(module)
    except ImportError:
        return b""
    if format == "HEIF":
        plugin.register_heif_opener()
    side, fast = 2500, {"effort": 1} if format == "JXL" else {}
    return saved(np.zeros((side, side, 1), np.uint8), format, **fast)


def archives() -> dict[str, Make]:
    return {
        "data/inflating.zip": lambda: _zip({"a.png": bytes(GIGA)}),
        "data/many.zip": lambda: _zip({f"{i}.png": b"" for i in range(20_000)}),
        "data/overlapping.zip": _overlapping,
        "import/inflating.pt": _torch,
        "import/inflating.ts": lambda: _zip(
            {"a/code/__torch__.py": bytes(GIGA), "a/data.pkl": b"\x80\x02N."}
        ),
    }


def _zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _overlapping() -> bytes:
    """A zip whose directory names one inflating member 1,000 times."""
    data = _zip({"0000.png": bytes(2**24)})
    start = data.index(b"PK\x01\x02")
    entry, end = data[start:-22], data[-22:]
    entries = b"".join(entry.replace(b"0000.png", f"{i:04d}.png".encode()) for i in range(1000))
    count = struct.pack("<HHII", 1000, 1000, len(entries), start)
    return data[:start] + entries + end[:8] + count + end[20:]


def _torch() -> bytes:
    """A file of torch, its tensor deflated."""
    import torch

    stream = io.BytesIO()
    torch.save({"a": torch.zeros(GIGA // 4)}, stream)
    with zipfile.ZipFile(stream) as archive:
        return _zip({name: archive.read(name) for name in archive.namelist()})


def headers() -> dict[str, Make]:
    def of(header: object, size: int | None = None) -> Make:
        def make() -> bytes:
            text = header if isinstance(header, bytes) else json.dumps(header).encode()
            return struct.pack("<Q", len(text) if size is None else size) + text + bytes(16)

        return make

    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    prior = {"kind": "gaussian", "config": {"shape": [3, 60000, 60000], "rank": 4096}}
    unet = {"name": "unet", "width": 64, "blocks": 10**9}
    flow = {"kind": "flow", "config": {"network": unet, "form": "x", "gaussian": None, "shape": [3, 8, 8]}}
    found = {
        "size": of({}, 2**63),
        "size-32": of({}, 2**32),
        "overlapping": of({"a": one, "b": one}),
        "beyond": of({"a": {**one, "data_offsets": [0, 2**62]}}),
        "backwards": of({"a": {**one, "data_offsets": [16, 0]}}),
        "shape": of({"a": {**one, "shape": [2**32, 2**32, 2**32]}}),
        "deep": of(b"[" * 100_000),
        "large": of(_header({"kind": "flow", "config": {}}, 2**27)),
        "memory": of(_header(prior)),
        "endless": of(_header(flow)),
        "nested": of(_header(json.loads("{}"), text="[" * 100_000 + "]" * 100_000)),
        "digits": of(_header({}, text="1" * 1_000_000)),
    }
    files = {f"prior/{name}.safetensors": make for name, make in found.items()}
    return files | {f"import/{name}.safetensors": make for name, make in found.items()}


def _header(header: object, more: int = 0, text: str | None = None) -> dict[str, object]:
    content = json.dumps(header) if text is None else text
    meta = {"restora.prior": content, "x": "a" * more}
    return {"__metadata__": meta, "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}


def arrays() -> dict[str, Make]:
    def of(shape: str, dtype: str = "'<f8'") -> Make:
        text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
        return lambda: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(80)

    return {
        "kernel/shape.npy": of("(1000000, 1000000)"),
        "kernel/digits.npy": of(f"({'9' * 5000}, 3)"),
        "kernel/deep.npy": of("(" * 5000 + ")" * 5000),
        "kernel/objects.npy": of("(3, 3)", "'|O'"),
        "kernel/large.npy": lambda: of("(5000, 5000)")() + bytes(5000 * 5000 * 8),
        "manifest/deep.json": lambda: b"[" * 1_000_000,
        "manifest/digits.json": lambda: b'{"settings": {}, "files": {"a": {"x": ' + b"9" * 1_000_000 + b"}}}",
        "bench/deep.json": lambda: b'{"a":' * 200_000,
        "bench/deep.jsonl": lambda: b"[" * 200_000,
    }

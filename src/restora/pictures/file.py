"""A picture's file: what its head tells, and its bytes; each is read once, whoever asks how often."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, JpegImagePlugin

from restora import limits
from restora.errors import ImageError
from restora.pictures import formats, tiff
from restora.pictures.decoding import check_size
from restora.pictures.formats import TIFF, Format
from restora.pictures.pillow import ORIENTATION, open_head


@dataclass(frozen=True)
class Compression:
    """What the head of a JPEG file tells.

    tables: those of luma and chroma, 64 numbers each in rows. mode, sampling: as Pillow has them.
    """

    tables: tuple[tuple[int, ...], ...]
    mode: str
    sampling: int


@dataclass(frozen=True)
class Head:
    """What a file tells before its pixels are decoded, None where it does not.

    size: (height, width) of the upright picture. format: what it is. has_alpha: whether it says so.
    """

    size: tuple[int, int] | None = None
    format: Format | None = None
    has_alpha: bool = False
    jpeg: Compression | None = None


def read_head(file: BinaryIO) -> Head:
    """The head of an open file of any kind; nothing of it is an error."""
    with contextlib.suppress(Exception):  # whatever is wrong with it, decoders find the words
        formats.ready(file.read(16), "")
        file.seek(0)
        found = tiff.open_tiff(file)
        if found:
            return Head(_upright(found.size, found.turn), TIFF)
        file.seek(0)
        picture = open_head(file)
        alpha = "A" in picture.getbands() or "transparency" in picture.info
        size = _upright(picture.size, _orientation(picture))
        return Head(size, formats.of_name(picture.format), alpha, _compression(picture))
    return Head()


def _upright(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """(width, height) -> (height, width) of the turned picture."""
    return size if turn in (5, 6, 7, 8) else size[::-1]


def _orientation(picture: Image.Image) -> int:
    """As far as the head tells: of a PNG Pillow would decode all pixels, as it may stand behind them."""
    with contextlib.suppress(Exception):
        return Image.Image.getexif(picture).get(ORIENTATION, 1)
    return 1


def _compression(picture: Image.Image) -> Compression | None:
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return None
    tables = picture.quantization
    chroma = tables.get(1, tables[0])
    sampling = JpegImagePlugin.get_sampling(picture)
    return Compression((tuple(tables[0]), tuple(chroma)), picture.mode, sampling)


class File:
    """The file at `path`, opened when its head is asked for, and when its bytes are, which are not kept."""

    def __init__(self, path: Path):
        self.path = path
        self._head: Head | None = None
        self._digest: str | None = None
        self._fetched: bytes | ImageError | None = None

    def fetch(self, max_pixels: float) -> None:
        """Read all bytes now, once, and keep them for the next `read`, which raises what is wrong."""
        try:
            self._fetched = self.read(str(self.path), max_pixels)
        except ImageError as error:
            self._fetched = error

    @property
    def head(self) -> Head:
        if self._head is None:
            self._head = Head()
            with contextlib.suppress(Exception), limits.opened(self.path) as file:
                self._head = read_head(file)
        return self._head

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, as they were when they were first read; empty where they cannot be."""
        if self._digest is None:
            self._digest = digest(self.path)
        return self._digest

    def read(self, name: str, max_pixels: float) -> bytes:
        """All bytes; ImageError where they cannot be read, or the head tells of more than `max_pixels`."""
        if self._fetched is not None:
            data, self._fetched = self._fetched, None
            if isinstance(data, ImageError):
                raise data
            return data
        data, self._head = contents(self.path, name, max_pixels, self._head)
        self._digest = hashlib.sha256(data).hexdigest()
        return data


def contents(path: Path, name: str, max_pixels: float, head: Head | None = None) -> tuple[bytes, Head]:
    """The bytes of a file and its head, which is not read if it is known. ImageError as for `File.read`."""
    try:
        with limits.opened(path) as file:
            head = head or read_head(file)
            if head.size:
                check_size(head.size[::-1], name, max_pixels)
            file.seek(0)
            known = head.size is not None
            return limits.read(file, limits.BYTES * max_pixels) if known else file.read(limits.UNKNOWN), head
    except ImageError:
        raise
    except Exception as error:  # OSError, ValueError for a NUL in the name, whatever zips and clouds raise
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason})") from error


def digest(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read."""
    try:
        with limits.opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except Exception:  # whatever zips and clouds raise
        return ""

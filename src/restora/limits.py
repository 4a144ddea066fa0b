"""What a file of unknown origin may take of this machine: every bound, in one place.

The user sets one of them, the pixels of a picture. The others are far beyond what real files have, and there
so that a small file cannot fill the memory, or keep a processor busy for hours.
"""

from __future__ import annotations

import errno
import io
import json
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

MAX_PIXELS = 64_000_000
"""Of one picture, plane or frame, by default."""
VALUES = 16
"""All planes or frames of a file together have at most so many values for each of the pixels allowed."""
BYTES = 32
"""A file has at most so many bytes for each of the pixels allowed, packed, and its planes unpacked."""
UNKNOWN = 2**24
"""Bytes that are read of a file whose header says nothing."""
SCANS = 100
"""Passes of a progressive JPEG: each goes over the whole picture."""
DIRECTORIES, TAGS = 100_000, 500_000
"""Pages of a TIFF, and all tags of all of them."""
INFLATED = 2**26
"""Bytes that a compressed part may need beyond what is known of it: metadata, a strip, a member of a zip."""
GROWTH, CALLS = 64, 200
"""A network takes at most so many times the room of its tensors in the file, and so many operations to build
for each of them."""
TAPS = 2**22
"""Of a kernel."""
TEXT = 2**30
"""Bytes of a file of JSON."""
MEMBER = 2**30
"""Bytes of a picture in a zip."""
ENTRY = 2**26
"""Characters of an entry in a manifest."""


class BoundError(ValueError):
    """A file that would need more than a bound allows; the text says which one."""


def parse(text: str | bytes) -> Any:
    """JSON; ValueError for anything else, however deep it is nested."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_text(path: Path) -> str:
    """The text of a file; ValueError for one that is no text or too long, OSError where it cannot be read."""
    with opened(path) as file:
        return read(file, TEXT).decode("utf-8")


def opened(path: Path) -> io.BufferedReader:
    """An open file; OSError for a pipe or device, which may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file")
    return path.open("rb")


def read(file: BinaryIO, most: float) -> bytes:
    """All bytes of an open file; BoundError for more than `most`."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size > most:
        raise BoundError(f"it has {amount(size)}; at most {amount(most)} are accepted")
    return file.read(size)


def check_zip(path: Path) -> None:
    """BoundError for an archive of tensors whose members take much more room than the archive."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
    if total > path.stat().st_size + INFLATED:
        raise BoundError(f"it expands to {amount(total)}, too much for a weight file")


def amount(count: float) -> str:
    """3.2 MB."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"

"""The pictures in a zip, read without being extracted."""

from __future__ import annotations

import errno
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, cast

from restora import limits
from restora.errors import ImageError
from restora.pictures.places import FILE, FOLDER, Place, as_os_errors, as_place


class Zip:
    """A zip file, of which nothing is extracted. An entry whose name leads out of it, or that is a link or
    larger than `limits.MEMBER`, is none of its files."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
            infos = self.archive.infolist()
        except Exception as error:  # BadZipFile, struct.error, ...
            reason = getattr(error, "strerror", None) or error
            raise ImageError(f"{path}: cannot be read as a zip ({reason})") from error
        self.files = {info.filename: info for info in infos if not info.is_dir() and _is_inside(info)}
        self.left = sum(not info.is_dir() for info in infos) - len(self.files)
        self.folders: dict[str, dict[str, str]] = {".": {}}
        for name in self.files:
            self._enter(PurePosixPath(name), FILE)

    def _enter(self, inner: PurePosixPath, kind: str) -> None:
        parent = str(inner.parent)
        if parent not in self.folders:
            self.folders[parent] = {}
            self._enter(inner.parent, FOLDER)
        self.folders[parent].setdefault(inner.name, kind)

    def name(self, inner: PurePosixPath) -> str:
        return str(self.path / inner)

    def open(self, inner: PurePosixPath) -> IO[bytes]:
        info = self.files.get(str(inner))
        if info is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the zip")
        if info.file_size > limits.MEMBER:
            raise OSError(errno.EFBIG, f"{info.file_size} bytes; at most {limits.MEMBER} are accepted")
        return as_os_errors(self.archive.open, info)

    def kind(self, inner: PurePosixPath) -> str | None:
        if str(inner) in self.folders:
            return FOLDER
        return FILE if str(inner) in self.files else None

    def entries(self, inner: PurePosixPath) -> list[tuple[str, str]]:
        return sorted(self.folders[str(inner)].items())


def _is_inside(info: zipfile.ZipInfo) -> bool:
    """Whether it is a file whose name, as it is, is a path below the zip."""
    inner = PurePosixPath(info.filename)
    plain = str(inner) == info.filename and not inner.is_absolute() and ".." not in inner.parts
    return plain and not {"\\", "\0"} & set(info.filename) and not stat.S_ISLNK(info.external_attr >> 16)


def zip_at(path: Path) -> Path:
    """The top of a zip file."""
    return cast(Path, Place(Zip(path), PurePosixPath()))


def left_out(folder: Path) -> int:
    """How many entries of a zip are none of its files."""
    place = as_place(folder)
    return place.store.left if place and isinstance(place.store, Zip) else 0

"""Files that lie elsewhere than in the file system: in a zip, or behind a URL of fsspec, such as s3://.

A Place does what a pathlib.Path does, as far as pictures need it, and stands in for one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, TypeVar

T = TypeVar("T")
FOLDER, FILE, OTHER = "folder", "file", "pipe or device"


class Store(Protocol):
    """Where places are. Its errors are OSErrors."""

    def name(self, inner: PurePosixPath) -> str: ...
    def open(self, inner: PurePosixPath) -> IO[bytes]: ...
    def kind(self, inner: PurePosixPath) -> str | None: ...
    def entries(self, inner: PurePosixPath) -> list[tuple[str, str]]: ...


class Place:
    """The file or folder at `inner` of a store."""

    def __init__(self, store: Store, inner: PurePosixPath):
        self.store, self.inner = store, inner

    def __str__(self) -> str:
        return self.store.name(self.inner)

    def __repr__(self) -> str:
        return f"Place({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, other: object) -> Place:
        return Place(self.store, self.inner / str(other))

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def stem(self) -> str:
        return self.inner.stem

    @property
    def suffix(self) -> str:
        return self.inner.suffix

    @property
    def parent(self) -> Place:
        return Place(self.store, self.inner.parent)

    @property
    def parents(self) -> Sequence[Place]:
        return [Place(self.store, inner) for inner in self.inner.parents]

    def with_name(self, name: str) -> Place:
        return Place(self.store, self.inner.with_name(name))

    def relative_to(self, other: Place) -> PurePosixPath:
        return self.inner.relative_to(other.inner)

    def is_relative_to(self, other: Place) -> bool:
        return self.store is other.store and self.inner.is_relative_to(other.inner)

    def resolve(self) -> Place:
        return self

    def is_dir(self) -> bool:
        return self.store.kind(self.inner) == FOLDER

    def is_file(self) -> bool:
        return self.store.kind(self.inner) == FILE

    def exists(self) -> bool:
        return self.store.kind(self.inner) is not None

    def open(self, mode: str = "rb", **options: Any) -> IO[bytes]:
        return self.store.open(self.inner)


def as_place(path: object) -> Place | None:
    """The path, if it is a Place and not one of the file system."""
    return path if isinstance(path, Place) else None


def as_os_errors(function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call it; whatever another package raises is an OSError."""
    try:
        return function(*args, **options)
    except OSError:
        raise
    except Exception as error:  # botocore's, aiohttp's, zipfile's RuntimeError for a password, ...
        raise OSError(errno.EIO, " ".join(str(error).split()) or type(error).__name__) from error


def exists(path: Path) -> bool:
    """Whether something is there; nothing has a name that the file system refuses."""
    return path.exists() if as_place(path) else os.path.exists(path)


def real(path: Path) -> Path:
    """The path without links, as far as the file system can follow them."""
    try:
        return path.resolve()
    except (ValueError, RuntimeError):  # a name that it refuses, links in a circle
        return real(path.parent) / path.name


def entries(folder: Path) -> list[tuple[str, str]]:
    """What is in a folder, and what that is, in name order: FOLDER, FILE or OTHER. A link that leads
    nowhere is a file. OSError where the folder cannot be read."""
    if (place := as_place(folder)) is not None:
        return place.store.entries(place.inner)
    with os.scandir(folder) as found:
        return sorted((entry.name, _kind(entry)) for entry in found)


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return FOLDER
        return FILE if entry.is_file() or not os.path.exists(entry.path) else OTHER
    except OSError:  # links in a circle
        return FILE

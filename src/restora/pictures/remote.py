"""Files behind the URLs of fsspec, such as s3://bucket/folder."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from restora.errors import ImageError, PackageError
from restora.pictures.places import FILE, FOLDER, Place, as_os_errors

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


class Remote:
    """What fsspec finds behind a URL: `start` is s3://, say, and `end` the rest of a chain, ::file.zip."""

    def __init__(self, start: str, end: str, files: Any):
        self.start, self.end, self.files = start, end, files

    def name(self, inner: PurePosixPath) -> str:
        return f"{self.start}{'' if str(inner) == '.' else inner}{self.end}"

    def path(self, inner: PurePosixPath) -> str:
        """As the file system of fsspec calls it."""
        return self.files._strip_protocol(f"{self.start}{'' if str(inner) == '.' else inner}")

    def open(self, inner: PurePosixPath) -> IO[bytes]:
        return as_os_errors(self.files.open, self.path(inner), "rb")

    def kind(self, inner: PurePosixPath) -> str | None:
        try:
            found = as_os_errors(self.files.info, self.path(inner))
        except FileNotFoundError:
            return None
        return FOLDER if found["type"] == "directory" else FILE

    def entries(self, inner: PurePosixPath) -> list[tuple[str, str]]:
        found = as_os_errors(self.files.ls, self.path(inner), detail=True)
        kinds = {True: FOLDER, False: FILE}
        named = [(entry["name"].rstrip("/").rpartition("/")[2], entry["type"]) for entry in found]
        return sorted((name, kinds[kind == "directory"]) for name, kind in named if name)

    def put(self, local: Path, inner: PurePosixPath) -> None:
        """Write a file of this machine to it, whole or not at all."""
        target = self.path(inner)
        if self.start.partition(":")[0] in ("memory", *PACKAGES):  # a file appears there when it is complete
            as_os_errors(self.files.put_file, str(local), target)
            return
        part = self.path(inner.with_name(local.name))
        as_os_errors(self.files.makedirs, self.path(inner.parent), exist_ok=True)
        as_os_errors(self.files.put_file, str(local), part)
        as_os_errors(self.files.mv, part, target)

    def write(self, inner: PurePosixPath, data: bytes) -> None:
        """A small file."""
        as_os_errors(self.files.makedirs, self.path(inner.parent), exist_ok=True)
        as_os_errors(self.files.pipe_file, self.path(inner), data)

    def remove(self, inner: PurePosixPath) -> None:
        with contextlib.suppress(FileNotFoundError):
            as_os_errors(self.files.rm_file, self.path(inner))


def place_of(text: str) -> Path:
    """The path, or the Place behind a URL, that a text names."""
    start, mark, rest = text.partition("://")
    if not mark or not start.isidentifier():
        return Path(text)
    if start in ("file", "local"):
        return Path(rest)
    inner, chain, end = rest.partition("::")
    return cast(Path, Place(_remote(f"{start}://", chain + end), PurePosixPath(inner)))


@lru_cache
def _remote(start: str, end: str) -> Remote:
    import fsspec

    protocol = start.partition(":")[0]
    try:
        files, _ = fsspec.core.url_to_fs(f"{start}{end}" if end else start)
    except ImportError as error:
        package = PACKAGES.get(protocol, "")
        advice = f"pip install {package}" if package else "see https://filesystem-spec.readthedocs.io"
        raise PackageError(f"{start} needs an optional package: {advice}") from error
    except ValueError as error:
        known = "s3://, gs://, abfs://, memory:// and others of fsspec"
        raise ImageError(f"{start}: unknown kind of URL; expected {known}") from error
    return Remote(start, end, files)

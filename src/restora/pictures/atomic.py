"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from restora.errors import OutputError
from restora.pictures.places import Place, as_place
from restora.pictures.remote import Remote


def is_part(name: str) -> bool:
    """Whether a file of this name is one that is being written, or was when its process was killed."""
    return name.startswith(".restora-") and name.endswith(".part")


def remove_parts(folder: Path, names: Iterable[str]) -> None:
    """Remove those of these files that a process had begun to write when it was killed."""
    for name in filter(is_part, names):
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def check_names(paths: Iterable[Path]) -> None:
    """OutputError for a path that the file system refuses, such as one with a name that is too long."""
    for path in paths:
        if as_place(path) is None:
            try:
                path.lstat()
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise OutputError(f"{path}: cannot be written ({_reason(error)})") from error


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A new empty file in the folder of `path`, renamed to `path` on success and removed on failure. Where
    `path` is a Place, it is in the folder for temporary files, and sent there on success."""
    if (place := as_place(path)) is not None:
        with tempfile.TemporaryDirectory(prefix="restora-") as folder:
            yield from _sent(Path(folder) / f".restora-{secrets.token_hex(6)}.part", place)
        return
    part = path.parent / f".restora-{secrets.token_hex(6)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)
        mode = part.stat().st_mode
        yield part
        _flush(part)
        part.chmod(mode)  # an encoder may have replaced the file by one that only its owner can read
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({_reason(error)})") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _flush(part: Path) -> None:
    """To the disk, so that a machine that fails does not leave an empty file of the right name."""
    file = os.open(part, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sent(part: Path, path: Place) -> Iterator[Path]:
    try:
        part.touch()
        yield part
        if not isinstance(path.store, Remote):
            raise OSError(errno.EROFS, "nothing is written into a zip")
        path.store.put(part, path.inner)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

"""The journal of a run: a line for each item as it ends, so that a run that is killed loses none.

Each run has its own file in the output folder, and holds a lock on it that ends with its process. Whoever
finds a journal without such a lock may enter its lines in the manifest, and remove it. Behind a URL, where
files do not grow and nothing can be locked, it is in `segments`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from restora import limits
from restora.errors import OutputError
from restora.pictures import places
from restora.runs import locks
from restora.runs.locks import locked as locked
from restora.runs.record import Entry

PREFIX, SUFFIX = ".restora-", ".journal"
SYNC = 1.0  # seconds for which a failure of the machine, not of the process, may lose lines
Line = tuple[str, Entry]


class Journal:
    """A new journal in a folder. Where a line cannot be written, it waits for the next one."""

    def __init__(self, folder: Path, settings: dict[str, Any]):
        self.path = folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
        self._waiting: list[Line] = []
        self._length, self._synced = 0, time.monotonic()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
            locks.take(self._file)
            self._append(json.dumps({"settings": settings}) + "\n")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def add(self, lines: list[Line]) -> None:
        """OutputError where they cannot be written; nothing of them is then in the file."""
        self._waiting += lines
        try:
            self._append("".join(json.dumps(line) + "\n" for line in self._waiting))
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self._waiting.clear()

    def _append(self, text: str) -> None:
        data = text.encode()
        try:
            rest = data
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self._length += len(data)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._length)
            raise
        if time.monotonic() - self._synced >= SYNC:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def lines(self) -> Iterator[Line]:
        """All of this run, also where the file is gone, or could not be written."""
        with os.fdopen(os.dup(self._file), encoding="utf-8") as file:
            file.seek(0)
            yield from _lines(file)
        yield from self._waiting

    def close(self, remove: bool) -> None:
        """remove: its lines are in the manifest."""
        os.close(self._file)
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()


def journals(folder: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        names = (name for name, kind in places.entries(folder) if kind == places.FILE)
        return [folder / name for name in names if name.startswith(PREFIX) and name.endswith(SUFFIX)]
    return []


def read(path: Path) -> tuple[dict[str, Any] | None, Iterator[Line]]:
    """The settings of the run, None where there are none; and its lines."""
    file = io.TextIOWrapper(path.open("rb"), encoding="utf-8", errors="replace")
    try:
        settings = limits.parse(file.readline())["settings"]
    except (ValueError, KeyError, TypeError):
        settings = None
    file.seek(0)
    return settings if isinstance(settings, dict) else None, _closing(file)


def _closing(file: Any) -> Iterator[Line]:
    with file:
        yield from _lines(file)


def _lines(file: Any) -> Iterator[Line]:
    """What was killed in the middle of a line did not write that line."""
    for text in file:
        try:
            key, entry = limits.parse(text)
        except (ValueError, TypeError):
            continue
        if isinstance(key, str) and isinstance(entry, dict):
            yield key, entry


def ended(folder: Path) -> list[Path]:
    """The journals that no process holds any more."""
    return [path for path in journals(folder) if _is_free(path)]


def live(folder: Path) -> bool:
    """Whether another run is under way."""
    return len(ended(folder)) < len(journals(folder))


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _is_free(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return locks.take(file)
    finally:
        os.close(file)

"""The journal of a run behind a URL: a new small file every few seconds, since files there do not grow.

Who has entered the lines of such files in the manifest may remove them, whoever wrote them. Who does that
holds a lock: a file with the holder's name, which counts for as long as it changes.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from restora.errors import OutputError
from restora.pictures.places import as_place
from restora.pictures.remote import Remote
from restora.runs.journal import PREFIX, SUFFIX, Line, journals

SYNC = 5.0  # seconds from one file to the next
LOCK = ".restora.lock"
SETTLE, BEAT, DEAD = 0.5, 5.0, 60.0  # seconds until all see a lock, it changes, and it has not for too long


class Segments:
    """The journal of a new run in a folder. Lines that are not in a file yet wait."""

    def __init__(self, folder: Path, settings: dict[str, Any]):
        self.folder, self.settings = folder, settings
        self.token, self.count = secrets.token_hex(8), 0
        self._waiting: list[Line] = []
        self._last = time.monotonic()

    def add(self, lines: list[Line]) -> None:
        """OutputError where they cannot be written; they wait then."""
        self._waiting += lines
        if time.monotonic() - self._last >= SYNC:
            self._write()

    def _write(self) -> None:
        self._last = time.monotonic()
        path = self.folder / f"{PREFIX}{self.token}-{self.count:06}{SUFFIX}"
        lines = [{"settings": self.settings}, *self._waiting]
        try:
            _put(path, "".join(json.dumps(line) + "\n" for line in lines))
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
        self.count += 1
        self._waiting.clear()

    def lines(self) -> Iterator[Line]:
        """Those that are in no file."""
        yield from self._waiting

    def close(self, remove: bool) -> None:
        """remove: the lines are in the manifest."""
        if not remove and self._waiting:
            with contextlib.suppress(OutputError):
                self._write()


def ended(folder: Path) -> list[Path]:
    """All of them may be removed."""
    return journals(folder)


def live(folder: Path) -> bool:
    """Whether another run may be under way; behind a URL nobody knows."""
    return True


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            _remove(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time, in this folder. Only this machine's own clock counts, and it cannot be set."""
    path, token = folder / LOCK, secrets.token_hex(8)
    seen, since = b"", time.monotonic()
    try:
        while True:
            now = _content(path)
            if now != seen:
                seen, since = now, time.monotonic()
            if not now or time.monotonic() - since > DEAD:
                _put(path, token)
                time.sleep(SETTLE)
                if _content(path) == token.encode():
                    break
            time.sleep(SETTLE)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(path, token, done), daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        with contextlib.suppress(OSError):
            _remove(path)


def _beat(path: Path, token: str, done: threading.Event) -> None:
    beats = 0
    while not done.wait(BEAT):
        beats += 1
        with contextlib.suppress(OSError):
            _put(path, f"{token} {beats}")


def _content(path: Path) -> bytes:
    """Of a small file; nothing where there is none."""
    try:
        with path.open("rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _put(path: Path, text: str) -> None:
    place = as_place(path)
    assert place is not None
    assert isinstance(place.store, Remote)
    place.store.write(place.inner, text.encode())


def _remove(path: Path) -> None:
    place = as_place(path)
    assert place is not None
    assert isinstance(place.store, Remote)
    place.store.remove(place.inner)

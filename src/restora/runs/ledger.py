"""The entries of a manifest while a run lasts: in a temporary database, so that a million take no memory."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from restora.errors import OutputError
from restora.runs.record import Entry

TABLES = """
create table entry (key blob primary key, real blob, done integer, text text);
create index entry_real on entry (real);
create table output (name blob, stem blob, key blob);
create index output_name on output (name);
create index output_stem on output (stem);
create index output_key on output (key);
pragma synchronous = off;
pragma journal_mode = off;
"""


class Ledger:
    """What became of each input, by its path; which result is whose. It may be asked from any thread."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False)  # a file of its own, gone at the end
        self._database.executescript(TABLES)
        self._lock = threading.Lock()
        self._folder: tuple[str, str] = ("", "")

    def put(self, key: str, entry: Entry) -> None:
        """Enter what became of an input, in place of what was known."""
        raw, real = _raw(key), _raw(self.real(key))
        self._do("delete from output where key = ?", raw)
        self._do(
            "insert or replace into entry values (?, ?, ?, ?)",
            raw,
            real,
            entry.get("status") == "done",
            json.dumps(entry),
        )
        for name in entry.get("outputs", []):
            self._do("insert into output values (?, ?, ?)", _raw(name), _raw(stem_of(name)), raw)

    def drop(self, key: str) -> None:
        self._do("delete from entry where key = ?", _raw(key))
        self._do("delete from output where key = ?", _raw(key))

    def get(self, key: str) -> Entry | None:
        found = self._do("select text from entry where key = ?", _raw(key))
        return json.loads(found[0][0]) if found else None

    def key_of(self, path: Path) -> str | None:
        """Under which path the input at `path` is entered."""
        return _text(
            self._do("select key from entry where real = ? order by rowid desc", _raw(self.real(str(path))))
        )

    def owner(self, name: str) -> str | None:
        """Whose result has this name."""
        return _text(self._do("select key from output where name = ? order by rowid desc", _raw(name)))

    def owners(self, stem: str) -> set[str]:
        """Those who have a result of this name, whatever its suffix."""
        return {_decoded(key) for (key,) in self._do("select key from output where stem = ?", _raw(stem))}

    @property
    def any_done(self) -> bool:
        return bool(self._do("select 1 from entry where done limit 1"))

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        """In the order of their paths."""
        last: bytes | None = None
        page = "select key, text from entry where ? is null or key > ? order by key limit 1000"
        while rows := self._do(page, last, last):
            for key, text in rows:
                yield _decoded(key), json.loads(text)
            last = rows[-1][0]

    def update(self, entries: Iterable[tuple[str, Entry]]) -> None:
        for key, entry in entries:
            self.put(key, entry)

    def close(self) -> None:
        self._database.close()

    def real(self, key: str) -> str:
        """The path without links in its folder. Inputs come folder by folder, so the last one is known."""
        if "://" in key:
            return key
        folder, name = os.path.split(key)
        if self._folder[0] != folder or not self._folder[1]:
            self._folder = folder, os.path.realpath(folder)
        return os.path.join(self._folder[1], name)

    def _do(self, text: str, *values: object) -> list[tuple]:
        try:
            with self._lock:
                return self._database.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise OutputError(
                f"the record of the run cannot be kept in the temporary folder ({error})"
            ) from error


def stem_of(name: str) -> str:
    """A result's name in its folder, without the suffix."""
    return os.path.splitext(name)[0]


def _raw(text: str) -> bytes:
    """Names need not be UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _text(rows: list[tuple[bytes]]) -> str | None:
    return _decoded(rows[0][0]) if rows else None

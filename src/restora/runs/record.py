"""The JSON of a manifest, read and written entry by entry, so that no run has to hold all of it.

{"settings": {...}, ..., "files": {"a.png": {...}, "b.png": {...}}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from restora import limits

FILES = "files"
CHUNK = 2**16
AFTER = tuple(" \t\r\n,:]}")  # what may come after a value
ERRORS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # of a file that is no record
Entry = dict[str, Any]


def read(file: TextIO) -> Iterator[tuple[str, str | None, Any]]:
    """(name, None, value) for each member, with {} for FILES; then (FILES, key, entry) for each entry. One of
    ERRORS for what is no such JSON."""
    text = _Text(file)
    for name in text.members():
        if name != FILES:
            yield name, None, text.value()
            continue
        yield name, None, {}
        for key in text.members():
            yield name, key, _checked(text.value())
    text.end()


def _checked(entry: Any) -> Entry:
    outputs = entry.get("outputs", [])  # AttributeError: no object
    if not isinstance(outputs, list) or not all(isinstance(name, str) for name in outputs):
        raise ValueError("outputs that are no list of names")
    return entry


def write(file: TextIO, head: Entry, entries: Iterable[tuple[str, Entry]]) -> None:
    """As json.dumps({**head, FILES: dict(entries)}, indent=1) would have it, and a line end."""
    start = json.dumps({**head, FILES: {}}, indent=1)
    file.write(start.removesuffix("}\n}"))
    gap = "\n  "
    for key, entry in entries:
        file.write(f"{gap}{json.dumps(key)}: " + json.dumps(entry, indent=1).replace("\n", "\n  "))
        gap = ",\n  "
    file.write("}\n}\n" if gap[0] == "\n" else "\n }\n}\n")


class _Text:
    """JSON text of which a part is held."""

    def __init__(self, file: TextIO):
        self.file, self.held, self.at = file, "", 0
        self.decode = json.JSONDecoder().raw_decode

    def members(self) -> Iterator[str]:
        """The names in an object; the value of each is to be taken before the next."""
        self._take("{")
        if self._next() == "}":
            self._take("}")
            return
        while True:
            name = self.value()
            if not isinstance(name, str):
                raise ValueError("a name that is no string")
            self._take(":")
            yield name
            if self._next() == "}":
                self._take("}")
                return
            self._take(",")

    def value(self) -> Any:
        self._next()
        while True:
            try:
                found, end = self.decode(self.held, self.at)
                if self.held[end : end + 1] in AFTER or not self._more():  # a number could go on
                    self.at = end
                    return found
            except json.JSONDecodeError:
                if not self._more():
                    raise

    def end(self) -> None:
        if self._next():
            raise ValueError("text behind the end")

    def _take(self, wanted: str) -> None:
        if self._next() != wanted:
            raise ValueError(f"expected {wanted!r}")
        self.at += 1

    def _next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self.at < len(self.held):
                if self.held[self.at] not in " \t\r\n":
                    return self.held[self.at]
                self.at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Twice as much, so that a long value takes few attempts."""
        if len(self.held) - self.at > limits.ENTRY:
            raise ValueError("an entry that is too long")
        chunk = self.file.read(max(CHUNK, len(self.held) - self.at))
        self.held, self.at = self.held[self.at :] + chunk, 0
        return bool(chunk)

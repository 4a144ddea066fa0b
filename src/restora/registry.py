"""A table of named classes: register, get, names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from restora.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps a public name to a class. `kind` is the noun used in error messages."""

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> None:
        """Add `entry` under `name`; a name that is already taken raises ValueError."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is already registered")
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """The entry called `name`, or UnknownNameError with the nearest names."""
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self.names())
        return self._entries[name]

    def name_of(self, entry: T) -> str | None:
        """The name under which `entry` is registered, if it is."""
        return next((name for name, value in self._entries.items() if value is entry), None)

    def names(self) -> list[str]:
        return list(self._entries)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._entries.items())

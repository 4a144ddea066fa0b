"""A table of named classes: register, get, names. Other packages add to it through entry points."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from restora.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps a public name to a class. `kind` is the noun used in error messages.

    `group`: the group of entry points in which other packages name theirs, `NAME = "package.module:Class"`.
    They are loaded when the registry is first asked.
    """

    def __init__(self, kind: str, group: str | None = None):
        self.kind, self.group = kind, group
        self._own: dict[str, T] = {}

    def register(self, name: str, entry: T) -> None:
        """Add `entry` under `name`; a name that is already taken raises ValueError."""
        if name in self._own:
            raise ValueError(f"{self.kind} {name!r} is already registered")
        self._own[name] = entry

    def get(self, name: str) -> T:
        """The entry called `name`, or UnknownNameError with the nearest, by their `synonyms` too."""
        if name not in self._entries:
            words = {own: f"{own}, {getattr(entry, 'synonyms', '')}".split(", ") for own, entry in self}
            raise UnknownNameError(self.kind, name, words, words)
        return self._entries[name]

    def name_of(self, entry: T) -> str | None:
        """The name under which `entry` is registered, if it is."""
        return next((name for name, value in self._entries.items() if value is entry), None)

    def names(self) -> list[str]:
        return list(self._entries)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._entries.items())

    @property
    def _entries(self) -> dict[str, T]:
        group, self.group = self.group, None  # once
        for point in entry_points(group=group) if group else ():
            self._load(point)
        return self._own

    def _load(self, point: EntryPoint) -> None:
        """Register what another package names; where that fails, say so and go on."""
        try:
            self.register(point.name, point.load())
        except Exception as error:  # whatever the import of another package raises
            owner = point.dist.name if point.dist else point.value
            reason = " ".join(str(error).split()) or type(error).__name__
            warnings.warn(f"{self.kind} {point.name!r} of {owner} is left out: {reason}", stacklevel=2)

"""What a manifest says of items, and which files in the folder of the results it says nothing of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from restora.pictures import places
from restora.pictures.atomic import remove_parts
from restora.runs.item import Item
from restora.runs.ledger import Ledger, stem_of
from restora.runs.record import Entry


def entry_of(item: Item) -> Entry:
    """What the manifest says of an item that has ended; `facts` are that where it was elsewhere."""
    if item.elsewhere:
        return item.facts
    entry = {"status": item.status, "seed": item.seed, **item.facts}
    entry |= {"notes": item.notes} if item.notes else {}
    if item.status == "done":
        entry |= {name: str(file.path) for name, file in item.partners.items()} | item.digests()
    return entry


def is_done(item: Item, entry: Entry) -> bool:
    """Whether `entry` is of the same input, and all that is wanted of it is there."""
    wanted = set(item.names(*item.outputs))
    return (
        entry.get("status") == "done"
        and wanted <= set(entry.get("outputs", []))
        and all(map(places.exists, item.outputs))
        and all(entry.get(name) == value for name, value in item.digests().items())
    )


def keep(item: Item, entry: Entry | None) -> bool:
    """Mark the item as kept, if an earlier run has done it as `entry` says, and all of that is there."""
    if entry is None or not is_done(item, entry):
        return False
    item.status, item.facts = "kept", entry
    return True


class Strangers:
    """The files in the folder of the results that are no results of any input. alone: no other run writes
    there, so that what a run that was killed had begun to write is removed."""

    def __init__(self, folder: Path, ledger: Ledger, alone: bool = False):
        self.folder, self.ledger, self.alone = folder, ledger, alone
        self._place, self._stems = "", self._look("")

    def any_of(self, claims: Sequence[str]) -> bool:
        """Whether one has one of these names, but for its suffix."""
        place = os.path.dirname(claims[0])
        if place != self._place:  # inputs come folder by folder
            self._place, self._stems = place, self._look(place)
        return any(os.path.basename(claim) in self._stems for claim in claims)

    def _look(self, place: str) -> set[str]:
        try:
            names = [name for name, kind in places.entries(self.folder / place) if kind != places.FOLDER]
        except (OSError, ValueError):  # ValueError: a name that the file system refuses
            return set()
        if self.alone:
            remove_parts(self.folder / place, names)
        found = (os.path.join(place, name) for name in names)
        return {os.path.basename(stem_of(name)) for name in found if self.ledger.owner(name) is None}

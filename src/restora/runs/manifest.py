"""The manifest of an output folder: what was done, with which settings, and what need not be done again."""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy
import torch

from restora.errors import OutputError
from restora.pictures.atomic import atomic
from restora.pictures.places import as_place, exists
from restora.runs import earlier, journal, record, segments
from restora.runs.entries import Strangers, entry_of, is_done, keep
from restora.runs.inputs import MANIFEST
from restora.runs.item import Item
from restora.runs.items import Inputs, make_folder, names_file
from restora.runs.journal import Journal
from restora.runs.ledger import Ledger
from restora.runs.record import Entry
from restora.runs.segments import Segments


class Manifest:
    """`DIR/restora.json`: settings, versions, and for each input its status, outputs, seconds, residual.

    It is written when a run begins and when it ends; what ends in between is in a journal, which the next run
    reads where this one is killed. Several runs may share a folder.

    A second run with the same settings keeps what is done and still there. Without `overwrite`, other
    settings are refused, so that one folder never holds a mixture, and so is any file in the folder that
    is not an earlier result of the same input.

    An `output` that is a file (`names_file`) has no manifest beside it: nothing but the results is written,
    and files that exist are refused without `overwrite`.
    """

    def __init__(self, output: Path, settings: dict[str, Any], overwrite: bool = False):
        self.output, self.path = output, None if names_file(output) else output / MANIFEST
        self.settings, self.overwrite = json.loads(json.dumps(settings)), overwrite
        self.ledger = Ledger()
        self.error: OutputError | None = None
        self._journal: Journal | Segments | None = None
        self._journals = segments if as_place(output) else journal
        self._lock = threading.Lock()
        make_folder(output if self.path else output.parent)

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def begin(self, inputs: Inputs) -> None:
        """Take up what earlier runs did, and enter the inputs. OutputError for what must not be overwritten,
        and for a folder that cannot be written to."""
        if self.path is None:
            self._enter(inputs)
            return
        with self._journals.locked(self.output):
            ended = self._journals.ended(self.output)
            self._take_up()
            self._enter(inputs, alone=not self._journals.live(self.output))
            self._write(self.path)
            make = Segments if as_place(self.output) else Journal
            self._journal = make(self.output, self.settings)
            self._journals.remove(ended)

    def _take_up(self) -> None:
        """Remember what earlier runs did, with the same settings."""
        changed = earlier.take_up(self.output, self.ledger, self.settings)
        if not changed:
            return
        if not self.overwrite and self.ledger.any_done:
            raise OutputError(
                f"{self.output} holds results made with other settings ({'; '.join(changed)}); "
                "choose another folder, or add overwrite=True"
            )
        self.ledger.close()
        self.ledger = Ledger()

    def _enter(self, inputs: Inputs, alone: bool = False) -> None:
        """What is not known is waiting; what an earlier run did is looked at when its turn comes."""
        strangers = Strangers(inputs.folder, self.ledger, alone)
        for i in range(len(inputs)):
            path, claims = inputs.path(i), inputs.claims(i)
            known = self.ledger.key_of(path)
            others = set().union(*map(self.ledger.owners, claims)) - {known}
            if others or (strangers.any_of(claims) and not self.overwrite):
                known = self._displace(inputs.item(i), known)
            entry = None if known is None else self.ledger.get(known)
            if known is not None and known != str(path):
                self.ledger.drop(known)
            if entry is None or self.overwrite:
                self.ledger.put(str(path), {"status": "waiting"})
            elif known != str(path):
                self.ledger.put(str(path), entry)

    def _displace(self, item: Item, known: str | None) -> str | None:
        """Make place for the results of an item that is entered as `known`. Returns as what it is entered:
        where the same picture was elsewhere before, as that. OutputError for a file that is in the way, but
        for one of a run that was killed."""
        names = item.names(*item.outputs)
        owners = {name: self.ledger.owner(name) for name in names}
        first = owners[names[0]]
        if self.overwrite:
            for owner in {*owners.values()} - {None, known}:
                self.ledger.drop(owner)  # type: ignore[arg-type]
            return known
        if first not in (None, known) and is_done(item, self.ledger.get(first or "") or {}):
            return first
        entry = (known and self.ledger.get(known)) or {}
        killed = known is not None and entry.get("status") != "done"
        for target, name in zip(item.outputs, names, strict=True):
            owner = owners[name]
            if not exists(target) or (owner == known if owner else killed):
                continue
            what = f"the result of {owner}" if owner else "not a result of restora"
            is_what = f" and is {what}; choose another folder" if self.path else "; choose another name"
            raise OutputError(f"{target} exists already{is_what}, or add overwrite=True")
        return known

    def known(self, path: Path) -> Entry | None:
        """What an earlier run did of an input, if that may be kept."""
        entry = None if self.overwrite else self.ledger.get(str(path))
        return entry if entry and entry.get("status") == "done" else None

    def keep(self, item: Item) -> bool:
        """Mark the item as kept, if an earlier run has done it, and all of that is there."""
        return keep(item, self.known(item.path))

    def record(self, items: Sequence[Item]) -> None:
        """Enter items that have ended, each once: from now on, nothing that happens to the run makes them be
        done again. It may be called from any thread.

        Where that cannot be written, `error` says so, and the run goes on.
        """
        with self._lock:
            self._record([item for item in items if item.status in ("done", "failed") and not item.entered])

    def _record(self, items: Sequence[Item]) -> None:
        lines: list[journal.Line] = [(str(item.path), entry_of(item)) for item in items]
        for item in items:
            item.entered = True
        self.ledger.update(lines)
        if self._journal is None:
            return
        try:
            self._journal.add(lines)
            self.error = None
        except OutputError as error:
            self.error = error

    def close(self) -> None:
        """Write the manifest, with what other runs have done meanwhile. Where it cannot be written, `error`
        says so, and the journal stays for the next run."""
        if self._journal is None or self.path is None:
            return
        try:
            make_folder(self.output)
            with self._journals.locked(self.output):
                ended = self._journals.ended(self.output)
                now = earlier.again(self.output, ended, self.settings)
                self.ledger = self.ledger if now is None else now
                self.ledger.update(self._journal.lines())
                self._write(self.path)
                self._journals.remove(ended)
            self.error = None
        except OutputError as error:
            self.error = error
        finally:
            self._journal.close(remove=self.error is None)
            self._journal = None

    def print(self, file: TextIO) -> None:
        """Write the JSON."""
        record.write(file, self._head(), self.ledger)

    def _head(self) -> dict[str, Any]:
        versions = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        }
        return {
            "restora": _version(),
            "settings": self.settings,
            "versions": versions,
            "machine": {
                "processor": platform.machine(),
                "threads": torch.get_num_threads(),
                "cores": os.cpu_count(),
            },
        }

    def _write(self, path: Path) -> None:
        with atomic(path) as part, part.open("w", encoding="utf-8") as file:
            self.print(file)


def _version() -> str:
    from restora import __version__

    return __version__

"""On a cluster, by Ray Data: actors read, restore and write; this process lists and records.

Each actor has a prior of its own, and a journal of its own in the output folder, so that what it finished is
not done again where it is killed and Ray gives its inputs to another one.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from restora.errors import OptionError, PackageError
from restora.options import option
from restora.pictures import zips
from restora.pictures.places import as_place
from restora.pictures.remote import place_of
from restora.runs import journal, segments
from restora.runs.engines.base import Engine, Following
from restora.runs.entries import entry_of
from restora.runs.inputs import Source
from restora.runs.item import Item
from restora.runs.work import Call, Work

BLOCK = 64  # inputs that an actor is given at once


@dataclass(frozen=True)
class Ray(Engine):
    """The machines of a Ray cluster; one is started here where there is none."""

    address: str | None = option(None, "address of a running cluster, such as auto or ray://HOST:10001")
    workers: int | None = option(
        None, "number of actors; by default one per GPU, or one per core without GPUs", 1
    )

    steps = False

    def run(
        self, work: Work, make: Callable[[], Work], calls: Iterable[Call], following: Following
    ) -> Iterator[list[Item]]:
        ray, started = self._connect()
        try:
            for item in self._run(ray, make, list(map(_text_of_call, calls))):
                following.told(item, item.status == "done")
                yield [item]
        finally:
            if started:
                ray.shutdown()

    def _connect(self) -> tuple[Any, bool]:
        """Ray, and whether this process has connected to it. PackageError, OptionError where it cannot be."""
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise PackageError(
                "the engine 'ray' needs an optional package: pip install 'restora[ray]'"
            ) from error
        if ray.is_initialized():
            return ray, False
        try:
            ray.init(self.address or "local", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise OptionError(f"no Ray cluster found there ({error})", "address") from error
        return ray, True

    def _run(self, ray: Any, make: Callable[[], Work], calls: list[str]) -> Iterator[Item]:
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # ray.data has set it when it was loaded
        gpus, cores = (int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU"))
        blocks = -(-len(calls) // BLOCK)
        count = min(self.workers or gpus or max(1, cores), blocks)
        ended = ray.data.from_items(
            [{"call": call} for call in calls], override_num_blocks=blocks
        ).map_batches(
            Actor,
            fn_constructor_args=(make, torch.get_num_threads()),
            batch_size=BLOCK,
            compute=ray.data.ActorPoolStrategy(size=count),
            num_gpus=1 if gpus else 0,
        )
        journals: set[str] = set()
        for row in ended.iter_rows():
            found = json.loads(row["ended"])
            journals.add(found["journal"])
            yield _item(found)
        journal.remove(map(Path, journals - {""}))  # the lines of all of them are in that of this process


class Actor:
    """Restores the inputs that it is given, in a process of its own."""

    def __init__(self, make: Callable[[], Work], threads: int):
        torch.set_num_threads(threads)  # sums are of the same order, so results are the same bytes
        self.work = make()
        folder, settings = self.work.maker.folder, self.work.settings
        self.known: dict[str, Any] = {}
        for path in journal.journals(folder):
            own, lines = journal.read(path)
            self.known |= dict(lines) if own == settings else {}
        self.lock = threading.Lock()
        self.journal: journal.Journal | segments.Segments | None = None  # one without lines would be left

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        calls = [self._call(text) for text in batch["call"]]
        items = [item for ended in self.work.run(calls, done=self._done) for item in ended]
        place = str(getattr(self.journal, "path", ""))
        return {"ended": [_text_of_item(item, place) for item in items]}

    def _call(self, text: str) -> Call:
        call = _call(text)
        return call._replace(known=self.known.get(str(call.source.path), call.known))

    def _done(self, item: Item) -> None:
        with self.lock:
            if self.journal is None:
                folder, settings = self.work.maker.folder, self.work.settings
                self.journal = (segments.Segments if as_place(folder) else journal.Journal)(folder, settings)
            self.journal.add([(str(item.path), entry_of(item))])


def _text_of_call(call: Call) -> str:
    """As JSON, since names need not be UTF-8."""
    source = call.source
    below = source.folder.relative_to(source.root).as_posix()
    return json.dumps([call.number, str(source.root), below, source.file, call.name.as_posix(), call.known])


def _call(text: str) -> Call:
    number, root, below, file, name, known = json.loads(text)
    top = _place(root)
    return Call(number, Source(top / below, file, top), Path(name), known)


@lru_cache
def _place(text: str) -> Path:
    path = place_of(text)
    return zips.zip_at(path) if path.suffix.lower() == ".zip" and path.is_file() else path


def _text_of_item(item: Item, place: str) -> str:
    entry = entry_of(item) if item.status in ("done", "failed") else item.facts
    found = {"number": item.number, "path": str(item.path), "seed": item.seed, "status": item.status}
    more = {"notes": item.notes, "line": item.line, "planes": item.planes, "journal": place}
    return json.dumps({**found, "entry": entry, **more})


def _item(found: dict[str, Any]) -> Item:
    """What has become of one, as the process that started the run sees it."""
    item = Item(place_of(found["path"]), found["seed"], [], number=found["number"])
    item.status, item.notes, item.line = found["status"], found["notes"], found["line"]
    item.planes, item.facts, item.elsewhere = found["planes"], found["entry"], True
    return item

"""All that restores the inputs of a run, wherever that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from restora.plan import Plan
from restora.runs.ahead import ahead
from restora.runs.batch import Opened, Watch, pixels, restore
from restora.runs.ending import Done
from restora.runs.entries import keep
from restora.runs.inputs import Source
from restora.runs.item import Item
from restora.runs.items import Maker
from restora.runs.record import Entry
from restora.runs.sizes import Auto, Fixed


class Call(NamedTuple):
    """A wish for one input: its number and source, the name of its results, what an earlier run did of it."""

    number: int
    source: Source
    name: Path
    known: Entry | None


@dataclass(frozen=True)
class Work:
    """What is to be done with each input.

    settings: what the manifest says of the run. maker: of items. begin: reads one that no earlier run has
    done. batch_size: None to find it. max_pixels: larger pictures are refused.
    """

    plan: Plan
    settings: dict[str, Any]
    maker: Maker
    begin: Callable[[Item], Opened]
    batch_size: int | None
    max_pixels: int

    def run(
        self,
        calls: Iterable[Call],
        *,
        told: Callable[[Item, bool], None] = lambda item, restored: None,
        watch: Watch | None = None,
        done: Done = lambda item: None,
    ) -> Iterator[list[Item]]:
        """Restore them, as `batch.restore`. told: sees each item that was read, and if it is restored."""
        size = Auto(self.plan.device) if self.batch_size is None else Fixed(self.batch_size)
        stream = _seen(ahead(self._open, calls, pixels), told)
        return restore(stream, self.plan, size=size, watch=watch, done=done)

    def _open(self, call: Call) -> Opened:
        item = self.maker.item(call.source, call.name, call.number, self.max_pixels)
        return (item, None) if keep(item, call.known) else self.begin(item)


def _seen(stream: Iterable[Opened], told: Callable[[Item, bool], None]) -> Iterator[Opened]:
    for item, job in stream:
        told(item, job is not None)
        yield item, job

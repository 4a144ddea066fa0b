"""The end of items: their results are written, or they have failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from restora.errors import RestoraError
from restora.runs.ahead import Writer
from restora.runs.item import Item
from restora.runs.job import Job

Done = Callable[[Item], None]


class Ending:
    """Items on their way to the end: written in threads, which then call `done`; each is told of once."""

    def __init__(self, done: Done):
        self.done = done
        self.writer: Writer[Job] = Writer(self._write, lambda job: job.pixels)
        self.failed: list[Item] = []

    def __enter__(self) -> Ending:
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.close()

    def _write(self, job: Job) -> None:
        try:
            job.write()
            job.end()
            self.done(job.item)
        except RestoraError as error:
            job.item.fail(error)

    def write(self, job: Job) -> None:
        self.writer.put(job)

    def fail(self, item: Item, error: Exception) -> None:
        if item.status != "failed":
            item.fail(error)
            self.failed.append(item)

    def ended(self, item: Item | None = None, wait: bool = False) -> list[Item]:
        """Those that have ended; `item` too, if it has. wait: for those that are being written."""
        candidates = [*([item] if item else []), *self.failed, *(job.item for job in self.writer.ended(wait))]
        self.failed.clear()
        found = []
        for one in candidates:
            if one.status != "waiting" and not one.told:
                one.told = True
                found.append(one)
        return found

    def rest(self) -> Iterator[list[Item]]:
        """All others, as they end; raises what writing one of them raised, once those before it are told."""
        while True:
            if ended := self.ended(wait=True):
                yield ended
            if not self.writer.waiting:
                return

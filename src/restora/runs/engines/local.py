"""In this process: files are read ahead and results written behind, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from restora.runs.engines.base import Engine, Following
from restora.runs.item import Item
from restora.runs.work import Call, Work


@dataclass(frozen=True)
class Local(Engine):
    """This machine, one process."""

    def run(
        self, work: Work, make: Callable[[], Work], calls: Iterable[Call], following: Following
    ) -> Iterator[list[Item]]:
        return work.run(calls, told=following.told, watch=following.watch, done=following.done)

"""Reading ahead and writing behind, in threads, while pictures are restored; only so much is under way."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

V = TypeVar("V")
R = TypeVar("R")
WORKERS = min(4, os.cpu_count() or 1)
MOST = 2**25  # pixels that are read and wait, and pixels that are written
DEPTH = 64  # pictures that wait, at most


def ahead(function: Callable[[V], R], values: Iterable[V], weight: Callable[[R], int]) -> Iterator[R]:
    """function(value) of each value, in their order, worked out ahead of who asks."""
    reader: _Reader[R] = _Reader(weight)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(WORKERS, "restora-read") as pool:
        try:
            for number, value in enumerate(values):
                waiting.append(pool.submit(reader.run, number, lambda value=value: function(value)))  # type: ignore[misc]
                if len(waiting) == DEPTH:
                    yield reader.take(waiting.popleft())
            while waiting:
                yield reader.take(waiting.popleft())
        finally:
            reader.stop()
            pool.shutdown(wait=False, cancel_futures=True)


class _Reader(Generic[R]):
    """Lets nobody begin while too much waits, but for the one that is asked for."""

    def __init__(self, weight: Callable[[R], int]):
        self.weight, self.held, self.asked = weight, 0, -1
        self.free = threading.Condition()

    def run(self, number: int, function: Callable[[], R]) -> R:
        with self.free:
            self.free.wait_for(lambda: self.held <= MOST or number <= self.asked)
        found = function()
        with self.free:
            self.held += self.weight(found)
        return found

    def take(self, future: Future[R]) -> R:
        with self.free:
            self.asked += 1
            self.free.notify_all()
        found = future.result()
        with self.free:
            self.held -= self.weight(found)
            self.free.notify_all()
        return found

    def stop(self) -> None:
        with self.free:
            self.held = -MOST
            self.free.notify_all()


class Writer(Generic[R]):
    """Runs write(result) in threads."""

    def __init__(self, write: Callable[[R], None], weight: Callable[[R], int]):
        self.write, self.weight = write, weight
        self.pool = ThreadPoolExecutor(WORKERS, "restora-write")
        self.waiting: deque[tuple[R, Future[None]]] = deque()
        self.count = self.held = 0
        self.free = threading.Condition()

    def put(self, result: R) -> None:
        """Waits while too much is under way."""
        with self.free:
            self.free.wait_for(lambda: self.count < DEPTH and self.held <= MOST)
            self._hold(1, self.weight(result))
        self.waiting.append((result, self.pool.submit(self._run, result)))

    def _run(self, result: R) -> None:
        weight = self.weight(result)
        try:
            self.write(result)
        finally:
            with self.free:
                self._hold(-1, -weight)
                self.free.notify()

    def _hold(self, count: int, weight: int) -> None:
        self.count, self.held = self.count + count, self.held + weight

    def ended(self, wait: bool = False) -> list[R]:
        """Those that are written. wait: all. What `write` raised for one comes before those behind it."""
        found: list[R] = []
        while self.waiting and (wait or self.waiting[0][1].done()):
            if found and self.waiting[0][1].exception():
                break
            result, future = self.waiting.popleft()
            future.result()
            found.append(result)
        return found

    def close(self) -> None:
        """What has been put is written."""
        self.pool.shutdown()

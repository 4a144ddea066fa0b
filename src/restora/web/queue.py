"""The queue: jobs in the order in which they came, one at a time on each device."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from restora.errors import RestoraError
from restora.web.jobs import CANCELLED, DONE, FAILED, RUNNING, Job
from restora.web.limits import LimitError
from restora.web.stopping import Stopped, stoppable

Work = Callable[[Job, str], None]


class Queue:
    """`work` does a job on a device, in the thread of that device. `tell` is called with each job that has
    changed, from any thread. most: how many may wait."""

    def __init__(self, devices: list[str], work: Work, tell: Callable[[Job], None], most: int):
        self.work, self.tell, self.most = work, tell, most
        self._waiting: deque[Job] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self._running: dict[str, Job] = {}
        self._threads = [
            threading.Thread(target=self._serve, args=(device,), daemon=True) for device in devices
        ]
        for thread in self._threads:
            thread.start()

    def add(self, job: Job) -> None:
        """LimitError where too many wait."""
        with self._ready:
            if len(self._waiting) >= self.most:
                raise LimitError("too many restorations are waiting; try again in a few minutes", 503)
            self._waiting.append(job)
            self._ready.notify()
        self._number()

    def cancel(self, job: Job) -> None:
        """Stop it where it stands: in the queue, or in the middle of its work."""
        job.stop.set()
        with self._ready:
            waited = job in self._waiting
            if waited:
                self._waiting.remove(job)
        if waited:
            self._end(job, CANCELLED)
            self._number()

    def close(self) -> None:
        """Stop all work, and wait for it."""
        with self._ready:
            self._closed = True
            jobs = [*self._waiting, *self._running.values()]
            self._waiting.clear()
            self._ready.notify_all()
        for job in jobs:
            job.stop.set()
        for thread in self._threads:
            thread.join(5)

    @property
    def load(self) -> tuple[int, int]:
        """How many run, and how many wait."""
        return len(self._running), len(self._waiting)

    def _number(self) -> None:
        """Tell those who wait how many are before them."""
        with self._ready:
            waiting, running = list(self._waiting), len(self._running)
        for place, job in enumerate(waiting):
            if job.ahead != place + running:
                job.ahead = place + running
                self.tell(job)

    def _serve(self, device: str) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                job = self._running[device] = self._waiting.popleft()
                job.state, job.ahead, job.started = RUNNING, 0, time.monotonic()
            self.tell(job)
            self._number()
            state, error = self._try(job, device)
            with self._ready:
                del self._running[device]
            self._end(job, state, error)
            self._number()

    def _try(self, job: Job, device: str) -> tuple[str, str]:
        try:
            with stoppable(job.stop):
                self.work(job, device)
        except Stopped:
            return CANCELLED, ""
        except RestoraError as error:
            return FAILED, str(error)
        except Exception as error:  # a fault of one job is no reason to leave the others waiting
            return FAILED, f"something went wrong that should not have ({type(error).__name__}: {error})"
        return (CANCELLED if job.stop.is_set() else DONE), ""

    def _end(self, job: Job, state: str, error: str = "") -> None:
        job.error, job.preview = error, b""
        job.ended, job.state = time.monotonic(), state
        self.tell(job)

"""Visits: what each visitor has brought and got, in a folder of its own that goes when the visit ends."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from restora.web.jobs import Job
from restora.web.limits import LimitError, Limits
from restora.web.pictures import Upload


@dataclass
class Visit:
    """`streams`: one event for each open stream, set when something has changed. seen: the last contact."""

    id: str
    folder: Path
    pictures: dict[str, Upload] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    streams: set[asyncio.Event] = field(default_factory=set)
    seen: float = field(default_factory=time.monotonic)
    ended: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def idle(self) -> float:
        """Seconds since the last sign of the visitor."""
        return 0 if self.streams else time.monotonic() - self.seen

    @property
    def bytes(self) -> int:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sum({stat.st_ino: stat.st_size for stat in (path.stat() for path in files)}.values())

    @property
    def open_job(self) -> Job | None:
        """The one that waits or runs."""
        return next((job for job in self.jobs.values() if job.is_open), None)

    def picture(self, id: str) -> Upload:
        """LimitError for one that is not there."""
        if id not in self.pictures:
            raise LimitError("this picture is no longer here; choose it again", 404)
        return self.pictures[id]

    def changed(self) -> None:
        """Wake the streams; in the thread of the event loop."""
        for event in self.streams:
            event.set()

    def new_folder(self, kind: str) -> tuple[str, Path]:
        """An id and its empty folder."""
        name = secrets.token_urlsafe(9)
        folder = self.folder / kind / name
        folder.mkdir(parents=True)
        return name, folder

    def forget_oldest(self, most: int) -> None:
        """Keep so many restorations, and the files of no other."""
        ended = [job for job in self.jobs.values() if not job.is_open]
        for job in ended[: max(0, len(self.jobs) - most)]:
            del self.jobs[job.id]
            shutil.rmtree(job.folder, ignore_errors=True)


class Visits:
    """All visits, in folders below `root`. `cancel` is called with each job whose visitor has left."""

    def __init__(self, root: Path, limits: Limits, cancel: Callable[[Job], None]):
        self.root, self.limits, self.cancel = root, limits, cancel
        self._visits: dict[str, Visit] = {}
        self._leaving: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visits)

    def __iter__(self) -> Iterator[Visit]:
        return iter(list(self._visits.values()))

    def begin(self) -> Visit:
        """LimitError where there are too many."""
        with self._lock:
            if len(self._visits) >= self.limits.visits:
                raise LimitError("too many visitors at once; try again in a few minutes", 503)
            name = secrets.token_urlsafe(18)
            visit = self._visits[name] = Visit(name, self.root / name)
        visit.folder.mkdir()
        return visit

    def get(self, name: str) -> Visit | None:
        """The visit, which this is a sign of."""
        visit = self._visits.get(name)
        if visit is not None:
            visit.seen = time.monotonic()
        return visit

    def peek(self, name: str) -> Visit | None:
        """The visit, without its being a sign of it."""
        return self._visits.get(name)

    def end(self, visit: Visit) -> None:
        """Stop its work and remove its files; those in use, when they no longer are (`release`)."""
        with self._lock:
            self._visits.pop(visit.id, None)
            self._leaving[visit.id] = visit
        for job in list(visit.jobs.values()):
            if job.is_open:
                self.cancel(job)
        visit.ended = True
        self.release(visit.id)

    def release(self, name: str) -> None:
        """Remove the files of a visit that has ended, if none of its work runs."""
        with self._lock:
            visit = self._leaving.get(name)
            if visit is None or visit.open_job is not None:
                return
            del self._leaving[name]
        shutil.rmtree(visit.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Stop the work of those who have left, and end the visits of those who have left for long."""
        for visit in self:
            if visit.idle > self.limits.kept:
                self.end(visit)
            elif visit.idle > self.limits.abandoned and visit.open_job:
                self.cancel(visit.open_job)

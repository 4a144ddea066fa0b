"""The server behind the interface: limits, visits, the queue, and the thread of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from restora.device import pick
from restora.priors import FlowPrior, load_prior, store
from restora.web import words
from restora.web.jobs import Job
from restora.web.limits import LimitError, Limits
from restora.web.queue import Queue
from restora.web.requests import Request
from restora.web.visits import Visit, Visits
from restora.web.work import Worker, task_of


class Service:
    """One for each server; `running` is its life."""

    def __init__(self, limits: Limits | None = None, devices: Sequence[str] = ("auto",)):
        self.limits = limits or Limits()
        for device in devices:
            pick(device)
        self.devices = list(devices)
        self.folder = Path(tempfile.mkdtemp(prefix="restora-serve-"))
        self.queue = Queue(self.devices, Worker(self.limits, self.tell), self.tell, self.limits.waiting)
        self.visits = Visits(self.folder, self.limits, self.queue.cancel)
        self.loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self._sweep()), asyncio.create_task(asyncio.to_thread(_warm_up))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self.close()

    def hang_up(self) -> None:
        """End all streams, which the server would wait for; in the thread of the event loop."""
        for visit in self.visits:
            visit.ended = True
            visit.changed()

    def close(self) -> None:
        """Stop all work and remove all that was uploaded."""
        self.queue.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.visits.sweep)

    def tell(self, job: Job) -> None:
        """A job has changed; from any thread."""
        job.version += 1
        visit = self.visits.peek(job.visit)
        if visit is None:
            self.visits.release(job.visit)
        elif self.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(visit.changed)

    def submit(self, visit: Visit, request: Request) -> Job:
        """Queue what is asked for; the same again, while it is waiting or running, is the same job. A
        RestoraError where it makes no sense."""
        with visit.lock:
            busy = visit.open_job
            if busy is not None and busy.request == request:
                return busy
            if busy is not None:
                raise LimitError("your last restoration is still running; wait for it, or cancel it", 409)
            job = self._job(visit, request)
            visit.jobs[job.id] = job
            try:
                self.queue.add(job)
            except LimitError:
                del visit.jobs[job.id]
                shutil.rmtree(job.folder, ignore_errors=True)
                raise
        visit.forget_oldest(self.limits.results)
        return job

    def _job(self, visit: Visit, request: Request) -> Job:
        pictures = [visit.picture(id) for id in dict.fromkeys(request.pictures)]
        mask = None
        if request.mask not in (None, "alpha"):
            owner = visit.picture(request.mask or "")
            if not owner.mask.exists():
                raise LimitError("nothing is painted yet; paint over the area to replace", 422)
            mask = owner.mask
        task_of(request, mask, self.limits)
        id, folder = visit.new_folder("jobs")
        job = Job(id, visit.id, folder, request, [], mask and folder / "mask.png")
        job.inputs.mkdir()
        for picture in pictures:
            name = _free(job.inputs, picture.path.name)
            os.link(picture.path, job.inputs / name)
            job.sources.append((picture.id, name, job.inputs / name))
        if mask and job.mask:
            shutil.copyfile(mask, job.mask)
        names = [name for _, name, _ in job.sources]
        said = f"{Path(names[0]).stem}-mask.png" if mask else "alpha" if request.mask else ""
        job.command = words.command(request, names if len(names) <= 3 else ["photos/"], said)
        return job


def _free(folder: Path, name: str) -> str:
    """A name in the folder whose stem no other has."""
    path, taken = Path(name), {other.stem for other in folder.iterdir()}
    stem, count = path.stem, 2
    while stem in taken:
        stem, count = f"{path.stem}-{count}", count + 1
    return f"{stem}{path.suffix}"


def _warm_up() -> None:
    """Read the priors that are used where none is named, before someone waits for them."""
    for name in FlowPrior.shipped:
        if name in store.names():
            load_prior(name)

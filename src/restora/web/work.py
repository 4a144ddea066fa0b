"""What a worker does: the run of `restora restore`, told of as it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from restora.degradations import degradations, named
from restora.errors import OptionError
from restora.operators.base import Shape
from restora.pictures.file import File
from restora.pictures.masks import ALPHA, Reading
from restora.plan import Plan
from restora.restoration import make_plan
from restora.runs import batch
from restora.runs import items as files
from restora.runs.beforehand import beforehand
from restora.runs.item import Item
from restora.runs.loading import Loaded
from restora.runs.task import Task
from restora.solvers import Step
from restora.web import views, words
from restora.web.jobs import Done, Job
from restora.web.limits import Limits
from restora.web.requests import Request

EVERY = 1.0  # seconds from one intermediate picture to the next
LARGEST = 4  # how much larger a result may be than the largest picture


def task_of(request: Request, mask: Path | None, limits: Limits) -> Task:
    """The task that is asked for. A RestoraError where it makes no sense."""
    name, given = named.words(words.chain(_without_reading(request)))
    for option in named.file_options(name):
        if option in given:
            raise OptionError("names a file, which the page cannot read; use the command line", option)
    for step in reversed(request.steps):
        given = degradations.get(step.task).unknown | given
    if request.mask:
        given["mask"] = ALPHA if request.mask == ALPHA else mask
    reading = Reading(grow=_grow(request))
    return Task(name, given, None, limits.pixels, reading)


def _without_reading(request: Request) -> Request:
    steps = [
        step.model_copy(update={"options": {k: v for k, v in step.options.items() if k != "grow"}})
        for step in request.steps
    ]
    return request.model_copy(update={"steps": steps})


def _grow(request: Request) -> int:
    given = [step.options["grow"] for step in request.steps if "grow" in step.options]
    return int(float(given[0])) if given else 0


@dataclass
class Worker:
    """Restores the pictures of a job. `tell` is called whenever something of it can be seen."""

    limits: Limits
    tell: Callable[[Job], None]

    def __call__(self, job: Job, device: str) -> None:
        request = job.request
        task = task_of(request, job.mask, self.limits)
        items = files.collect(
            [job.inputs],
            job.outputs,
            request.seed,
            samples=request.candidates,
            uncertainty=request.uncertainty,
            partners=task.partners,
            exact=task.of_file,
        )
        images = task.images(item.file for item in items)
        plan = _plan(request, device, images)
        task.check(plan, images)
        job.notes = [words.spoken(text) for text in beforehand(plan, task)]
        job.doing = "Making a first estimate"
        self.tell(job)
        self._restore(job, items, task, plan)

    def _restore(self, job: Job, items: Sequence[Item], task: Task, plan: Plan) -> None:
        watch = _Watch(job, items, self.tell)
        order = [id for id, _, _ in job.sources]
        for ended in batch.restore_items(items, task, plan, watch=watch.step):
            job.items += [self._done(job, item, task) for item in ended]
            job.items.sort(key=lambda done: order.index(done.picture))
            watch.finished()

    def _done(self, job: Job, item: Item, task: Task) -> Done:
        id = next(id for id, name, _ in job.sources if name == item.path.name)
        done = Done(id, item.path.name, notes=[_spoken(job, text) for text in item.notes])
        if item.status != "done":
            done.error = _spoken(job, str(item.facts.get("error", "")))
            return done
        done.results = item.names(*item.pictures)
        done.size = File(item.pictures[0]).head.size or (0, 0)
        done.verdict = _verdict(job, item, task)
        if item.maps:
            made, done.scale = views.map_of(item.maps[1], self.limits.pixels * LARGEST**2)
            done.map = made.relative_to(job.outputs).as_posix()
        return done


def _plan(request: Request, device: str, images: Shape | None) -> Plan:
    wanted = {"samples": request.candidates, "uncertainty": request.uncertainty, "device": device}
    if request.faces and not words.faces():
        raise OptionError("faces need an optional package; pip install 'restora[faces]'", "faces")
    return make_plan(request.method, request.prior, faces=request.faces, images=images, **wanted)


def _spoken(job: Job, text: str) -> str:
    return words.spoken(text, job.inputs, job.outputs, job.folder)


def _verdict(job: Job, item: Item, task: Task) -> str:
    facts: dict[str, Any] = item.facts
    level = facts["sigma"] if "sigma" in facts else task.example().noise.level
    filling = len(job.request.steps) == 1 and bool(job.request.mask)
    if task.auto and level == 0:
        return "Nothing was changed: no noise was found in this photo."
    doubts = any("residual" in text for text in item.notes)
    return words.verdict(filling, facts["residual"], level, doubts)


class _Watch:
    """Progress: the part that is done at every step, and a picture every second."""

    def __init__(self, job: Job, items: Sequence[Item], tell: Callable[[Job], None]):
        self.job, self.items, self.tell = job, items, tell
        self.last = -float("inf")

    def step(self, loaded: Sequence[Loaded], y: Tensor, step: Step) -> None:
        job, now = self.job, time.monotonic()
        job.done = self._part(len(loaded) * step.i / step.total)
        of = f" of picture {self._ready() + 1} of {len(self.items)}" if len(self.items) > 1 else ""
        job.doing = f"Step {step.i} of {step.total}{of}"
        if now - self.last >= EVERY:
            self.last = now
            job.preview = views.intermediate(step.x[0], y[0])
            job.previews += 1
        self.tell(job)

    def finished(self) -> None:
        self.job.done = self._part(0)
        self.tell(self.job)

    def _ready(self) -> int:
        return sum(item.status != "waiting" for item in self.items)

    def _part(self, more: float) -> float:
        completed, total = files.progress(self.items, more)
        return min(1.0, completed / max(1, total))

"""Degrade or restore the items of a run; one bad file never stops the others.

Files are read ahead and results are written behind, in threads, while batches of pictures are restored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from restora import random
from restora.degradations import Degradation
from restora.errors import ImageError, MaskError, ObservationError, RestoraError, ResultError, ShapeError
from restora.pictures import colour
from restora.plan import Plan
from restora.result import Restoration
from restora.runs.ahead import ahead
from restora.runs.ending import Done, Ending
from restora.runs.item import Item
from restora.runs.items import Inputs
from restora.runs.job import PLAIN, Job, Writing, start
from restora.runs.loading import Loaded, Loading
from restora.runs.manifest import Manifest
from restora.runs.sizes import BatchSize, Fixed
from restora.runs.task import Task
from restora.runs.window import Window
from restora.solvers import Step

Watch = Callable[[Sequence[Loaded], Tensor, Step], None]
Opened = tuple[Item, Job | None]
OF_ONE = (ImageError, MaskError, ObservationError, ShapeError, ResultError)  # errors of a single picture


def degrade_items(items: Iterable[Item], task: Task, writing: Writing = PLAIN) -> Iterator[Item]:
    """Write the observation of each clean file; yields the item when it is done or has failed."""
    return degrade(ahead(partial(opened, task=task, writing=writing), items, pixels))


def restore_items(
    items: Iterable[Item],
    task: Task,
    plan: Plan,
    *,
    batch_size: int = 64,
    watch: Watch | None = None,
    writing: Writing = PLAIN,
) -> Iterator[list[Item]]:
    """Restore the items, up to `batch_size` pictures and MAX_PIXELS together; yields items as they end: their
    results are written, or they have failed. `watch` sees every step of the pictures, and their
    observations."""
    stream = ahead(partial(opened, task=task, writing=writing), items, pixels)
    return restore(stream, plan, size=Fixed(batch_size), watch=watch)


def opened(item: Item, task: Task, writing: Writing = PLAIN) -> Opened:
    """The item, and what is under way of it unless it has failed."""
    try:
        return item, start(item, task, writing)
    except RestoraError as error:
        item.fail(error)
        return item, None


def opening(
    inputs: Inputs, manifest: Manifest, max_pixels: float, begin: Callable[[Item], Opened]
) -> Iterator[Opened]:
    """The inputs, read ahead: `begin` does so for one that no earlier run has done. Larger ones are left."""

    def open_one(i: int) -> Opened:
        item = inputs.item(i, max_pixels)
        return (item, None) if manifest.keep(item) else begin(item)

    return ahead(open_one, range(len(inputs)), pixels)


def pixels(found: Opened) -> int:
    """How many are held."""
    return found[1].pixels if found[1] else 0


def degrade(stream: Iterable[Opened], done: Done = lambda item: None) -> Iterator[Item]:
    """As `degrade_items`, of items that are read; `done` as for `restore`."""
    with Ending(done) as ending:
        for item, job in stream:
            try:
                for number in range(item.planes if job else 0):
                    assert job is not None
                    picture = job.picture(number)
                    masked = job.task.before_mask(picture)
                    fields = job.task.pictures(item.path, masked, item.partners, item.note)
                    degradation = job.task.degradation([fields])
                    x = _clean(picture.pixels, degradation)
                    y = degradation(x[None], random.generators([job.seed(number)], 1))[0]
                    if job.put(number, [y]):
                        ending.write(job)
            except RestoraError as error:
                item.fail(error)
            yield from ending.ended(item)
        for ended in ending.rest():
            yield from ended


def _clean(pixels: Tensor, degradation: Degradation) -> Tensor:
    """The pixels (C, H, W), grey repeated where the degradation is of colours; or a ShapeError."""
    try:
        degradation.operator.observed_shape(tuple(pixels.shape))
    except ShapeError:
        pixels = colour.convert(pixels, 3) if len(pixels) == 1 else pixels
        degradation.operator.observed_shape(tuple(pixels.shape))
    return pixels


def restore(
    stream: Iterable[Opened],
    plan: Plan,
    *,
    size: BatchSize,
    watch: Watch | None = None,
    done: Done = lambda item: None,
) -> Iterator[list[Item]]:
    """As `restore_items`, of items that are read; one that has ended already is passed on. `done` is called
    when the results of an item are written, in some thread."""
    loading, window = Loading(plan), Window(size.most)
    with Ending(done) as ending:
        solve = partial(_solve, plan, watch, size, ending)
        for item, job in stream:
            for x in loading.pictures(job) if job else ():
                for group in window.add(x):
                    yield from solve(group)
            if ended := ending.ended(item):
                yield ended
        for group in window.rest():
            yield from solve(group)
        yield from ending.rest()


def _solve(
    plan: Plan, watch: Watch | None, size: BatchSize, ending: Ending, group: list[Loaded]
) -> Iterator[list[Item]]:
    """Where a picture is to blame, the others are done without it; where memory does not suffice, half."""
    group = [x for x in group if x.item.status == "waiting"]
    try:
        if group:
            with size.watching(group):
                yield from _restore_batch(plan, watch, ending, group)
        return
    except OF_ONE as error:
        if len(group) == 1:
            ending.fail(group[0].item, error)
            return
        parts = [[x] for x in group]
    except (RuntimeError, MemoryError) as error:
        if len(group) == 1 or not size.too_many(group, error):
            raise
        half = (len(group) + 1) // 2
        parts = [group[:half], group[half:]]
    for part in parts:
        yield from _solve(plan, watch, size, ending, part)


def _restore_batch(
    plan: Plan, watch: Watch | None, ending: Ending, loaded: Sequence[Loaded]
) -> Iterator[list[Item]]:
    y = torch.stack([x.picture.pixels for x in loaded])
    task = loaded[0].job.task
    degradation = task.degradation([x.fields for x in loaded])
    run = plan.run(y, degradation, [x.job.seed(x.number) for x in loaded])
    while True:
        try:
            step = next(run)
        except StopIteration as stop:
            result: Restoration = stop.value
            break
        if watch is not None:
            watch(loaded, y, step)
        if ended := ending.ended():
            yield ended
    for i, x in enumerate(loaded):
        level = result.degradation.take(torch.tensor([i])).noise.level
        for text in (*result.warnings[i], *(result.notes[i] if result.notes else ())):
            x.item.note(f"{x.item.path}: {text}")
        x.job.noiseless += task.of_noise and level == 0
        _put(ending, x, result, i, {"sigma": round(level, 4)} if task.of_noise or degradation.blind else {})


def _put(ending: Ending, x: Loaded, result: Restoration, i: int, found: dict[str, Any]) -> None:
    images = [*result.samples[i], *([] if result.std is None or not x.item.maps else [result.std[i]])]
    known = {} if result.std is None else {"std": result.std[i].square().mean().sqrt().item()}
    try:
        whole = x.job.put(
            x.number,
            images,
            seconds=result.seconds / len(result.image),
            residual=result.residual[i].item(),
            loss=result.history[-1, i].item(),
            **found,
            **known,
        )
    except RestoraError as error:
        ending.fail(x.item, error)
        return
    if whole:
        ending.write(x.job)

"""Degrade or restore the items of a run, a batch at a time; one bad file never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora import random
from restora.degradations import Degradation
from restora.errors import ImageError, MaskError, ObservationError, RestoraError, ResultError, ShapeError
from restora.pictures import colour
from restora.plan import Plan
from restora.result import Restoration
from restora.runs.items import Item
from restora.runs.job import PLAIN, Writing, start
from restora.runs.loading import Loaded, kind_of, load_all
from restora.runs.task import Task
from restora.solvers import Step

Watch = Callable[[Sequence[Loaded], Tensor, Step], None]
MAX_PIXELS = 2**20  # of all images of a batch
ALONE = 128**2  # pixels of a picture whose noise may differ from place to place


def room(size: Sequence[int], most: int) -> int:
    """How many images of (height, width) `size` are restored together, if `most` may be: at least one."""
    return max(1, min(most, MAX_PIXELS // (size[0] * size[1])))


def degrade_items(items: Sequence[Item], task: Task, writing: Writing = PLAIN) -> Iterator[Item]:
    """Write the observation of each clean file; yields the item when it is done or has failed."""
    for item in items:
        try:
            job = start(item, task, writing)
            for number in range(item.planes):
                picture = job.picture(number)
                masked = task.before_mask(picture)
                degradation = task.degradation([task.pictures(item.path, masked, item.partners, item.note)])
                x = _clean(picture.pixels, degradation)
                job.put(number, [degradation(x[None], random.generators([job.seed(number)], 1))[0]])
        except RestoraError as error:
            item.fail(error)
        yield item


def _clean(pixels: Tensor, degradation: Degradation) -> Tensor:
    """The pixels (C, H, W), grey repeated where the degradation is of colours; or a ShapeError."""
    try:
        degradation.operator.observed_shape(tuple(pixels.shape))
    except ShapeError:
        pixels = colour.convert(pixels, 3) if len(pixels) == 1 else pixels
        degradation.operator.observed_shape(tuple(pixels.shape))
    return pixels


def restore_items(
    items: Sequence[Item],
    task: Task,
    plan: Plan,
    *,
    batch_size: int = 64,
    watch: Watch | None = None,
    writing: Writing = PLAIN,
) -> Iterator[list[Item]]:
    """Restore the items, up to `batch_size` pictures and MAX_PIXELS together; after each batch, yields the
    items whose results are written, or that have failed. `watch` sees every step of the pictures, and their
    observations."""
    work = partial(_restore_batch, task, plan, watch)
    told: set[Path] = set()
    for chunk, loaded in _chunks(load_all(items, task, plan, writing), batch_size):
        for alike in _alike(loaded, task.auto):
            _try_batch(alike, work)
        ended = [item for item in chunk if item.status != "waiting" and item.path not in told]
        told |= {item.path for item in ended}
        yield list({item.path: item for item in ended}.values())


def _try_batch(loaded: list[Loaded], work: Callable[[list[Loaded]], None]) -> None:
    """Where a picture is to blame, the others are done without it."""
    try:
        work(loaded)
    except (ImageError, MaskError, ObservationError, ShapeError, ResultError) as error:
        if len(loaded) == 1:
            loaded[0].item.fail(error)
            return
        for x in loaded:
            _try_batch([x], work)


def _chunks(
    pictures: Iterable[tuple[Item, Loaded | None]], most: int
) -> Iterator[tuple[list[Item], list[Loaded]]]:
    """The pictures in their order, and the items that they, or their lack, are of; held are those of a batch,
    and one."""
    chunk: list[Item] = []
    loaded: list[Loaded] = []
    for item, x in pictures:
        pixels = sum(other.pixels for other in loaded) + (x.pixels if x else 0)
        if len(chunk) == most or (loaded and pixels > MAX_PIXELS):
            yield chunk, loaded
            chunk, loaded = [], []
        chunk.append(item)
        loaded += [x] if x else []
    if chunk:
        yield chunk, loaded


def _alike(loaded: Sequence[Loaded], blind: bool) -> Iterable[list[Loaded]]:
    """Pictures may differ in size, and in what their files say of them; those of a batch cannot. `blind`: the
    noise is found in each picture, of those of some size with all that it has of its own, so one by one."""
    groups: dict[tuple[Any, ...], list[Loaded]] = {}
    for i, x in enumerate(loaded):
        alone = (i,) if blind and x.picture.pixels[0].numel() > ALONE else ()
        groups.setdefault((*kind_of(x.picture, x.fields), *alone), []).append(x)
    return groups.values()


def _restore_batch(task: Task, plan: Plan, watch: Watch | None, loaded: Sequence[Loaded]) -> None:
    y = torch.stack([x.picture.pixels for x in loaded])
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
    for i, x in enumerate(loaded):
        level = result.degradation.take(torch.tensor([i])).noise.level
        for text in (*result.warnings[i], *(result.notes[i] if result.notes else ())):
            x.item.note(f"{x.item.path}: {text}")
        if task.of_noise and level == 0:
            x.item.note(
                f"{x.item.path}: no noise was found, so the picture was written as it is; if you see some, "
                "give its standard deviation, such as sigma=0.03"
            )
        _put(x, result, i, {"sigma": round(level, 4)} if degradation.blind else {})


def _put(x: Loaded, result: Restoration, i: int, found: dict[str, float]) -> None:
    images = [*result.samples[i], *([] if result.std is None or not x.item.maps else [result.std[i]])]
    known = {} if result.std is None else {"std": result.std[i].square().mean().sqrt().item()}
    try:
        x.job.put(
            x.number,
            images,
            seconds=result.seconds / len(result.image),
            residual=result.residual[i].item(),
            loss=result.history[-1, i].item(),
            **found,
            **known,
        )
    except RestoraError as error:
        x.item.fail(error)

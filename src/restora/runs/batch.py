"""Degrade or restore the items of a run, a batch at a time; one bad file never stops the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from restora import random
from restora.degradations import Degradation
from restora.errors import ImageError, MaskError, ObservationError, RestoraError, ResultError, ShapeError
from restora.figure import std_map
from restora.operators.base import Shape
from restora.pictures import colour, image
from restora.plan import Plan, Restoration
from restora.priors import Prior
from restora.runs.items import Item
from restora.runs.task import Task
from restora.solvers import Step

Watch = Callable[[Sequence[Item], Tensor, Step], None]
Known = dict[tuple[Any, ...], tuple[int, Shape]]
MAX_PIXELS = 2**20  # of all images of a batch


def room(size: Sequence[int], most: int) -> int:
    """How many images of (height, width) `size` are restored together, if `most` may be: at least one."""
    return max(1, min(most, MAX_PIXELS // (size[0] * size[1])))


@dataclass
class Loaded:
    """An item, its picture, the per-image fields of its degradation, and the pixels of its restoration."""

    item: Item
    picture: image.Picture
    fields: dict[str, Any]
    pixels: int


def degrade_items(items: Sequence[Item], task: Task) -> Iterator[Item]:
    """Write the observation of each clean picture; yields the item when it is done or has failed."""
    for item in items:
        try:
            picture = image.read(item.file, max_pixels=task.max_pixels)
            degradation = task.degradation([task.pictures(item.path, picture, item.partners, item.note)])
            x = _clean(picture.pixels, degradation)
            y = degradation(x[None], random.generators([item.seed], 1))
            image.write(item.pictures[0], y[0], picture.bits)
            item.done(outputs=[item.pictures[0].name])
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
    items: Sequence[Item], task: Task, plan: Plan, *, batch_size: int = 64, watch: Watch | None = None
) -> Iterator[list[Item]]:
    """Restore the items, up to `batch_size` images and MAX_PIXELS together; yields each batch when its
    results are written. `watch` sees every step of the items, and their observations."""
    work = partial(_restore_batch, task, plan, watch)
    for chunk, loaded in _chunks(items, task, plan, batch_size):
        for alike in _alike(loaded):
            _try_batch(alike, work)
        yield chunk


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
    items: Sequence[Item], task: Task, plan: Plan, most: int
) -> Iterator[tuple[list[Item], list[Loaded]]]:
    """The items in their order, and those of them that could be read; held are those of a batch, and one."""
    chunk: list[Item] = []
    loaded: list[Loaded] = []
    known: Known = {}
    for item in items:
        x = _load(item, task, plan, known)
        pixels = sum(other.pixels for other in loaded) + (x.pixels if x else 0)
        if len(chunk) == most or (loaded and pixels > MAX_PIXELS):
            yield chunk, loaded
            chunk, loaded = [], []
        chunk.append(item)
        loaded += [x] if x else []
    if chunk:
        yield chunk, loaded


def _alike(loaded: Sequence[Loaded]) -> Iterable[list[Loaded]]:
    """Pictures may differ in size, and in what their files say of them; those of a batch cannot."""
    groups: dict[tuple[Any, ...], list[Loaded]] = {}
    for x in loaded:
        groups.setdefault(_kind(x.picture, x.fields), []).append(x)
    return groups.values()


def _kind(picture: image.Picture, fields: dict[str, Any]) -> tuple[Any, ...]:
    """What pictures that may be restored together have in common."""
    plain = {name: None if isinstance(value, Tensor) else value for name, value in fields.items()}
    return (*picture.pixels.shape, *plain.items())


def _load(item: Item, task: Task, plan: Plan, known: Known) -> Loaded | None:
    """Read an observation; None, with the item failed, where it cannot be used. `known`: how many channels
    observations of a kind must have, and the shape of their images."""
    try:
        picture = image.read(item.file, max_pixels=task.max_pixels)
        fields = _fields(item, picture, task, plan.prior)
        kind = _kind(picture, fields)
        if kind not in known:
            known[kind] = _convert(picture.pixels, task.degradation([fields]), plan)
        channels, (_, height, width) = known[kind]
        pixels = colour.convert(picture.pixels, channels, str(item.path))
        return Loaded(item, image.Picture(pixels, picture.bits), fields, height * width)
    except RestoraError as error:
        item.fail(error)
        return None


def _convert(pixels: Tensor, degradation: Degradation, plan: Plan) -> tuple[int, Shape]:
    """How many channels the observation has, and the shape of the images behind it: as many as the file, or
    1 for colour that must be grey, or 3 for grey that must be colour. ShapeError for what fits in no way."""
    own, *size = pixels.shape
    try:
        return own, plan.fit(degradation, (own, *size))
    except ShapeError:
        other = {1: 3, 3: 1}.get(own)
        if other is not None:
            with contextlib.suppress(ShapeError):
                return other, plan.fit(degradation, (other, *size))
        raise


def _fields(item: Item, picture: image.Picture, task: Task, prior: Prior | None) -> dict[str, Any]:
    told = task.cls.of_file(item.file)
    fields = task.pictures(item.path, picture, item.partners, item.note)
    if prior is None or prior.any_size:
        return fields | told
    height, width = prior.image_shape[1:]
    if fields and picture.size != (height, width):
        raise ShapeError(
            f"{item.path.name} is {picture.size[1]}x{picture.size[0]}, but prior {prior.name!r} makes "
            f"{width}x{height} images, so it must be {width}x{height}. Crop or scale it to that size"
        )
    return fields | told


def _restore_batch(task: Task, plan: Plan, watch: Watch | None, loaded: Sequence[Loaded]) -> None:
    y = torch.stack([x.picture.pixels for x in loaded])
    degradation = task.degradation([x.fields for x in loaded])
    items = [x.item for x in loaded]
    run = plan.run(y, degradation, [item.seed for item in items])
    while True:
        try:
            step = next(run)
        except StopIteration as stop:
            result: Restoration = stop.value
            break
        if watch is not None:
            watch(items, y, step)
    for i, x in enumerate(loaded):
        level = result.degradation.take(torch.tensor([i])).noise.level
        _write(x, result, i, {"sigma": round(level, 4)} if degradation.blind else {})


def _write(x: Loaded, result: Restoration, i: int, found: dict[str, float]) -> None:
    try:
        for path, sample in zip(x.item.pictures, result.samples[i], strict=True):
            image.write(path, sample, x.picture.bits)
        if x.item.maps:
            assert result.std is not None  # the method was set for it
            _write_maps(x.item, result.std[i])
    except RestoraError as error:
        x.item.fail(error)
        return
    known = {} if result.std is None else {"std": round(result.std[i].square().mean().sqrt().item(), 6)}
    x.item.done(
        outputs=[path.name for path in (*x.item.pictures, *x.item.maps)],
        seconds=round(result.seconds / len(result.image), 4),
        residual=round(result.residual[i].item(), 6),
        loss=round(result.history[-1, i].item(), 4),
        **found,
        **known,
    )


def _write_maps(item: Item, std: Tensor) -> None:
    """The standard deviation (C, H, W) as a picture for people, and in 16 bits for scripts."""
    picture, numbers = item.maps
    std_map(picture, std)
    image.write(numbers, std, bits=16)

"""Observations as the degradation and the prior want them, from the files of items."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import RestoraError, ShapeError
from restora.noise.level import SMALLEST, estimate_noise, fill_in
from restora.operators.base import Shape
from restora.pictures import colour
from restora.pictures.picture import Picture
from restora.plan import Plan
from restora.priors import Prior
from restora.runs.item import Item
from restora.runs.job import Job
from restora.runs.task import Task

KINDS = 1000  # that are remembered
Known = dict[tuple[Any, ...], tuple[int, Shape]]


@dataclass
class Loaded:
    """A picture of a job, by its number there, the per-image fields of its degradation, and the pixels of its
    restorations.
    """

    job: Job
    number: int
    picture: Picture
    fields: dict[str, Any]
    pixels: int

    @property
    def item(self) -> Item:
        return self.job.item


class Loading:
    """The pictures of jobs. `known`: how many channels those of a kind must have, and the shape of the images
    behind them."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.known: Known = {}

    def pictures(self, job: Job) -> Iterator[Loaded]:
        """Each picture of a job, until one of them cannot be used, and the item has failed."""
        try:
            if _comes_apart(job, self.plan):
                job.take_apart()
            levels = _levels(job)
            for number in range(job.item.planes):
                if job.item.status == "failed":
                    return
                yield self._load(job, number, levels.get(number))
        except RestoraError as error:
            job.item.fail(error)

    def _load(self, job: Job, number: int, level: float | None = None) -> Loaded:
        """An observation; a RestoraError where it cannot be used. level: of its noise, if known."""
        item, picture, plan = job.item, job.picture(number), self.plan
        fields = _fields(item, picture, job.task, plan.prior)
        if level is not None:
            fields["sigma"] = torch.tensor([level])
        kind = (id(job.task), *kind_of(picture, fields))
        if kind not in self.known:
            if len(self.known) >= KINDS:
                self.known.clear()
            self.known[kind] = _convert(picture.pixels, job.task.degradation([fields]), plan)
        channels, (_, height, width) = self.known[kind]
        pixels = colour.convert(picture.pixels, channels, str(item.path))
        return Loaded(job, number, Picture(pixels, picture.bits), fields, height * width * plan.solver.rows)


def _comes_apart(job: Job, plan: Plan) -> bool:
    """Whether a plane has channels that neither are a colour nor fit the prior together, but do so alone."""
    if job.document.channels in (1, 3):
        return False
    picture = job.picture(0)
    degradation = job.task.degradation([_fields(job.item, picture, job.task, plan.prior)])
    try:
        plan.fit(degradation, tuple(picture.pixels.shape))
    except ShapeError:
        with contextlib.suppress(ShapeError):
            return plan.fit(degradation, (1, *picture.size))[0] == 1
    return False


def _levels(job: Job) -> dict[int, float]:
    """The noise of pictures in which none was found, by what the others of the same file have."""
    count = job.item.planes
    if count == 1 or not job.task.of_noise or min(job.picture(0).size) < SMALLEST:
        return {}
    found = [estimate_noise(job.picture(number).pixels[None])[0] for number in range(count)]
    return {number: level for number, level in enumerate(fill_in(found)) if level is not None}


def kind_of(picture: Picture, fields: dict[str, Any]) -> tuple[Any, ...]:
    """What pictures of one task that may be restored together have in common."""
    plain = {name: None if isinstance(value, Tensor) else value for name, value in fields.items()}
    return (*picture.pixels.shape, *plain.items())


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


def _fields(item: Item, picture: Picture, task: Task, prior: Prior | None) -> dict[str, Any]:
    told = task.told(item.file, picture)
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

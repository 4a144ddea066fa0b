"""Observations as the degradation and the prior want them, from the files of items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from restora.degradations import Degradation
from restora.errors import RestoraError, ShapeError
from restora.operators import Luma, compose
from restora.operators.base import Shape
from restora.pictures import colour
from restora.pictures.picture import Picture
from restora.plan import Plan
from restora.priors import Prior
from restora.runs.items import Item
from restora.runs.job import Job, Writing, start
from restora.runs.task import Task

Known = dict[tuple[Any, ...], tuple[int, bool, Shape]]


@dataclass
class Loaded:
    """A picture of a job, by its number there, the per-image fields of its degradation, and the pixels of its
    restoration.

    luma: whether the picture is grey and the prior's images are not, so that it is the luma of one of them.
    """

    job: Job
    number: int
    picture: Picture
    fields: dict[str, Any]
    pixels: int
    luma: bool

    @property
    def item(self) -> Item:
        return self.job.item


def load_all(
    items: Sequence[Item], task: Task, plan: Plan, writing: Writing
) -> Iterator[tuple[Item, Loaded | None]]:
    """Each picture of each item, with its item; None in its place where it cannot be used, and has failed."""
    known: Known = {}
    for item in items:
        try:
            job = start(item, task, writing)
            if _comes_apart(job, task, plan.prior):
                job.take_apart()
            for number in range(item.planes):
                if item.status == "failed":
                    break
                yield item, _load(job, number, task, plan, known)
        except RestoraError as error:
            item.fail(error)
            yield item, None


def _comes_apart(job: Job, task: Task, prior: Prior | None) -> bool:
    """Whether a plane has channels that the prior knows nothing of: neither grey, nor RGB, nor its own."""
    picture = job.picture(0)
    if len(picture.pixels) in (1, 3):
        return False
    degradation = task.degradation([_fields(job.item, picture, task, prior)])
    return _channels(picture, degradation, prior) != len(picture.pixels)


def kind_of(picture: Picture, fields: dict[str, Any]) -> tuple[Any, ...]:
    """What pictures that may be restored together have in common."""
    plain = {name: None if isinstance(value, Tensor) else value for name, value in fields.items()}
    return (*picture.pixels.shape, *plain.items())


def _load(job: Job, number: int, task: Task, plan: Plan, known: Known) -> Loaded:
    """An observation; a RestoraError where it cannot be used. `known`: how many channels those of a kind must
    have, whether they are luma, and the shape of their images."""
    item, picture = job.item, job.picture(number)
    fields = _fields(item, picture, task, plan.prior)
    kind = kind_of(picture, fields)
    if kind not in known:
        degradation = task.degradation([fields])
        channels = _channels(picture, degradation, plan.prior)
        luma = (len(picture.pixels), channels) == (1, 3)
        if luma:
            channels, degradation = 1, of_luma(degradation)
        pixels = colour.convert(picture.pixels, channels, str(item.path))
        known[kind] = channels, luma, plan.fit(degradation, tuple(pixels.shape))
    channels, luma, (_, height, width) = known[kind]
    pixels = colour.convert(picture.pixels, channels, str(item.path))
    return Loaded(job, number, Picture(pixels, picture.bits), fields, height * width, luma)


def of_luma(degradation: Degradation) -> Degradation:
    """What happens to the luma of a colour image, where `degradation` happens to a grey one."""
    return Degradation(compose(Luma(), degradation.operator), degradation.noise)


def _channels(picture: Picture, degradation: Degradation, prior: Prior | None) -> int:
    """How many an observation has: what the prior's images give, else its own, or 1 for colour that
    must be grey; ShapeError for what cannot be made so."""
    if prior is not None and not prior.any_size:
        return degradation.operator.observed_shape(prior.image_shape)[0]
    own = len(picture.pixels)
    try:
        _, height, width = degradation.operator.image_shape((own, *picture.size))
    except ShapeError:
        if len(picture.pixels) != 3:
            raise
        return 1
    if prior is None:
        return own
    return degradation.operator.observed_shape((prior.image_shape[0], height, width))[0]


def _fields(item: Item, picture: Picture, task: Task, prior: Prior | None) -> dict[str, Any]:
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

"""An item under way: the planes of its file, and those of its results, to be written when all are there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restora.errors import ShapeError
from restora.figure import std_map
from restora.pictures import image
from restora.pictures.atomic import check_names
from restora.pictures.document import Document
from restora.pictures.picture import Picture
from restora.pictures.result import Result
from restora.random import seed_of
from restora.runs.item import Item
from restora.runs.task import Task


@dataclass(frozen=True)
class Writing:
    """How results are written. quality: of lossy formats. axes: of TIFFs that do not say them."""

    quality: int | None = None
    axes: str | None = None


PLAIN = Writing()


@dataclass
class Job:
    """apart: whether each channel of a plane is a grey picture of its own. numbers: standard deviations.
    noiseless: how many pictures had no noise to be removed."""

    item: Item
    task: Task
    document: Document
    results: list[Result]
    numbers: Result | None = None
    apart: bool = False
    noiseless: int = 0
    facts: list[dict[str, float]] = field(default_factory=list)
    _parts: dict[int, dict[int, list[Tensor]]] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        """How many pictures a plane is."""
        return len(self.document.picture().pixels) if self.apart else 1

    def take_apart(self) -> None:
        self.apart = True
        self.item.planes = len(self.document) * self.channels

    def picture(self, number: int) -> Picture:
        """What is restored at once: a plane, or a channel of it."""
        plane, channel = divmod(number, self.channels)
        whole = self.document.picture(plane)
        return Picture(whole.pixels[channel, None], whole.bits, whole.alpha) if self.apart else whole

    def seed(self, number: int) -> int:
        """One for each picture; the first has that of the item."""
        return self.item.seed if number == 0 else seed_of(str(number), self.item.seed)

    @property
    def pixels(self) -> int:
        """Of all that is held."""
        return sum(array.size for array in self.document.arrays) // 3

    def put(self, number: int, images: list[Tensor], **facts: float) -> bool:
        """Take the restorations (C, H, W) of a picture, and perhaps its standard deviation. Whether all are
        there, so that they can be written."""
        if self.item.status == "failed":
            return False
        plane, channel = divmod(number, self.channels)
        if self.apart and len(images[0]) != 1:
            raise ShapeError(
                f"{self.channels} channels, each restored as a grey picture, but the task makes "
                f"{len(images[0])} of one; give files of 1 channel"
            )
        parts = self._parts.setdefault(plane, {})
        parts[channel] = images
        self.facts.append(facts)
        if len(parts) == self.channels:
            del self._parts[plane]
            targets = [*self.results, *([self.numbers] if self.numbers else [])]
            for k, target in enumerate(targets):
                target.add(plane, torch.cat([parts[c][k] for c in range(self.channels)]))
        self.item.ready += 1
        return self.item.ready == self.item.planes

    def write(self) -> None:
        """Write the results; in any thread. The first comes last: where it is, all others are."""
        if self.numbers:
            self.numbers.write()
            std_map(self.item.maps[0], self.numbers.shown())
        for result in reversed(self.results):
            result.write()

    def end(self) -> None:
        """The item is done."""
        for text in [*self.results[0].notes, *self._unchanged()]:
            self.item.note(text)
        planes = {"planes": len(self.document)} if len(self.document) > 1 else {}
        self.item.done(**planes, **_summary(self.facts))

    def _unchanged(self) -> list[str]:
        """The note on pictures that had no noise."""
        if not self.noiseless:
            return []
        where = f"{self.item.path}: no noise was found"
        told = "if you see some, give its standard deviation, such as sigma=0.03"
        if self.item.planes == 1:
            return [f"{where}, so the picture was written as it is; {told}"]
        count = f"{self.noiseless} of its {self.item.planes} pictures"
        return [f"{where} in {count}, which were written as they are; {told}"]


def start(item: Item, task: Task, writing: Writing = PLAIN) -> Job:
    """Read the file of an item. A RestoraError where it cannot be, or its results could not be written."""
    check_names(item.outputs)
    document = image.load(
        item.file,
        max_pixels=task.max_pixels,
        partial=True,
        turn=not (task.of_file and item.file.head.jpeg),
        axes=writing.axes,
    )
    for note in document.notes:
        item.note(note)
    item.planes, item.ready = len(document), 0
    opaque = task.of_alpha
    results = [Result(path, document, writing.quality, opaque=opaque) for path in item.pictures]
    numbers = Result(item.maps[1], document, numbers=True) if item.maps else None
    return Job(item, task, document, results, numbers)


def _summary(facts: list[dict[str, Any]]) -> dict[str, float]:
    """Of all planes: seconds in all, root mean squares of differences, means of others."""
    found: dict[str, float] = {}
    for name in facts[0] if facts else {}:
        values = [float(entry[name]) for entry in facts]
        if name == "seconds":
            found[name] = round(math.fsum(values), 4)
        elif name in ("residual", "std"):
            found[name] = round(math.sqrt(math.fsum(value * value for value in values) / len(values)), 6)
        else:
            found[name] = round(math.fsum(values) / len(values), 4)
    return found

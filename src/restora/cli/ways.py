"""The two ways to restore the pictures of a run: as a task says, or each as `inspect` suggests."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from restora.cli.arguments import max_pixels
from restora.cli.options import make_task, needs_no_task
from restora.cli.writing import make_writing
from restora.operators.base import Shape
from restora.pictures.file import File
from restora.pictures.formats import Format
from restora.plan import Plan
from restora.runs.batch import Opened, opened
from restora.runs.beforehand import beforehand, licences
from restora.runs.item import Item
from restora.runs.job import Writing
from restora.runs.shapes import images_of
from restora.runs.suggested import Suggested, keep
from restora.runs.task import Task


@dataclass(frozen=True)
class Told:
    """One task for all pictures."""

    task: Task
    writing: Writing
    format: Format | None

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def found(self) -> dict[str, Any]:
        """What decides about the files of a picture and of its result."""
        return {"format": self.format, "partners": self.task.partners, "exact": self.task.of_file}

    def images(self, files: Iterable[File]) -> Shape | None:
        return self.task.images(files)

    def check(self, plan: Plan, images: Shape | None) -> None:
        self.task.check(plan, images)

    def facts(self) -> dict[str, Any]:
        return self.task.facts()

    def before(self, plan: Plan) -> list[str]:
        """What a user should know before the first picture is restored."""
        return beforehand(plan, self.task)

    def begin(self, plan: Plan) -> Callable[[Item], Opened]:
        """Reads a picture that is to be restored."""
        return lambda item: opened(item, self.task, self.writing)


@dataclass(frozen=True)
class Inspected:
    """Each picture as `inspect` suggests."""

    max_pixels: int
    writing: Writing
    format: Format | None
    name = "as inspected"

    @cached_property
    def suggested(self) -> Suggested:
        return Suggested(self.max_pixels)

    @property
    def found(self) -> dict[str, Any]:
        return {"format": self.format, "exact": self.suggested.exact}

    def images(self, files: Iterable[File]) -> Shape | None:
        return images_of(files)

    def check(self, plan: Plan, images: Shape | None) -> None:
        """Nothing is known of the pictures yet."""

    def facts(self) -> dict[str, Any]:
        return {"task": None}

    def before(self, plan: Plan) -> list[str]:
        return licences(plan)

    def begin(self, plan: Plan) -> Callable[[Item], Opened]:
        def begin(item: Item) -> Opened:
            task = self.suggested.task(item, plan)
            if task is not None:
                return opened(item, task, self.writing)
            if item.status == "waiting":
                keep(item, self.writing, self.max_pixels)
            return item, None

        return begin


def way_of(args: argparse.Namespace) -> Told | Inspected:
    """The one that the arguments name."""
    if args.task is None:
        needs_no_task(args)
        return Inspected(max_pixels(args), *make_writing(args, None))
    task = make_task(args, restoring=True)
    return Told(task, *make_writing(args, task))

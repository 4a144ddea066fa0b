"""Runs without a task: each picture is inspected, and restored as that suggests; one in which nothing is
wrong is kept as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from restora import inspection
from restora.errors import OutputError, RestoraError
from restora.inspection import Inspection
from restora.pictures import image
from restora.pictures.atomic import atomic
from restora.pictures.file import File
from restora.pictures.result import Result
from restora.runs.items import Item
from restora.runs.job import Writing
from restora.runs.task import Task

MARKS = ". It may have scratches or dead pixels: 'restora inspect --mask FILE' shows where"
NOTHING = "nothing wrong was found; the picture is kept as it is"


class Suggested:
    """What `inspect` says of files, each looked at once."""

    def __init__(self, max_pixels: int):
        self.max_pixels = max_pixels
        self._known: dict[Path, Inspection | RestoraError] = {}

    def of(self, file: File) -> Inspection | RestoraError:
        """The inspection, or why there is none."""
        if file.path not in self._known:
            try:
                self._known[file.path] = inspection.inspect(file, self.max_pixels)
            except RestoraError as error:
                self._known[file.path] = error
        return self._known[file.path]

    def exact(self, file: File) -> bool:
        """Whether a lossy format would undo what is suggested."""
        found = self.of(file)
        return isinstance(found, Inspection) and bool(found.suggestion and "jpeg" in found.suggestion.task)

    def tasks(self, items: Sequence[Item], tell: Callable[[str], None]) -> list[tuple[Task, list[Item]]]:
        """The items that are to be restored, by their tasks. Those that cannot be read have failed. `tell` is
        told what is done to each."""
        groups: dict[str, tuple[Task, list[Item]]] = {}
        for item in items:
            found = self.of(item.file)
            if isinstance(found, RestoraError):
                item.fail(found)
                continue
            wanted = found.suggestion
            if wanted is None:
                tell(f"{item.path}: {NOTHING}{'' if found.marks is None else MARKS}")
                item.said = {"suggestion": None}
                continue
            wrong = "; ".join(f.text for f in found.findings if f.task and f.task in wanted.reasons)
            tell(f"{item.path}: {wrong}. Restored with {wanted}")
            item.said = {"suggestion": str(wanted)}
            if str(wanted) not in groups:
                groups[str(wanted)] = self._task(wanted), []
            groups[str(wanted)][1].append(item)
        return list(groups.values())

    def _task(self, wanted: inspection.Suggestion) -> Task:
        return Task(wanted.task, wanted.restoring, max_pixels=self.max_pixels)


def keep(item: Item, writing: Writing, max_pixels: int) -> None:
    """The picture as it came, to where its result would be: the very bytes, where the format is the same."""
    try:
        for target in item.pictures[:1]:
            if target.suffix.lower() == item.path.suffix.lower():
                with atomic(target) as part:
                    shutil.copyfile(item.path, part)
                continue
            document = image.load(item.file, max_pixels=max_pixels, partial=True, axes=writing.axes)
            result = Result(target, document, writing.quality)
            for i in range(len(document)):
                result.add(i, document.picture(i).pixels)
            result.write()
        item.done()
        item.facts["outputs"] = item.names(item.pictures[0])
    except RestoraError as error:
        item.fail(error)
    except OSError as error:
        item.fail(OutputError(f"cannot be written ({error.strerror or error})"))

"""Runs without a task: each picture is inspected, and restored as that suggests; one in which nothing is
wrong is kept as it is."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from restora import inspection
from restora.errors import OutputError, RestoraError
from restora.inspection import Inspection
from restora.pictures import image
from restora.pictures.atomic import atomic, check_names
from restora.pictures.file import File
from restora.pictures.result import Result
from restora.plan import Plan
from restora.runs.item import Item
from restora.runs.job import Writing
from restora.runs.task import Task

MARKS = ". It may have scratches or dead pixels: 'restora inspect --mask FILE' shows where"
NOTHING = "nothing wrong was found; the picture is kept as it is"


class Suggested:
    """What `inspect` says of files, each looked at once, and what is done then. It may be asked from any
    thread."""

    def __init__(self, max_pixels: int):
        self.max_pixels = max_pixels
        self._known: dict[Path, Inspection | RestoraError] = {}
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()

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

    def task(self, item: Item, plan: Plan) -> Task | None:
        """How the item is to be restored; None where it is not, since nothing is wrong with it, or it cannot
        be, and has failed. `item.line` says what is done."""
        found = self.of(item.file)
        del self._known[item.path]
        if isinstance(found, RestoraError):
            item.fail(found)
            return None
        wanted = found.suggestion
        item.said = {"suggestion": None if wanted is None else str(wanted)}
        if wanted is None:
            item.line = f"{item.path}: {NOTHING}{'' if found.marks is None else MARKS}"
            return None
        wrong = "; ".join(f.text for f in found.findings if f.task and f.task in wanted.reasons)
        item.line = f"{item.path}: {wrong}. Restored with {wanted}"
        with self._lock:
            if str(wanted) not in self._tasks:
                task = Task(wanted.task, wanted.restoring, max_pixels=self.max_pixels)
                task.check(plan)
                self._tasks[str(wanted)] = task
            return self._tasks[str(wanted)]


def keep(item: Item, writing: Writing, max_pixels: int) -> None:
    """The picture as it came, to where its result would be: the very bytes, where the format is the same."""
    try:
        check_names(item.pictures)
        for target in item.pictures[:1]:
            if target.suffix.lower() == item.path.suffix.lower():
                with atomic(target) as part, item.path.open("rb") as source, part.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
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

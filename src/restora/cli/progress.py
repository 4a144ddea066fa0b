"""Progress on stderr: a bar, or a line every ten seconds where that is no terminal."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)

from restora.cli.telling import tell

EVERY = 10.0  # seconds


class Bar(Progress):
    """rich's Progress on stderr. `line`: what it tells of a task where that is no terminal."""

    def __init__(self, *columns: ProgressColumn, line: Callable[[Task], str], **options: Any):
        console = Console(stderr=True)
        super().__init__(*columns, console=console, disable=not console.is_terminal, **options)
        self.line = line
        self._ended = threading.Event()

    def start(self) -> None:
        super().start()
        if self.disable:
            threading.Thread(target=self._tell, daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        super().stop()

    def _tell(self) -> None:
        with contextlib.suppress(OSError):  # nobody reads stderr any more
            while not self._ended.wait(EVERY):
                for task in self.tasks:
                    tell(self.line(task))


def progress() -> Bar:
    """Of files or rows, done of a total."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bar(*columns, line=_counted, transient=True)


def _counted(task: Task) -> str:
    """denoise: 3 of 10 (30 %), 2 min left."""
    done, total = task.completed, task.total or 0
    left = f", {minutes((task.elapsed or 0) * (total - done) / done)} left" if done else ""
    return f"{task.description}: {int(done)} of {total:.0f} ({task.percentage:.0f} %){left}"


def minutes(seconds: float) -> str:
    """A time as people say it: 80 s, or 3 min."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"

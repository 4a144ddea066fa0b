"""A job: what a visitor wants restored and how, and what has become of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restora.web.requests import Request

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


@dataclass
class Done:
    """What became of one picture: the names of its results in the folder `out`, best first, and what to say.

    map: the name of the uncertainty, if it was asked for, and `scale`: the value of its brightest colour.
    """

    picture: str
    name: str
    results: list[str] = field(default_factory=list)
    map: str = ""
    scale: float = 0
    size: tuple[int, int] = (0, 0)
    verdict: str = ""
    notes: list[str] = field(default_factory=list)
    error: str = ""


@dataclass(eq=False)
class Job:
    """`sources`: (id, name, path) of each picture, under the names that results have. ahead: how many are
    before it in the queue. done: the part of the work that is, from 0 to 1. version: counts what can be seen
    of it; preview: an intermediate picture as a JPEG."""

    id: str
    visit: str
    folder: Path
    request: Request
    sources: list[tuple[str, str, Path]]
    mask: Path | None = None
    command: str = ""
    state: str = WAITING
    ahead: int = 0
    done: float = 0
    doing: str = ""
    notes: list[str] = field(default_factory=list)
    items: list[Done] = field(default_factory=list)
    error: str = ""
    preview: bytes = b""
    previews: int = 0
    version: int = 0
    started: float | None = None
    ended: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def is_open(self) -> bool:
        return self.state in (WAITING, RUNNING)

    @property
    def seconds(self) -> float:
        """Of work so far."""
        return 0 if self.started is None else (self.ended or time.monotonic()) - self.started

    @property
    def inputs(self) -> Path:
        return self.folder / "in"

    @property
    def outputs(self) -> Path:
        return self.folder / "out"

    def facts(self) -> dict[str, Any]:
        """What is told of it, but for the intermediate picture."""
        names = ("id", "state", "ahead", "done", "doing", "notes", "error", "command", "seconds")
        return {
            **{name: getattr(self, name) for name in names},
            "request": self.request.model_dump(),
            "items": [vars(item) for item in self.items],
        }

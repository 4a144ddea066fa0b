"""One input file, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restora.pictures.file import File


@dataclass
class Item:
    """One input file, what is made of it, and what became of that: `status` done, failed, kept or waiting.

    pictures: STEM.png, STEM-2.png, ..., best first, of the suffix of their format. `trace`: STEM-trace.webp,
    if one is wanted; `maps`: STEM-std.png and STEM-std.tiff, if the standard deviation is.
    file: the file at `path`, and partners: the others that the result depends on, such as {"mask": ...}.
    number: its place among the inputs. told, entered: whether whoever follows the run, and the
    manifest, know of its end.
    line: what to tell when its turn comes. elsewhere: whether another process restored it.
    notes: what the user should know of how the files were read. folder: of the results, and of any folders
    that they are in. planes: how many pictures the file holds, as far as is known; ready: how many are
    restored. said: facts for the manifest that are known before.
    """

    path: Path
    seed: int
    pictures: list[Path]
    trace: Path | None = None
    maps: list[Path] = field(default_factory=list)
    partners: dict[str, File] = field(default_factory=dict)
    status: str = "waiting"
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    folder: Path | None = None
    planes: int = 1
    ready: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    line: str = ""
    elsewhere: bool = False
    told: bool = field(default=False, compare=False)
    entered: bool = field(default=False, compare=False)
    file: File = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.file = File(self.path)

    @property
    def outputs(self) -> list[Path]:
        return [*self.pictures, *self.maps, *([self.trace] if self.trace else [])]

    def note(self, text: str) -> None:
        """Once, whoever says it how often."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, error: Exception) -> None:
        reason = " ".join(str(error).split()).removeprefix(f"{self.path}: ")
        self.status, self.facts = "failed", {"error": reason}

    def done(self, **facts: Any) -> None:
        self.status, self.facts = (
            "done",
            {"outputs": self.names(*self.pictures, *self.maps), **self.said, **facts},
        )

    def names(self, *paths: Path) -> list[str]:
        """Of outputs, in the folder of the results."""
        return [path.relative_to(self.folder).as_posix() if self.folder else path.name for path in paths]

    def digests(self) -> dict[str, str]:
        """What tells whether the input has changed."""
        partners = {f"{name} sha256": file.digest for name, file in self.partners.items()}
        return {"sha256": self.file.digest, **partners}

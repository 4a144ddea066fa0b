"""Many files: which inputs there are, where their results go, and what became of each."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from restora.errors import ImageError, OutputError
from restora.pictures.file import File
from restora.pictures.formats import SUFFIXES, Format, of_result, suffix_for
from restora.random import seed_of

MANIFEST = "restora.json"


@dataclass
class Item:
    """One input file, what is made of it, and what became of that: `status` done, failed, kept or waiting.

    pictures: STEM.png, STEM-2.png, ..., best first, of the suffix of their format. `trace`: STEM-trace.webp,
    if one is wanted; `maps`: STEM-std.png and STEM-std.tiff, if the standard deviation is.
    file: the file at `path`, and partners: the others that the result depends on, such as {"mask": ...}.
    notes: what the user should know of how the files were read. planes: how many pictures the file holds, as
    far as is known; ready: so many are restored.
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
    planes: int = 1
    ready: int = 0
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
        self.status, self.facts = "done", facts

    def digests(self) -> dict[str, str]:
        """What tells whether the input has changed."""
        partners = {f"{name} sha256": file.digest for name, file in self.partners.items()}
        return {"sha256": self.file.digest, **partners}


def collect(
    inputs: Sequence[Path],
    output: Path,
    seed: int,
    *,
    samples: int = 1,
    trace: bool = False,
    uncertainty: bool = False,
    partners: Callable[[Path], dict[str, File]] = lambda path: {},
    format: Format | None = None,
    exact: bool = False,
) -> list[Item]:
    """An item for each of the files that files, folders and globs name, in that order.

    format: that of the results; where none is given, that of each file, or PNG where that would lose some of
    the result, as lossy compression does if it has to be `exact`.

    Raises ImageError for an input that is missing or a folder without pictures, and OutputError where two
    files would be written to one place, or an input would be overwritten.
    """
    paths = list(dict.fromkeys(path for source in inputs for path in _expand(source)))
    if not paths:
        raise ImageError(f"no picture among the inputs; expected {', '.join(SUFFIXES)}")
    items = [
        Item(
            path,
            seed_of(path.stem, seed),
            [],
            output / f"{path.stem}-trace.webp" if trace else None,
            [output / f"{path.stem}-std{suffix}" for suffix in (".png", ".tiff") if uncertainty],
            partners(path),
        )
        for path in paths
    ]
    for item in items:
        head = item.file.head
        suffix = suffix_for(format or of_result(head.format, head.has_alpha, exact), item.path)
        item.pictures = sample_paths(output / f"{item.path.stem}{suffix}", samples)
    _check_outputs(items)
    return items


def sample_paths(first: Path, count: int) -> list[Path]:
    """DIR/STEM.png, DIR/STEM-2.png, ..."""
    return [first] + [first.with_name(f"{first.stem}-{k}{first.suffix}") for k in range(2, count + 1)]


def _expand(source: Path) -> list[Path]:
    try:
        if source.is_dir():
            found = _pictures(source)
            if not found:
                raise ImageError(f"{source}: no picture in this folder; expected {', '.join(SUFFIXES)}")
            return found
        if source.exists():
            # A shell's * also names the manifest of an earlier run.
            return [source] if source.name != MANIFEST else []
        matches = sorted(map(Path, glob.glob(str(source), recursive=True)))
        found = [p for match in matches for p in (_pictures(match) if match.is_dir() else [match])]
    except OSError as error:
        raise ImageError(f"{source}: cannot be read ({error.strerror})") from error
    found = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not found:
        raise ImageError(f"{source}: no such file or folder, and no picture matches it as a pattern")
    return found


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, in name order. Hidden files are passed over."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    return sorted(p for p in found if not p.is_dir())


def _check_outputs(items: Sequence[Item]) -> None:
    sources = {file.path.resolve() for item in items for file in (item.file, *item.partners.values())}
    owner: dict[Path, Item] = {}
    for item in items:
        for target in item.outputs:
            if target in owner:
                raise OutputError(
                    f"{owner[target].path} and {item.path} would both be written to {target}; "
                    "rename one, or use two output folders"
                )
            if target.resolve() in sources:
                raise OutputError(
                    f"{target}: this input would be overwritten by a result; choose another output folder"
                )
            owner[target] = item


def make_folder(folder: Path) -> None:
    """Make the folder for results; OutputError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder} is a file; expected a folder for the results") from None
    except OSError as error:
        raise OutputError(f"{folder}: this folder cannot be made ({error.strerror})") from error

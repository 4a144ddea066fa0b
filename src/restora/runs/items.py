"""Many files: which inputs there are, where their results go, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from restora.errors import OptionError, OutputError
from restora.pictures.file import File
from restora.pictures.formats import SUFFIXES, WRITTEN, Format, of_result, of_suffix, suffix_for
from restora.random import seed_of
from restora.runs.inputs import Note, Source, find, unique_names
from restora.runs.inside import check_inside


@dataclass
class Item:
    """One input file, what is made of it, and what became of that: `status` done, failed, kept or waiting.

    pictures: STEM.png, STEM-2.png, ..., best first, of the suffix of their format. `trace`: STEM-trace.webp,
    if one is wanted; `maps`: STEM-std.png and STEM-std.tiff, if the standard deviation is.
    file: the file at `path`, and partners: the others that the result depends on, such as {"mask": ...}.
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


def progress(items: Sequence[Item], more: float = 0) -> tuple[float, int]:
    """How many planes of a run are restored, with `more` under way, and how many there are."""
    ready = sum(item.ready if item.status == "waiting" else item.planes for item in items)
    return ready + more, sum(item.planes for item in items)


def collect(
    inputs: Sequence[Path],
    output: Path,
    seed: int,
    *,
    samples: int = 1,
    trace: bool = False,
    uncertainty: bool = False,
    partners: Callable[[Path, Path], dict[str, File]] = lambda path, place: {},
    recursive: bool = False,
    note: Note = lambda text: None,
    format: Format | None = None,
    exact: bool | Callable[[File], bool] = False,
) -> list[Item]:
    """An item for each of the files that files, folders and globs name, in that order.

    output: a folder, or the file for the result of one input, as `names_file` tells. recursive: also the
    pictures in the folders of a folder, which keep their places. partners: the files that belong to the one
    at a path, whose result has a place in the output folder. note: told what was passed over. format: that
    of the results; where none is given, that of each file, or PNG where that would lose some of the result,
    as lossy compression does if it has to be `exact`.

    Raises ImageError for an input that is missing or a folder without pictures, and OutputError where two
    files would be written to one place, or an input would be overwritten.
    """
    sources = find(inputs, output, recursive, note)
    folder, suffix = (output.parent, output.suffix) if names_file(output) else (output, "")
    if suffix and len(sources) > 1:
        raise OutputError(
            f"{output} is one file, but the inputs are {len(sources)} pictures; expected a folder"
        )
    if suffix and format not in (None, of_suffix(suffix)):
        raise OptionError(
            f"{output} has another format; leave the format out, or name another file", "format"
        )
    files = {source: File(source.path) for source in sources}

    def make(source: Source, name: Path) -> Item:
        head = files[source].head
        whole = exact(files[source]) if callable(exact) else exact
        own = suffix or suffix_for(format or of_result(head.format, head.has_alpha, whole), source.path)
        first = folder / name.with_name(f"{name.name}{own}")
        beside = [first.with_name(f"{name.name}{end}") for end in ("-trace.webp", "-std.png", "-std.tiff")]
        return Item(
            source.path,
            seed_of((source.name if suffix else name).as_posix(), seed),
            sample_paths(first, samples),
            beside[0] if trace else None,
            beside[1:] if uncertainty else [],
            folder=folder,
        )

    names = [Path(output.stem)] if suffix else unique_names(sources, lambda s, name: make(s, name).outputs)
    items = [make(source, name) for source, name in zip(sources, names, strict=True)]
    for item, source, name in zip(items, sources, names, strict=True):
        item.file, item.partners = files[source], partners(item.path, name.parent)
    _check_outputs(items)
    return items


def names_file(output: Path) -> bool:
    """Whether `output` is the file for the result of one input, and not a folder: by its suffix. OutputError
    for the suffix of pictures that are not written."""
    suffix = output.suffix.lower()
    if not suffix or output.is_dir():
        return False
    if suffix not in WRITTEN and suffix in {*SUFFIXES, *Image.registered_extensions()}:
        known = ", ".join(WRITTEN)
        raise OutputError(f"{output}: {suffix} is not written; expected one of {known}, or a folder")
    return suffix in WRITTEN


def sample_paths(first: Path, count: int) -> list[Path]:
    """DIR/STEM.png, DIR/STEM-2.png, ..."""
    return [first] + [first.with_name(f"{first.stem}-{k}{first.suffix}") for k in range(2, count + 1)]


def _check_outputs(items: Sequence[Item]) -> None:
    sources = {file.path.resolve() for item in items for file in (item.file, *item.partners.values())}
    owner: dict[Path, Item] = {}
    for root in {item.folder for item in items if item.folder}:
        check_inside(
            root, {target.parent for item in items for target in item.outputs if item.folder == root}
        )
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
        raise OutputError(f"{folder}: cannot create this folder ({error.strerror})") from error

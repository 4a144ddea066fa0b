"""Many files: where their results go, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from restora.errors import OptionError, OutputError
from restora.pictures.file import File
from restora.pictures.formats import SUFFIXES, WRITTEN, Format, of_result, of_suffix, suffix_for
from restora.pictures.places import as_place
from restora.random import seed_of
from restora.runs.inputs import Note, find
from restora.runs.inside import check_inside
from restora.runs.names import Names, check_overwriting


@dataclass
class Item:
    """One input file, what is made of it, and what became of that: `status` done, failed, kept or waiting.

    pictures: STEM.png, STEM-2.png, ..., best first, of the suffix of their format. `trace`: STEM-trace.webp,
    if one is wanted; `maps`: STEM-std.png and STEM-std.tiff, if the standard deviation is.
    file: the file at `path`, and partners: the others that the result depends on, such as {"mask": ...}.
    number: its place among the inputs. told, entered: whether whoever follows the run, and the
    manifest, know of its end.
    line: what to tell when its turn comes.
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


def progress(items: Sequence[Item], more: float = 0) -> tuple[float, int]:
    """How many planes of a run are restored, with `more` under way, and how many there are."""
    ready = sum(item.ready if item.status == "waiting" else item.planes for item in items)
    return ready + more, sum(item.planes for item in items)


class Inputs:
    """The files that files, folders and globs name, in that order. An Item is made when it is asked for, and
    what is kept of each input until then is its name, so that there may be millions.

    output: a folder, or the file for the result of one input, as `names_file` tells. recursive: also the
    pictures in the folders of a folder, which keep their places. partners: the files that belong to the one
    at a path, whose result has a place in the output folder. note: told what was passed over. format: that
    of the results; where none is given, that of each file, or PNG where that would lose some of the result,
    as lossy compression does if it has to be `exact`.

    Raises ImageError for an input that is missing or a folder without pictures, and OutputError where two
    files would be written to one place, or an input would be overwritten.
    """

    def __init__(
        self,
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
    ):
        self.sources = find(inputs, output, recursive, note)
        self.folder, self._suffix = (output.parent, output.suffix) if names_file(output) else (output, "")
        if self._suffix and len(self.sources) > 1:
            raise OutputError(
                f"{output} is one file, but the inputs are {len(self.sources)} pictures; expected a folder"
            )
        if self._suffix and format not in (None, of_suffix(self._suffix)):
            raise OptionError(
                f"{output} has another format; leave the format out, or name another file", "format"
            )
        self._seed, self._samples, self._format, self._exact = seed, samples, format, exact
        self._ends = [
            *(["-trace.webp"] if trace else []),
            *(["-std.png", "-std.tiff"] if uncertainty else []),
        ]
        self._partners = partners
        fixed = Path(output.stem) if self._suffix else None
        self._names = Names(self.sources, self._claims, lambda i, name: self._make(i, name).outputs, fixed)
        self._names.check()
        check_overwriting(self)
        check_inside(self.folder, {self.folder / self.place(i) for i in range(len(self))})

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, range(len(self)))

    def path(self, i: int) -> Path:
        return self.sources[i].path

    def files(self) -> Iterator[File]:
        """Each anew, so that none is kept."""
        return (File(source.path) for source in self.sources)

    def claims(self, i: int) -> list[str]:
        """What the results of an input are called in their folder, but for their suffixes."""
        return self._claims(self._names.of(i))

    def place(self, i: int) -> Path:
        """In which folder of the output folder they are."""
        return self._names.of(i).parent

    def outputs(self, i: int) -> list[Path]:
        """Where the results of an input go."""
        return self._make(i, self._names.of(i)).outputs

    def partner_paths(self, i: int) -> list[Path]:
        """The files that belong to an input."""
        return [file.path for file in self._partners(self.path(i), self.place(i)).values()]

    def item(self, i: int, max_pixels: float | None = None) -> Item:
        """Input number i. max_pixels: read its whole file now, and once, unless it has more."""
        name = self._names.of(i)
        item = self._make(i, name, max_pixels)
        item.partners = self._partners(item.path, name.parent)
        return item

    def _claims(self, name: Path) -> list[str]:
        first = name.as_posix()
        others = [f"{first}-{k}" for k in range(2, self._samples + 1)]
        return list(dict.fromkeys([first, *others, *(first + end.partition(".")[0] for end in self._ends)]))

    def _make(self, i: int, name: Path, max_pixels: float | None = None) -> Item:
        source = self.sources[i]
        file = File(source.path)
        if max_pixels is not None:
            file.fetch(max_pixels)
        own = self._suffix or self._suffix_of(file)
        first = self.folder / name.with_name(f"{name.name}{own}")
        ends = {end: first.with_name(f"{name.name}{end}") for end in self._ends}
        item = Item(
            source.path,
            seed_of((source.name if self._suffix else name).as_posix(), self._seed),
            sample_paths(first, self._samples),
            ends.pop("-trace.webp", None),
            list(ends.values()),
            folder=self.folder,
            number=i,
        )
        item.file = file
        return item

    def _suffix_of(self, file: File) -> str:
        exact = self._exact(file) if callable(self._exact) else self._exact
        chosen = self._format or of_result(file.head.format, file.head.has_alpha, exact)
        return suffix_for(chosen, file.path)


def collect(inputs: Sequence[Path], output: Path, seed: int, **options: Any) -> list[Item]:
    """An item for each of the Inputs; the arguments are the same."""
    return list(Inputs(inputs, output, seed, **options))


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


def make_folder(folder: Path) -> None:
    """Make the folder for results; OutputError where that cannot be."""
    try:
        if as_place(folder):
            if folder.is_file():
                raise FileExistsError
            return
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder} is a file; expected a folder for the results") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot create this folder ({error.strerror})") from error

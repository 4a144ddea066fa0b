"""Many files: where their results go, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from restora.errors import OptionError, OutputError
from restora.pictures.file import File
from restora.pictures.formats import SUFFIXES, WRITTEN, Format, of_result, of_suffix, suffix_for
from restora.pictures.places import as_place
from restora.random import seed_of
from restora.runs.inputs import Note, Source, find
from restora.runs.inside import check_inside
from restora.runs.item import Item
from restora.runs.names import Names, check_overwriting

TRACE = "-trace.webp"


def progress(items: Sequence[Item], more: float = 0) -> tuple[float, int]:
    """How many planes of a run are restored, with `more` under way, and how many there are."""
    ready = sum(item.ready if item.status == "waiting" else item.planes for item in items)
    return ready + more, sum(item.planes for item in items)


@dataclass(frozen=True)
class Maker:
    """Makes the Item of a source. folder: of the results. suffix: theirs, if it is given by the output. The
    rest as for Inputs."""

    folder: Path
    suffix: str
    seed: int
    samples: int = 1
    trace: bool = False
    uncertainty: bool = False
    partners: Callable[[Path, Path], dict[str, File]] = lambda path, place: {}
    format: Format | None = None
    exact: bool | Callable[[File], bool] = False

    def claims(self, name: Path) -> list[str]:
        """What the results are called in their folder, but for their suffixes."""
        first = name.as_posix()
        others = [f"{first}-{k}" for k in range(2, self.samples + 1)]
        return list(dict.fromkeys([first, *others, *(first + end.partition(".")[0] for end in self._ends)]))

    def item(self, source: Source, name: Path, number: int = 0, max_pixels: float | None = None) -> Item:
        """max_pixels: read its whole file now, and once, unless it has more."""
        item = self.bare(source, name, number, max_pixels)
        item.partners = self.partners(item.path, name.parent)
        return item

    def bare(self, source: Source, name: Path, number: int = 0, max_pixels: float | None = None) -> Item:
        """Without its partners."""
        file = File(source.path)
        if max_pixels is not None:
            file.fetch(max_pixels)
        first = self.folder / name.with_name(f"{name.name}{self.suffix or self._suffix_of(file)}")
        ends = {end: first.with_name(f"{name.name}{end}") for end in self._ends}
        item = Item(
            source.path,
            seed_of((source.name if self.suffix else name).as_posix(), self.seed),
            sample_paths(first, self.samples),
            ends.pop(TRACE, None),
            list(ends.values()),
            folder=self.folder,
            number=number,
        )
        item.file = file
        return item

    @property
    def _ends(self) -> list[str]:
        return [TRACE] * self.trace + ["-std.png", "-std.tiff"] * self.uncertainty

    def _suffix_of(self, file: File) -> str:
        exact = self.exact(file) if callable(self.exact) else self.exact
        chosen = self.format or of_result(file.head.format, file.head.has_alpha, exact)
        return suffix_for(chosen, file.path)


class Inputs:
    """The files that files, folders and globs name, in that order. An Item is made when it is asked for, and
    what is kept of each input until then is its name, so that there may be millions.

    output: a folder, or the file for the result of one input, as `names_file` tells. recursive: also the
    pictures in the folders of a folder, which keep their places. partners: the files that belong to the one
    at a path, whose result has a place in the output folder. note: told what was passed over. format: that
    of the results; where none is given, that of each file, or PNG where that would lose some of the result,
    as lossy compression does if it has to be `exact`. The others: which results there are of each.

    Raises ImageError for an input that is missing or a folder without pictures, and OutputError where two
    files would be written to one place, or an input would be overwritten.
    """

    def __init__(
        self,
        inputs: Sequence[Path],
        output: Path,
        seed: int,
        *,
        recursive: bool = False,
        note: Note = lambda text: None,
        **options: Any,
    ):
        self.sources = find(inputs, output, recursive, note)
        self.maker = maker(output, seed, **options)
        self.folder, suffix = self.maker.folder, self.maker.suffix
        if suffix and len(self.sources) > 1:
            raise OutputError(
                f"{output} is one file, but there are {len(self.sources)} inputs; expected a folder"
            )
        fixed, make = Path(output.stem) if suffix else None, self.maker
        outputs = lambda i, name: make.bare(self.sources[i], name).outputs  # noqa: E731
        self._names = Names(self.sources, make.claims, outputs, fixed)
        self._names.check()
        check_overwriting(self)
        check_inside(self.folder, {self.folder / self.name(i).parent for i in range(len(self))})

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, range(len(self)))

    def path(self, i: int) -> Path:
        return self.sources[i].path

    def files(self) -> Iterator[File]:
        """Each anew, so that none is kept."""
        return (File(source.path) for source in self.sources)

    def name(self, i: int) -> Path:
        """Of the results of an input in their folder, without a suffix."""
        return self._names.of(i)

    def claims(self, i: int) -> list[str]:
        return self.maker.claims(self.name(i))

    def outputs(self, i: int) -> list[Path]:
        """Where the results of an input go."""
        return self.maker.bare(self.sources[i], self.name(i)).outputs

    def partner_paths(self, i: int) -> list[Path]:
        """The files that belong to an input."""
        return [file.path for file in self.maker.partners(self.path(i), self.name(i).parent).values()]

    def item(self, i: int, max_pixels: float | None = None) -> Item:
        """Input number i, as `Maker.item`."""
        return self.maker.item(self.sources[i], self.name(i), i, max_pixels)


def maker(output: Path, seed: int, *, format: Format | None = None, **options: Any) -> Maker:
    """That of a run; the arguments are those of Inputs."""
    folder, suffix = (output.parent, output.suffix) if names_file(output) else (output, "")
    if suffix and format not in (None, of_suffix(suffix)):
        raise OptionError(
            f"{output} has another format; leave the format out, or name another file", "format"
        )
    return Maker(folder, suffix, seed, format=format, **options)


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
        raise OutputError(f"{output}: {suffix} cannot be written; expected one of {known}, or a folder")
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

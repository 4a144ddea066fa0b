"""Which files the inputs of a run name."""

from __future__ import annotations

import glob
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from restora import limits
from restora.errors import ImageError
from restora.pictures import places, zips
from restora.pictures.formats import SUFFIXES
from restora.runs import record

MANIFEST = "restora.json"
NAMED = 5  # files and folders that a note names, before it says how many more there are
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """The input file `file` in `folder`, found in `root` or below it: the folder that was given, or the
    file's own. A run may have millions: those of a folder share it."""

    folder: Path
    file: str
    root: Path

    @property
    def path(self) -> Path:
        return self.folder / self.file

    @property
    def name(self) -> Path:
        """Of its result, without a suffix: STEM, or SUB/FOLDER/STEM of a file further down."""
        return _below(self.folder, self.root) / Path(self.file).stem


@lru_cache(16)
def _below(folder: Path, root: Path) -> Path:
    """Of the folder of many files, one after the other."""
    return folder.relative_to(root)


def find(inputs: Sequence[Path], output: Path, recursive: bool, note: Note) -> list[Source]:
    """The files that files, folders and globs name, in that order, each once. Results that an earlier run
    wrote to `output` are none of them. `note` is told what was passed over.

    Raises ImageError for an input that is missing or a folder without pictures.
    """
    search = _Search(output, recursive)
    found: list[Source] = []
    seen: dict[Path, set[str]] = {}
    for given in inputs:
        for source in search.expand(given):
            names = seen.setdefault(search.real(source.folder), set())
            if source.file not in names:
                names.add(source.file)
                found.append(source)
    search.tell(note)
    if not found:
        raise ImageError(f"no image among the inputs; expected {', '.join(SUFFIXES)}")
    return found


class _Search:
    """Looks for pictures, and remembers what it passed over."""

    def __init__(self, output: Path, recursive: bool):
        self.output, self.recursive = places.real(output), recursive
        self.passed = _Passed()
        self._real: tuple[Path, Path] | None = None

    @cached_property
    def results(self) -> set[Path]:
        """What an earlier run wrote to the output folder, as far as its manifest can be read."""
        return {
            places.real(path.parent) / path.name for path in map(self.output.joinpath, _outputs(self.output))
        }

    def real(self, folder: Path) -> Path:
        """The folder without links; the last one is remembered, since files come folder by folder."""
        if self._real is None or self._real[0] is not folder:
            self._real = folder, places.real(folder)
        return self._real[1]

    def expand(self, given: Path) -> list[Source]:
        try:
            if given.is_dir():
                return self._folder(given)
            if given.suffix.lower() == ".zip" and given.is_file():
                return self._zip(given)
            if given.exists() and not given.is_file():
                raise ImageError(
                    f"{given}: is a pipe or a device, not a file or folder; save it as a file first"
                )
            if given.exists():
                return self._files([given])
            pattern = [] if places.as_place(given) else glob.glob(str(given), recursive=True)
            matches = sorted(map(Path, pattern))
            folders = [match for match in matches if match.is_dir()]
            pictures = self._files(p for p in matches if p not in folders and self._is_picture(p, p.parent))
            found = pictures + [source for folder in folders for source in self._below(folder, folder)]
        except OSError as error:
            raise ImageError(f"{given}: cannot be read ({error.strerror})") from error
        if not matches:
            raise ImageError(f"{given}: no such file or folder, and no image matches it as a pattern")
        if not found:
            raise ImageError(f"{given}: no image matches; expected {', '.join(SUFFIXES)}")
        return found

    def _folder(self, folder: Path) -> list[Source]:
        found = list(self._below(folder, folder))
        if not found and not self._is_output(folder):
            below = " or below it" if self.recursive else ""
            more = "; add recursive=True for those in its folders" if self.passed.folders.count else ""
            raise ImageError(
                f"{folder}: no image in this folder{below}; expected {', '.join(SUFFIXES)}{more}"
            )
        return found

    def _zip(self, path: Path) -> list[Source]:
        """All pictures in it, which keep their folders."""
        top = zips.zip_at(path)
        found = list(self._below(top, top, everywhere=True))
        for _ in range(zips.left_out(top)):
            self.passed.outside.add(path)
        if not found:
            raise ImageError(f"{path}: no image in this zip; expected {', '.join(SUFFIXES)}")
        return found

    def _files(self, paths: Iterator[Path] | Sequence[Path]) -> list[Source]:
        """Files that are named one by one; a shell's * also names the manifest and results of a run."""
        return [Source(path.parent, path.name, path.parent) for path in paths if not self._is_earlier(path)]

    def _below(
        self, folder: Path, root: Path, above: frozenset[Path] = frozenset(), everywhere: bool = False
    ) -> Iterator[Source]:
        """The pictures in a folder, in name order, and below it if all are wanted. Hidden files and folders
        are passed over in silence, and so is the folder of the results."""
        above |= {folder.resolve()}
        folders = []
        for name, kind in places.entries(folder):
            path = folder / name
            if name.startswith(".") or name == "__MACOSX":
                continue
            if kind == places.FOLDER:
                folders.append(path)
            elif self._is_picture(path, root, kind) and not self._is_earlier(path):
                yield Source(folder, name, root)
        for path in folders:
            if self._is_output(path) or path.resolve() in above:  # the latter is a link to a folder above it
                continue
            if self.recursive or everywhere:
                yield from self._below(path, root, above, everywhere)
            else:
                self.passed.folders.add(path.relative_to(root))

    def _is_picture(self, path: Path, root: Path, kind: str = places.FILE) -> bool:
        picture = path.suffix.lower() in SUFFIXES and kind == places.FILE
        if not picture and path.name != MANIFEST:
            self.passed.others.add(path.relative_to(root))
        return picture

    def _is_earlier(self, path: Path) -> bool:
        """Whether it is the manifest of some run, or a result in this one's output folder."""
        folder = self.real(path.parent)
        inside = folder == self.output or self.output in folder.parents
        result = inside and folder / path.name in self.results
        if result:
            self.passed.results.add(path)
        return result or path.name == MANIFEST

    def _is_output(self, folder: Path) -> bool:
        return folder.resolve() == self.output

    def tell(self, note: Note) -> None:
        self.passed.tell(note)


@dataclass
class _Several:
    """How many there are, and the first of them."""

    first: list[Path] = field(default_factory=list)
    count: int = 0

    def add(self, path: Path) -> None:
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(path)

    def told(self, noun: str, one: str = "", several: str = "") -> str:
        """3 files of other kinds: a.txt, b.txt, c.txt."""
        names = [str(path) for path in self.first]
        names += [f"{self.count - NAMED} more"] * (self.count > NAMED)
        words = f"1 {noun} {one}" if self.count == 1 else f"{self.count} {noun}s {several}"
        return f"{words.rstrip()}: {', '.join(names)}"


@dataclass
class _Passed:
    others: _Several = field(default_factory=_Several)
    folders: _Several = field(default_factory=_Several)
    results: _Several = field(default_factory=_Several)
    outside: _Several = field(default_factory=_Several)

    def tell(self, note: Note) -> None:
        if self.others.count:
            note(f"skipped {self.others.told('file', 'of another kind', 'of other kinds')}")
        if self.folders.count:
            note(f"skipped {self.folders.told('folder')}; add recursive=True for the images in them")
        if self.outside.count:
            note(f"skipped {self.outside.told('link or name that leads', 'out of a zip')}")
        if self.results.count:
            note(f"skipped {self.results.told('result', 'of an earlier run', 'of an earlier run')}")


def _outputs(output: Path) -> Iterator[str]:
    """The results that the manifest in a folder names, as far as it can be read."""
    try:
        with io.TextIOWrapper(limits.opened(output / MANIFEST), encoding="utf-8") as file:
            for _, key, entry in record.read(file):
                if key is not None:
                    yield from entry.get("outputs", [])
    except (OSError, *record.ERRORS):
        return

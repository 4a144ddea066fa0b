"""Which files the inputs of a run name, and what the result of each is called."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from restora.errors import ImageError
from restora.limits import parse, read_text
from restora.pictures.formats import SUFFIXES

MANIFEST = "restora.json"
NAMED = 5  # files and folders that a note names, before it says how many more there are
Note = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """The input file at `path`, found in `root` or below it: the folder that was given, or the file's own."""

    path: Path
    root: Path

    @property
    def name(self) -> Path:
        """Of its result, without a suffix: STEM, or SUB/FOLDER/STEM of a file further down."""
        return self.path.parent.relative_to(self.root) / self.path.stem


def find(inputs: Sequence[Path], output: Path, recursive: bool, note: Note) -> list[Source]:
    """The files that files, folders and globs name, in that order, each once. Results that an earlier run
    wrote to `output` are none of them. `note` is told what was passed over.

    Raises ImageError for an input that is missing or a folder without pictures.
    """
    search = _Search(output, recursive)
    found: dict[Path, Source] = {}
    for given in inputs:
        for source in search.expand(given):
            found.setdefault(source.path.parent.resolve() / source.path.name, source)
    search.tell(note)
    if not found:
        raise ImageError(f"no picture among the inputs; expected {', '.join(SUFFIXES)}")
    return list(found.values())


class _Search:
    """Looks for pictures, and remembers what it passed over."""

    def __init__(self, output: Path, recursive: bool):
        self.output, self.recursive = output.resolve(), recursive
        self.results, self.passed = _results(output), _Passed()

    def expand(self, given: Path) -> list[Source]:
        try:
            if given.is_dir():
                return self._folder(given)
            if given.exists() and not given.is_file():
                raise ImageError(
                    f"{given}: is a pipe or a device, not a file or folder; save it as a file first"
                )
            if given.exists():
                return self._files([given])
            matches = sorted(map(Path, glob.glob(str(given), recursive=True)))
            folders = [match for match in matches if match.is_dir()]
            pictures = self._files(p for p in matches if p not in folders and self._is_picture(p, p.parent))
            found = pictures + [source for folder in folders for source in self._below(folder, folder)]
        except OSError as error:
            raise ImageError(f"{given}: cannot be read ({error.strerror})") from error
        if not matches:
            raise ImageError(f"{given}: no such file or folder, and no picture matches it as a pattern")
        if not found:
            raise ImageError(f"{given}: no picture matches; expected {', '.join(SUFFIXES)}")
        return found

    def _folder(self, folder: Path) -> list[Source]:
        found = list(self._below(folder, folder))
        if not found and not self._is_output(folder):
            below = " or below it" if self.recursive else ""
            more = "; add recursive=True for those in its folders" if self.passed.folders else ""
            raise ImageError(
                f"{folder}: no picture in this folder{below}; expected {', '.join(SUFFIXES)}{more}"
            )
        return found

    def _files(self, paths: Iterator[Path] | Sequence[Path]) -> list[Source]:
        """Files that are named one by one; a shell's * also names the manifest and results of a run."""
        return [Source(path, path.parent) for path in paths if not self._is_earlier(path)]

    def _below(self, folder: Path, root: Path, above: frozenset[Path] = frozenset()) -> Iterator[Source]:
        """The pictures in a folder, in name order, and below it if all are wanted. Hidden files and folders
        are passed over in silence, and so is the folder of the results."""
        above |= {folder.resolve()}
        folders = []
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                folders.append(path)
            elif self._is_picture(path, root) and not self._is_earlier(path):
                yield Source(path, root)
        for path in folders:
            if self._is_output(path) or path.resolve() in above:  # the latter is a link to a folder above it
                continue
            if self.recursive:
                yield from self._below(path, root, above)
            else:
                self.passed.folders.append(path.relative_to(root))

    def _is_picture(self, path: Path, root: Path) -> bool:
        picture = path.suffix.lower() in SUFFIXES and (path.is_file() or not path.exists())
        if not picture and path.name != MANIFEST:
            self.passed.others.append(path.relative_to(root))
        return picture

    def _is_earlier(self, path: Path) -> bool:
        """Whether it is the manifest of some run, or a result in this one's output folder."""
        result = path.parent.resolve() / path.name in self.results
        if result:
            self.passed.results.append(path)
        return result or path.name == MANIFEST

    def _is_output(self, folder: Path) -> bool:
        return folder.resolve() == self.output

    def tell(self, note: Note) -> None:
        self.passed.tell(note)


@dataclass
class _Passed:
    others: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)

    def tell(self, note: Note) -> None:
        if self.others:
            note(f"passed over {_count(self.others, 'file', 'that is not an image', 'that are not images')}")
        if self.folders:
            note(f"passed over {_count(self.folders, 'folder')}; add recursive=True for the pictures in them")
        if self.results:
            note(f"passed over {_count(self.results, 'result', 'of an earlier run', 'of an earlier run')}")


def _count(paths: Sequence[Path], noun: str, one: str = "", several: str = "") -> str:
    """3 files that are not images: a.txt, b.txt, c.txt."""
    names = [str(path) for path in paths[:NAMED]]
    names += [f"{len(paths) - NAMED} more"] * (len(paths) > NAMED)
    words = f"1 {noun} {one}" if len(paths) == 1 else f"{len(paths)} {noun}s {several}"
    return f"{words.rstrip()}: {', '.join(names)}"


def _results(output: Path) -> set[Path]:
    """What an earlier run wrote to `output`, as far as its manifest can be read."""
    try:
        files = parse(read_text(output / MANIFEST))["files"]
        names = [name for entry in files.values() for name in entry.get("outputs", [])]
        return {path.parent.resolve() / path.name for path in (output / name for name in names)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def unique_names(sources: Sequence[Source], outputs: Callable[[Source, Path], Sequence[Path]]) -> list[Path]:
    """The name of each result in the output folder, without a suffix; `outputs` are the files it stands for.

    STEM, or SUB/FOLDER/STEM of a file below a folder. Where files of different folders would get one name,
    all names begin at the folder that the inputs share; where files of one folder still do, theirs end in
    the suffix of the input: a-png, a-jpg.
    """
    names = [source.name for source in sources]
    if any(len({sources[i].path.parent for i in group}) > 1 for group in _clashes(sources, names, outputs)):
        names = _from_shared(sources)
    while clashing := {i for group in _clashes(sources, names, outputs) for i in group}:
        longer = [n.with_name(_longer(sources[i], n)) if i in clashing else n for i, n in enumerate(names)]
        if longer == names:
            break  # who writes the results refuses them
        names = longer
    return names


def _clashes(
    sources: Sequence[Source], names: Sequence[Path], outputs: Callable[[Source, Path], Sequence[Path]]
) -> list[list[int]]:
    """Those that would be written to one place, by their numbers."""
    owners: dict[Path, list[int]] = {}
    for i, (source, name) in enumerate(zip(sources, names, strict=True)):
        for target in outputs(source, name):
            owners.setdefault(target, []).append(i)
    return [group for group in owners.values() if len(group) > 1]


def _from_shared(sources: Sequence[Source]) -> list[Path]:
    roots = [os.path.abspath(source.root) for source in sources]
    shared = Path(os.path.commonpath(roots))
    return [Path(root).relative_to(shared) / source.name for root, source in zip(roots, sources, strict=True)]


def _longer(source: Source, name: Path) -> str:
    ending = source.path.suffix.replace(".", "-")
    return name.name if name.name.endswith(ending) and name.name != source.path.stem else name.name + ending

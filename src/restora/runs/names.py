"""What the results of many inputs are called: no two are written to one place, and none over an input."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from restora.errors import OutputError
from restora.pictures.places import real
from restora.runs.inputs import Source

Claims = Callable[[Path], Sequence[str]]
Outputs = Callable[[int, Path], Sequence[Path]]


class Names:
    """The name of the results of each input in the output folder, without a suffix.

    STEM, or SUB/FOLDER/STEM of a file below a folder. Where files of different folders would get one name,
    all names begin at the folder that the inputs share; where files of one folder still do, theirs end in
    the suffix of the input: a-png, a-jpg.

    claims: the files that a name stands for, but for their suffixes; outputs: with them, for which the head
    of the input has to be read. `fixed`: the name, if it is given.
    """

    def __init__(
        self, sources: Sequence[Source], claims: Claims, outputs: Outputs, fixed: Path | None = None
    ):
        self.sources, self._claims, self._outputs, self._fixed = sources, claims, outputs, fixed
        self._shared: Path | None = None
        self._longer: dict[int, Path] = {}  # the others are made when they are asked for
        clashes = self._clashes()
        if any(len({sources[i].folder for i in group}) > 1 for group in clashes):
            roots = {source.root for source in sources}
            self._shared = Path(os.path.commonpath([os.path.abspath(str(root)) for root in roots]))
            clashes = self._clashes()
        while clashing := {i for group in clashes for i in group}:
            longer = {i: _longer(sources[i], self.of(i)) for i in clashing}
            if all(longer[i] == self.of(i) for i in clashing):
                break  # `check` refuses them
            self._longer |= longer
            clashes = self._clashes()

    def of(self, i: int) -> Path:
        """That of input number i."""
        if self._fixed is not None:
            return self._fixed
        if i in self._longer:
            return self._longer[i]
        source = self.sources[i]
        if self._shared is None:
            return source.name
        return Path(os.path.abspath(str(source.root))).relative_to(self._shared) / source.name

    def check(self) -> None:
        """OutputError where two files would be written to one place."""
        for first, second, *_ in self._clashes():
            ours = self._outputs(first, self.of(first))
            (target, *_) = [path for path in self._outputs(second, self.of(second)) if path in ours]
            raise OutputError(
                f"{self.sources[first].path} and {self.sources[second].path} would both be written to "
                f"{target}; rename one, or use two output folders"
            )

    def _clashes(self) -> list[list[int]]:
        """Those that would be written to one place, by their numbers."""
        owners: dict[Path, list[int]] = defaultdict(list)
        for i in self._alike():
            for target in self._outputs(i, self.of(i)):
                owners[target].append(i)
        return [group for group in owners.values() if len(group) > 1]

    def _alike(self) -> list[int]:
        """Those of which others have the same claim; a number stands for each, so that many fit in memory."""
        every = range(len(self.sources))
        keys = np.fromiter((hash(claim) for i in every for claim in self._claims(self.of(i))), np.int64)
        keys.sort()
        twice = set(keys[1:][keys[1:] == keys[:-1]].tolist())
        if not twice:
            return []
        return [i for i in every if any(hash(claim) in twice for claim in self._claims(self.of(i)))]


def _longer(source: Source, name: Path) -> Path:
    stem, dot, suffix = source.file.rpartition(".")
    ending = f"-{suffix}" if stem and dot else ""
    if name.name.endswith(ending) and name.name != Path(source.file).stem:
        return name
    return name.with_name(name.name + ending)


class Planned(Protocol):
    """What is asked of inputs here."""

    sources: list[Source]
    folder: Path

    def __len__(self) -> int: ...
    def claims(self, i: int) -> list[str]: ...
    def name(self, i: int) -> Path: ...
    def outputs(self, i: int) -> Sequence[Path]: ...
    def partner_paths(self, i: int) -> Iterable[Path]: ...


def check_overwriting(inputs: Planned) -> None:
    """OutputError where a result would be written over an input, or over a file that belongs to one."""
    groups: dict[tuple[Path, Path], list[int]] = defaultdict(list)
    for i, source in enumerate(inputs.sources):
        groups[source.folder, inputs.name(i).parent].append(i)
    targets = {place: str(real(inputs.folder / place)) for _, place in groups}
    taken: dict[str, set[str]] = {folder: set() for folder in targets.values()}

    def take(path: Path | str) -> None:
        folder, name = os.path.split(str(path))
        if (real := os.path.realpath(folder)) in taken:
            taken[real].add(name)

    for (folder, _), numbers in groups.items():
        inside = str(real(folder)) in taken
        for file in (os.path.join(str(folder), inputs.sources[i].file) for i in numbers):
            if inside:
                take(file)
            if os.path.islink(file):
                take(os.path.realpath(file))
        beside = any(str(real(path.parent)) in taken for path in inputs.partner_paths(numbers[0]))
        for path in (path for i in numbers if beside for path in inputs.partner_paths(i)):
            take(path)
    stems = {folder: {os.path.splitext(name)[0] for name in names} for folder, names in taken.items()}
    for (_, place), numbers in groups.items():
        own = stems[targets[place]]
        for i in numbers if own else ():
            if any(os.path.basename(claim) in own for claim in inputs.claims(i)):
                _check_item(inputs.outputs(i), taken[targets[place]])


def _check_item(outputs: Iterable[Path], taken: set[str]) -> None:
    for target in outputs:
        if target.name in taken:
            raise OutputError(
                f"{target}: this input would be overwritten by a result; choose another output folder"
            )

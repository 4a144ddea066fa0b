"""The files that belong to pictures: for each field that is a picture, such as the mask, one for all or a
folder with one of the same name for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from restora.errors import MaskError
from restora.pictures import formats, masks, places
from restora.pictures.file import File
from restora.pictures.picture import Picture

HERE = Path()


@dataclass(frozen=True)
class Partners:
    """sources: a file or a folder for each field. grow: pixels by which masks are widened. A file of more
    than `max_pixels` is refused."""

    sources: dict[str, Path]
    grow: int
    max_pixels: int
    _sheets: dict[str, masks.Sheet] = field(default_factory=dict, init=False, repr=False, compare=False)
    _found: dict[Any, masks.Found] = field(default_factory=dict, init=False, repr=False, compare=False)

    def check(self) -> None:
        """A RestoraError for a file for all pictures that is no mask."""
        for name, file in self._for_all.items():
            self._sheet(name, file).check()

    def of(self, path: Path, place: Path = HERE) -> dict[str, File]:
        """Those of the picture at `path`, by the field they are for. `place`: of the result in its folder,
        and so of the partner in its own."""
        folders = {n: s / place for n, s in self.sources.items() if n not in self._for_all}
        own = {name: File(_partner(folder, path)) for name, folder in folders.items()}
        return own | self._for_all

    def find(self, name: str, file: File, path: Path, picture: Picture) -> masks.Found:
        """What `file` says is missing in the picture at `path`."""
        sheet = self._sheet(name, file, path)
        if name not in self._for_all or not sheet.is_plain:
            return sheet.find(picture, path.name, self.grow)
        key = name, picture.size  # the same for all pictures of this size
        if key not in self._found:
            self._found[key] = sheet.find(picture, path.name, self.grow)
        return self._found[key]

    @cached_property
    def _for_all(self) -> dict[str, File]:
        """The files that are for all pictures."""
        return {name: File(source) for name, source in self.sources.items() if not source.is_dir()}

    def _sheet(self, name: str, file: File, path: Path | None = None) -> masks.Sheet:
        if name in self._sheets:  # the same for all pictures
            return self._sheets[name]
        if path is not None and not places.exists(file.path):
            raise MaskError(f"{path.name}: no mask for it in {file.path.parent}; expected {file.path}")
        sheet = masks.read_sheet(file, max_pixels=self.max_pixels)
        if name in self._for_all:
            self._sheets[name] = sheet
        return sheet


def _partner(folder: Path, path: Path) -> Path:
    """The file in `folder` with the name of `path`, or its stem; STEM.png where there is none."""
    suffixes = [s for suffix in formats.SUFFIXES for s in (suffix, suffix.upper())]
    candidates = [folder / f"{path.stem}{suffix}" for suffix in (path.suffix, *suffixes)]
    return next(filter(places.exists, candidates), candidates[1])

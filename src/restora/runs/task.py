"""A task as people state it: a name, options, and perhaps a mask for each picture -> a Degradation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.degradations import Degradation, Mask, NamedDegradation, degradations, named
from restora.degradations.holes import Hole
from restora.errors import MaskError, OptionError, RestoraError, ShapeError
from restora.operators.base import Shape
from restora.pictures import decoding, formats, masks
from restora.pictures.file import File
from restora.pictures.picture import Picture
from restora.plan import Plan

USUAL = (64, 64)  # pixels a side, where no size is known
PLAIN = masks.Reading()
HERE = Path()


@dataclass(frozen=True)
class Task:
    """`name` is a registered degradation, `options` are its fields. A field that is a picture (the mask)
    is given as a file for all pictures, or as a folder with a file of the same stem for each, or as "alpha",
    the transparent parts of each picture; or as a `hole` with a name, and its settings among the options.
    `reading`: how the files of masks are read. The noise of `denoise` may be "auto": found in each picture.
    Pictures and masks of more than `max_pixels` are refused.

    Bad options, and a file for all pictures that is no mask, raise a RestoraError at once.
    """

    name: str
    options: dict[str, Any]
    hole: str | None = None
    max_pixels: int = decoding.MAX_PIXELS
    reading: masks.Reading = PLAIN
    _sheets: dict[str, masks.Sheet] = field(default_factory=dict, init=False, repr=False, compare=False)
    _found: dict[Any, masks.Found] = field(default_factory=dict, init=False, repr=False, compare=False)
    _last: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        takes_mask = issubclass(self.cls, Mask)
        if self.hole and not takes_mask:
            raise OptionError(f"an option of inpaint; task {self.name!r} has no such option", "hole")
        if takes_mask and (self.hole is None) == ("mask" not in self.options):
            came = "neither" if self.hole is None else "both"
            raise OptionError(
                "inpaint needs to know what is missing: either mask=FILE|DIR|alpha or hole=center, "
                f"got {came}"
            )
        if self.reading.grow and "mask" not in self.options:
            raise OptionError("it widens a mask; expected mask=FILE|DIR|alpha with it", "grow")
        if takes_mask:
            self._hole()
        for name, file in self._for_all.items():
            self._sheet(name, file).check()
        self.degradation([self._stand_ins((1, 1))])

    @property
    def cls(self) -> type[NamedDegradation]:
        return degradations.get(self.name)

    @property
    def auto(self) -> bool:
        """Whether the level of the noise is to be found in each picture."""
        return self.options.get("sigma") == named.AUTO

    @property
    def of_file(self) -> bool:
        """Whether it undoes how the file itself stores a picture, such as the blocks of a JPEG."""
        return any(entry.metadata.get("from_file") for entry in fields(self.cls))

    def images(self, files: Iterable[File]) -> Shape | None:
        """The shape (C, H, W) of the colour images behind the observations in `files`, as far as their heads
        tell; H = W = 0 where they differ or cannot be, None where none tells."""
        sizes = {file.head.size for file in files} - {None}
        found = {self._behind(size) for size in sizes if size} - {None}
        return next(iter(found)) if len(found) == 1 else (3, 0, 0) if sizes else None

    def _behind(self, size: tuple[int, int]) -> Shape | None:
        for channels in (3, 1):
            with contextlib.suppress(RestoraError):
                return self.example(size).operator.image_shape((channels, *size))
        return None

    def check(self, plan: Plan, images: Shape | None = None) -> None:
        """ShapeError if no observation of the prior's images, of one size, can be made with these options,
        PairingError if the method has no answer to the task. `images`: those of the files, if it is known."""
        prior = plan.prior
        if prior is None or prior.any_size:
            plan.check(self.example(images[1:] if images and all(images) else USUAL))
            return
        example = self.example(prior.image_shape[1:])
        plan.check(example)
        try:
            example.operator.observed_shape(prior.image_shape)
        except ShapeError as error:
            raise ShapeError(f"task {self.name!r} does not fit prior {prior.name!r}: {error}") from error

    def example(self, size: tuple[int, ...] = USUAL) -> Degradation:
        """What solvers see, for images of (height, width) `size`, with stand-ins for the masks of files."""
        pictures = self._named(size) if self.hole else self._stand_ins(size)
        return named.seen(self.degradation([pictures]), size)

    def pictures(
        self,
        path: Path,
        picture: Picture,
        partners: Mapping[str, File] | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> dict[str, Tensor]:
        """The per-image fields for the picture at `path`: {} but for masks. `partners`: the files that belong
        to it, if they have been looked up. `note` is told what to know of how they were read."""
        if self.hole:
            return self._named(picture.size)
        files = self.partners(path) if partners is None else partners
        found = {name: self._find(name, file, path, picture) for name, file in files.items()}
        if self.of_alpha:
            found["mask"] = masks.of_alpha(picture, str(path), self.reading.grow)
        for text in (text for mask in found.values() for text in mask.notes):
            note(text)
        return {name: mask.observed[None] for name, mask in found.items()}

    def partners(self, path: Path, place: Path = HERE) -> dict[str, File]:
        """The files that belong to the picture at `path`, by the field they are for. `place`: of the result
        in its folder, and so of the partner in its own."""
        folders = {n: s / place for n, s in self._sources().items() if n not in self._for_all}
        own = {name: File(_partner(folder, path)) for name, folder in folders.items()}
        return own | self._for_all

    def degradation(self, pictures: Sequence[dict[str, Any]]) -> Degradation:
        """That of a batch whose images have these per-image fields; what is no tensor, all alike.

        The last one is kept: the same fields give the same degradation.
        """
        stacked = {
            name: _together([p[name] for p in pictures]) if isinstance(value, Tensor) else value
            for name, value in pictures[0].items()
        }
        for known, degradation in self._last:
            if _same(known, stacked):
                return degradation
        degradation = named.build(self.name, USUAL, {**self._own(), **stacked})
        self._last[:] = [(stacked, degradation)]
        return degradation

    def facts(self) -> dict[str, Any]:
        """What the manifest says of this task: all its settings, also those left at their default."""
        settings = {f.name: f.default for f in fields(self.cls) if f.init and not f.metadata.get("per_image")}
        given = {k: str(v) if isinstance(v, Path) else v for k, v in self.options.items()}
        grow = {"grow": self.reading.grow} if "mask" in self.options else {}
        return {"task": self.name, **settings, **given, **grow, **(self._hole().options if self.hole else {})}

    def _own(self) -> dict[str, Any]:
        """The options that are the same for all pictures."""
        hole = {"hole": self.hole} if self.hole else {}
        pictures = {f.name for f in self._picture_fields()}
        return {**{k: v for k, v in self.options.items() if k not in pictures}, **hole}

    @property
    def of_alpha(self) -> bool:
        """Whether the transparent parts of a picture are its mask."""
        return self.options.get("mask") == masks.ALPHA

    def _sources(self) -> dict[str, Path]:
        given = {f.name: self.options.get(f.name) for f in self._picture_fields()}
        return {name: source for name, source in given.items() if isinstance(source, Path)}

    @cached_property
    def _for_all(self) -> dict[str, File]:
        """The files that are for all pictures."""
        return {name: File(source) for name, source in self._sources().items() if not source.is_dir()}

    def _hole(self) -> Hole:
        return Hole.of(self._own())

    def _named(self, size: tuple[int, ...]) -> dict[str, Tensor]:
        return {"mask": self._hole().mask((size[0], size[1]))}

    def _stand_ins(self, size: tuple[int, ...]) -> dict[str, Tensor]:
        return {f.name: _ones(size[0], size[1]) for f in self._picture_fields()}

    def _picture_fields(self) -> list[Field[Any]]:
        return [f for f in fields(self.cls) if _is_picture(f)]

    def _find(self, name: str, file: File, path: Path, picture: Picture) -> masks.Found:
        sheet = self._sheet(name, file, path)
        if name not in self._for_all or not sheet.is_plain:
            return sheet.find(picture, path.name, self.reading.grow)
        key = name, picture.size  # the same for all pictures of this size
        if key not in self._found:
            self._found[key] = sheet.find(picture, path.name, self.reading.grow)
        return self._found[key]

    def _sheet(self, name: str, file: File, path: Path | None = None) -> masks.Sheet:
        if name in self._sheets:  # the same for all pictures
            return self._sheets[name]
        if path is not None and not file.path.exists():
            raise MaskError(f"{path.name}: no mask for it in {file.path.parent}; expected {file.path}")
        sheet = masks.read_sheet(file, max_pixels=self.max_pixels)
        if name in self._for_all:
            self._sheets[name] = sheet
        return sheet


@lru_cache(maxsize=4)
def _ones(height: int, width: int) -> Tensor:
    """A mask that hides nothing; not to be written to."""
    return torch.ones(1, 1, height, width)


def _together(values: Sequence[Tensor]) -> Tensor:
    """Those of a batch; one for all where they are the same, since solvers then look at A but once."""
    same = all(value is values[0] or torch.equal(value, values[0]) for value in values[1:])
    return values[0] if same else torch.cat(list(values))


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two degradations of one task have the same fields: tensors that are one object, other values
    that are equal."""
    return a.keys() == b.keys() and all(
        a[k] is b[k] or (not isinstance(a[k], Tensor) and a[k] == b[k]) for k in a
    )


def _is_picture(entry: Field[Any]) -> bool:
    return bool(entry.metadata.get("per_image")) and not entry.metadata.get("from_file")


def _partner(folder: Path, path: Path) -> Path:
    """The file in `folder` with the name of `path`, or its stem; STEM.png where there is none."""
    suffixes = [s for suffix in formats.SUFFIXES for s in (suffix, suffix.upper())]
    candidates = [folder / f"{path.stem}{suffix}" for suffix in (path.suffix, *suffixes)]
    return next(filter(Path.exists, candidates), candidates[1])

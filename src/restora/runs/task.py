"""A task as people state it: a name, options, and perhaps a mask for each picture -> a Degradation."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.pictures import decoding
from restora.pictures import image
from restora.degradations import AdditiveNoise, Degradation, Mask, UnknownNoise, degradations
from restora.degradations.base import Shape
from restora.degradations.holes import HOLES, Hole
from restora.degradations.named import HOLE_OPTIONS
from restora.errors import MaskError, OptionError, RestoraError, ShapeError
from restora.priors import Prior

AUTO = "auto"


@dataclass(frozen=True)
class Task:
    """`name` is a registered degradation, `options` are its fields. A field that is a picture (the mask)
    is given as a file for all pictures, or as a folder with a file of the same stem for each; or as a `hole`
    that has a name, with its settings among the options. The noise of `denoise` may be "auto": found in each
    picture. Pictures and masks of more than `max_pixels` are refused.

    Bad options, and a file for all pictures that is no mask, raise a RestoraError at once.
    """

    name: str
    options: dict[str, Any]
    hole: str | None = None
    max_pixels: int = decoding.MAX_PIXELS

    def __post_init__(self) -> None:
        takes_mask = issubclass(self.cls, Mask)
        if self.auto and not issubclass(self.cls, AdditiveNoise):
            raise OptionError(
                f"sigma: 'auto' is for denoise; task {self.name!r} expects a number, full scale = 1"
            )
        if self.hole and not takes_mask:
            raise OptionError(f"--hole is an option of inpaint; task {self.name!r} has no such option")
        if takes_mask and (self.hole is None) == ("mask" not in self.options):
            came = "neither" if self.hole is None else "both"
            raise OptionError(
                f"inpaint needs to know what is missing: either --mask FILE|DIR or --hole "
                f"{'|'.join(HOLES)}, got {came}"
            )
        if takes_mask:
            self._hole()
        for source in self._sources().values():
            if not source.is_dir():
                image.read_mask(source, max_pixels=self.max_pixels)
        self.degradation([self._stand_ins((1, 1))])

    @property
    def cls(self) -> type[Degradation]:
        return degradations.get(self.name)

    @property
    def auto(self) -> bool:
        """Whether the level of the noise is to be found in each picture."""
        return self.options.get("sigma") == AUTO

    def images(self, files: Sequence[Path]) -> Shape | None:
        """The shape (C, H, W) of the colour images behind the observations in `files`, as far as their heads
        tell; H = W = 0 where they differ or cannot be, None where none tells."""
        sizes = {image.size(path) for path in files} - {None}
        found = {self._behind(size) for size in sizes if size} - {None}
        return next(iter(found)) if len(found) == 1 else (3, 0, 0) if sizes else None

    def _behind(self, size: tuple[int, int]) -> Shape | None:
        for channels in (3, 1):
            with contextlib.suppress(RestoraError):
                return self.example(size).image_shape((channels, *size))
        return None

    def check(self, prior: Prior) -> None:
        """ShapeError if no observation of the prior's images, of one size, can be made with these options."""
        if prior.any_size:
            return
        try:
            self.example(prior.image_shape[1:]).observed_shape(prior.image_shape)
        except ShapeError as error:
            raise ShapeError(f"task {self.name!r} does not fit prior {prior.name!r}: {error}") from error

    def example(self, size: tuple[int, ...] = (64, 64)) -> Degradation:
        """What solvers see, for images of (height, width) `size`, with stand-ins for the masks of files."""
        pictures = self._named(size) if self.hole else self._stand_ins(size)
        return self.degradation([pictures]).example(size)

    def pictures(self, path: Path, size: tuple[int, int]) -> dict[str, Tensor]:
        """The per-image fields for the picture at `path`, of (height, width) `size`: {} but for masks."""
        if self.hole:
            return self._named(size)
        return {name: self._mask(file, path, size) for name, file in self.partners(path).items()}

    def partners(self, path: Path) -> dict[str, Path]:
        """The files that belong to the picture at `path`, by the field they are for."""
        return {
            name: _partner(source, path) if source.is_dir() else source
            for name, source in self._sources().items()
        }

    def degradation(self, pictures: Sequence[dict[str, Any]]) -> Degradation:
        """That of a batch whose images have these per-image fields; what is no tensor, all alike."""
        if self.auto:
            return UnknownNoise()
        own = {name: value for name, value in self.options.items() if name not in HOLE_OPTIONS}
        stacked = {
            name: _together([p[name] for p in pictures]) if isinstance(value, Tensor) else value
            for name, value in pictures[0].items()
        }
        return self.cls(**{**own, **stacked})

    def facts(self) -> dict[str, Any]:
        """What the manifest says of this task: all its settings, also those left at their default."""
        settings = {f.name: f.default for f in fields(self.cls) if f.init and not f.metadata.get("per_image")}
        given = {k: str(v) if isinstance(v, Path) else v for k, v in self.options.items()}
        return {"task": self.name, **settings, **given, **(self._hole().options if self.hole else {})}

    def _sources(self) -> dict[str, Path]:
        return {f.name: self.options[f.name] for f in self._picture_fields() if f.name in self.options}

    def _hole(self) -> Hole:
        return Hole.of({**self.options, **({"hole": self.hole} if self.hole else {})})

    def _named(self, size: tuple[int, ...]) -> dict[str, Tensor]:
        return {"mask": Mask.named(self._hole(), (size[0], size[1])).mask}

    def _stand_ins(self, size: tuple[int, ...]) -> dict[str, Tensor]:
        return {f.name: torch.ones(1, 1, *size) for f in self._picture_fields()}

    def _picture_fields(self) -> list[Field[Any]]:
        return [f for f in fields(self.cls) if _is_picture(f)]

    def _mask(self, file: Path, path: Path, size: tuple[int, int]) -> Tensor:
        if not file.exists():
            raise MaskError(f"{path.name}: no mask for it in {file.parent}; expected {file}")
        mask = image.read_mask(file, max_pixels=self.max_pixels)
        if tuple(mask.shape[-2:]) != size:
            raise MaskError(
                f"{file}: the mask is {mask.shape[-1]}x{mask.shape[-2]} but {path.name} is "
                f"{size[1]}x{size[0]}; expected the same size"
            )
        return mask[None]


def _together(values: Sequence[Tensor]) -> Tensor:
    """Those of a batch; one for all where they are the same, since solvers then look at A but once."""
    same = all(torch.equal(value, values[0]) for value in values[1:])
    return values[0] if same else torch.cat(list(values))


def _is_picture(entry: Field[Any]) -> bool:
    return bool(entry.metadata.get("per_image")) and not entry.metadata.get("from_file")


def _partner(folder: Path, path: Path) -> Path:
    """The file in `folder` with the stem of `path`; STEM.png where there is none."""
    candidates = [
        folder / f"{path.stem}{s}" for suffix in decoding.SUFFIXES for s in (suffix, suffix.upper())
    ]
    return next(filter(Path.exists, candidates), candidates[0])

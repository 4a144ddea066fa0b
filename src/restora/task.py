"""A task as people state it: a name, options, and perhaps a mask for each picture -> a Degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora import image
from restora.degradations import Degradation, Mask, degradations
from restora.errors import MaskError, OptionError


@dataclass(frozen=True)
class Task:
    """`name` is a registered degradation, `options` are its fields. A field that is a picture (the mask)
    is given as a file for all pictures, or as a folder with a file of the same stem for each."""

    name: str
    options: dict[str, Any]
    hole: str | None = None

    def __post_init__(self) -> None:
        takes_mask = issubclass(self.cls, Mask)
        if self.hole and not takes_mask:
            raise OptionError(f"--hole is an option of inpaint; task {self.name!r} has no such option")
        if takes_mask and (self.hole is None) == ("mask" not in self.options):
            raise OptionError("inpaint needs to know what is missing: either --mask FILE|DIR or --hole center")
        if not takes_mask:
            self.cls(**self.options)  # bad values are reported before any file is read

    @property
    def cls(self) -> type[Degradation]:
        return degradations.get(self.name)

    def pictures(self, path: Path, size: tuple[int, int]) -> dict[str, Tensor]:
        """The per-image fields for the picture at `path`, of (height, width) `size`: {} but for masks."""
        if self.hole:
            return {"mask": Mask.center(size).mask}
        names = [f.name for f in fields(self.cls) if f.metadata.get("per_image")]
        return {name: self._mask(self.options[name], path, size) for name in names}

    def degradation(self, pictures: Sequence[dict[str, Tensor]]) -> Degradation:
        """The degradation of a batch whose images have these per-image fields."""
        stacked = {name: torch.cat([p[name] for p in pictures]) for name in pictures[0]}
        return self.cls(**{**self.options, **stacked})

    def _mask(self, source: Path, path: Path, size: tuple[int, int]) -> Tensor:
        file = _partner(source, path) if source.is_dir() else source
        mask = image.read_mask(file)
        if tuple(mask.shape[-2:]) != size:
            raise MaskError(
                f"{file}: the mask is {mask.shape[-1]}x{mask.shape[-2]} but {path.name} is {size[1]}x{size[0]}; "
                "expected the same size"
            )
        return mask[None]

    def facts(self) -> dict[str, Any]:
        """What the manifest says of this task."""
        options = {k: str(v) if isinstance(v, Path) else v for k, v in self.options.items()}
        return {"task": self.name, **options, **({"hole": self.hole} if self.hole else {})}


def _partner(folder: Path, path: Path) -> Path:
    """The file in `folder` with the stem of `path`."""
    for suffix in image.SUFFIXES:
        if (file := folder / f"{path.stem}{suffix}").exists():
            return file
    raise MaskError(f"{path.name}: no mask for it in {folder}; expected {folder / path.stem}.png")

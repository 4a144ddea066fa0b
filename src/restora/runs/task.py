"""A task as people state it: a name, options, and perhaps a mask for each picture -> a Degradation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from restora import inspection, limits
from restora.degradations import Degradation, Mask, NamedDegradation, degradations, named
from restora.degradations.holes import Hole
from restora.degradations.members import shares
from restora.errors import OptionError, RestoraError, ShapeError
from restora.operators import Identity, Operator, compose
from restora.operators.base import Shape
from restora.pictures import masks
from restora.pictures.file import File
from restora.pictures.picture import Picture
from restora.plan import Plan
from restora.runs.fields import ones, same, together
from restora.runs.partners import HERE, Partners
from restora.runs.shapes import images_of

USUAL, PLAIN = (64, 64), masks.Reading()  # pixels a side, where no size is known


@dataclass(frozen=True)
class Task:
    """`name` is a registered degradation, or several joined by +, `options` are its fields. A field that is a
    picture (the mask) is given as a file for all pictures, or as a folder with a file of the same stem for
    each, or as "alpha", the transparent parts of each picture; or as a `hole` with a name, and its settings
    among the options. `reading`: how the files of masks are read. Options that are "auto" are found in each
    picture. Pictures and masks of more than `max_pixels` are refused.

    Bad options, and a file for all pictures that is no mask, are a RestoraError at once.
    """

    name: str
    options: dict[str, Any]
    hole: str | None = None
    max_pixels: int = limits.MAX_PIXELS
    reading: masks.Reading = PLAIN
    _last: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.hole and not self.takes_mask:
            raise OptionError(f"an option of inpaint; task {self.name!r} has no such option", "hole")
        if self.takes_mask and (self.hole is None) == ("mask" not in self.options):
            came = "neither" if self.hole is None else "both"
            raise OptionError(
                f"inpaint needs the missing area: either mask=FILE|DIR|alpha or hole=center, got {came}"
            )
        if self.reading.grow and "mask" not in self.options:
            raise OptionError("it only works together with mask=FILE|DIR|alpha", "grow")
        if self.takes_mask:
            self._hole()
        self._partners.check()
        _ = self._settings

    @cached_property
    def members(self) -> dict[str, type[NamedDegradation]]:
        """The tasks that are joined in this one."""
        return {name: degradations.get(name) for name in named.members(self.name)}

    @property
    def takes_mask(self) -> bool:
        return any(issubclass(cls, Mask) for cls in self.members.values())

    @property
    def auto(self) -> bool:
        """Whether anything is to be found in each picture."""
        return named.AUTO in self.options.values()

    @property
    def of_noise(self) -> bool:
        """Whether all that is found in a picture is its noise, which is all that is wrong with it."""
        return self.auto and set(self.members) == {"denoise"}

    @cached_property
    def sought(self) -> list[str]:
        """The options that are found in each picture before it is restored; Gaussian noise that comes last is
        found by itself, with all that it has of its own."""
        names = [name for name, value in self.options.items() if value == named.AUTO]
        tasks = list(self.members)
        last = "denoise" in tasks and set(tasks[tasks.index("denoise") + 1 :]) <= {"inpaint"}
        return [name for name in names if name != "sigma" or not last]

    @property
    def of_file(self) -> bool:
        """Whether it undoes how the file itself stores a picture, such as the blocks of a JPEG."""
        return any(entry.metadata.get("from_file") for cls in self.members.values() for entry in fields(cls))

    def told(self, file: File, picture: Picture) -> dict[str, Any]:
        """The options that the file of an observation tells, and those that are found in the picture."""
        found: dict[str, Any] = {}
        for cls in self.members.values():
            found |= cls.of_file(file)
        sought = [name for name in self.sought if not (name == "quality" and "tables" in found)]
        given = {**self._own(), **found}
        return found | (inspection.fill(self.name, given, sought, picture.pixels) if sought else {})

    def before_mask(self, picture: Picture) -> Picture:
        """The picture that the mask is of, for a clean one: what the tasks before `inpaint` make of it."""
        if isinstance(self._before, Identity):
            return picture
        return Picture(self._before(picture.pixels[None])[0], picture.bits)

    def images(self, files: Iterable[File]) -> Shape | None:
        """The shape (C, H, W) of the colour images behind the observations in `files`, as far as their heads
        tell; H = W = 0 where they differ or cannot be, None where none tells."""
        return images_of(files, self._behind)

    def _behind(self, size: tuple[int, int]) -> Shape | None:
        for channels in (3, 1):
            with contextlib.suppress(RestoraError):
                return self._observing(size).operator.image_shape((channels, *size))
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
        observed: Sequence[int] = size
        with contextlib.suppress(ShapeError):
            _, *observed = self._before.observed_shape((3, *size))
        return named.seen(self._observing(observed), size)

    def _observing(self, size: Sequence[int]) -> Degradation:
        """For observations of (height, width) `size`, with stand-ins for the masks of files."""
        pictures = self._named(size) if self.hole else self._stand_ins(size)
        return self.degradation([pictures])

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
        found = {name: self._partners.find(name, file, path, picture) for name, file in files.items()}
        if self.of_alpha:
            found["mask"] = masks.of_alpha(picture, str(path), self.reading.grow)
        for text in (text for mask in found.values() for text in mask.notes):
            note(text)
        return {name: mask.observed[None] for name, mask in found.items()}

    def partners(self, path: Path, place: Path = HERE) -> dict[str, File]:
        """The files that belong to the picture at `path`, as `Partners.of`."""
        return self._partners.of(path, place)

    def degradation(self, pictures: Sequence[dict[str, Any]]) -> Degradation:
        """That of a batch whose images have these per-image fields; what is no tensor, all alike.

        The last one is kept: the same fields give the same degradation.
        """
        stacked = {
            name: together([p[name] for p in pictures]) if isinstance(value, Tensor) else value
            for name, value in pictures[0].items()
        }
        for known, degradation in self._last:
            if same(known, stacked):
                return degradation
        degradation = named.build(self.name, USUAL, {**self._own(), **stacked})
        self._last[:] = [(stacked, degradation)]
        return degradation

    def facts(self) -> dict[str, Any]:
        """What the manifest says of this task: all its settings, also those left at their default."""
        given = {k: str(v) if isinstance(v, Path) else v for k, v in self.options.items()}
        grow = {"grow": self.reading.grow} if "mask" in self.options else {}
        own = {**self._settings, **given, **grow, **(self._hole().options if self.hole else {})}
        return {"task": self.name, **own, **named.digests(self.name, own)}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """All options that are known, also those left at their default."""
        return named.options(self.degradation([self._stand_ins((1, 1))]))

    def _own(self) -> dict[str, Any]:
        """The options that are known, and the same for all pictures."""
        hole = {"hole": self.hole} if self.hole else {}
        unknown = {*self.sought, *self._pictures}
        return {k: v for k, v in self.options.items() if k not in unknown} | hole

    @property
    def of_alpha(self) -> bool:
        """Whether the transparent parts of a picture are its mask."""
        return self.options.get("mask") == masks.ALPHA

    @cached_property
    def _partners(self) -> Partners:
        sources = {name: self.options.get(name) for name in self._pictures}
        files = {name: source for name, source in sources.items() if isinstance(source, Path)}
        return Partners(files, self.reading.grow, self.max_pixels)

    @cached_property
    def _pictures(self) -> list[str]:
        """The options that are pictures."""
        entries = named.option_fields(self.name).items()
        return [name for name, (entry, _) in entries if entry.metadata.get("per_image")]

    @cached_property
    def _before(self) -> Operator:
        """What happens to an image before a mask hides parts of it."""
        names = list(self.members)
        first = names[: names.index("inpaint")] if "inpaint" in names else []
        if not first:
            return Identity()
        given = {k: v for k, v in self._own().items() if k != "sigma"}
        parts = zip(names, shares(names, given), strict=True)
        return compose(*(named.build(name, USUAL, own).operator for name, own in parts if name in first))

    def _hole(self) -> Hole:
        return Hole.of(self._own())

    def _named(self, size: Sequence[int]) -> dict[str, Tensor]:
        return {"mask": self._hole().mask((size[0], size[1]))}

    def _stand_ins(self, size: Sequence[int]) -> dict[str, Tensor]:
        return {name: ones(size[0], size[1]) for name in self._pictures}

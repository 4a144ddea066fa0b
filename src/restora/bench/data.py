"""The images of a benchmark: N evenly spaced files of folders and zips, of any sizes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from restora.errors import DataError, ImageError, OptionError, ShapeError
from restora.limits import MAX_PIXELS
from restora.metrics import WINDOW
from restora.pictures import image
from restora.random import seed_of
from restora.runs import window
from restora.training.data import Member, extract, members, open_zip
from restora.training.settings import check_channels

Shape = tuple[int, int, int]
MANY = 3  # sizes; where there are more, they are not named one by one


@dataclass(frozen=True)
class Images:
    """The images of a benchmark.

    Attributes:
        truth: N images (C, H, W) in [0, 1].
        names: a different name for each.
        stems: the stems of the files, for seeds.
        errors: one line for each file that could not be read.
        bits: the largest depth of the files.
    """

    truth: list[Tensor]
    names: list[str]
    stems: list[str]
    errors: list[str]
    bits: int = 8

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shapes(self) -> list[Shape]:
        """(C, H, W), each once, in the order in which they come."""
        return list(dict.fromkeys(map(_shape, self.truth)))

    @property
    def size(self) -> str:
        """Width x height of all, as people say it."""
        sizes = [f"{width}x{height}" for _, height, width in sorted(self.shapes, key=math.prod)]
        if len(sizes) > MANY:
            return f"{len(sizes)} sizes from {sizes[0]} to {sizes[-1]}"
        return " and ".join(sizes)

    @property
    def megapixels(self) -> list[float]:
        return [x[0].numel() / 1e6 for x in self.truth]

    def stack(self, rows: Sequence[int]) -> Tensor:
        """(B, C, H, W), of images of one size."""
        return torch.stack([self.truth[i] for i in rows])

    def batches(self, most: int) -> list[list[int]]:
        """All images, in batches of one size, of `most` images and of as many pixels as a batch may have."""
        alike: dict[Shape, list[int]] = {}
        for i, x in enumerate(self.truth):
            alike.setdefault(_shape(x), []).append(i)
        return [part for (_, *size), rows in alike.items() for part in _parts(rows, window.room(size, most))]

    def digest(self) -> str:
        """SHA-256 of names, sizes and pixels."""
        shapes = [_shape(x) for x in self.truth]
        whole = (len(self), *shapes[0]) if len(self.shapes) == 1 else shapes
        found = hashlib.sha256(f"{self.names}{whole}".encode(errors="surrogateescape"))
        for x in self.truth:
            found.update(x.numpy().tobytes())
        return found.hexdigest()

    def seeds(self, rows: Sequence[int], seed: int) -> list[int]:
        """One an image, by the file's stem, whatever files are beside it."""
        return [seed_of(self.stems[i], seed) for i in rows]


def read_images(
    sources: Sequence[Path],
    limit: int | None = None,
    output: Path | None = None,
    channels: int = 3,
    multiple: int = 1,
    max_pixels: float = MAX_PIXELS,
) -> Images:
    """Read the images of folders and zips in name order.

    Args:
        limit: number of images to use, evenly spaced: of M files, image i is number i M // limit.
        output: a folder whose files are ignored.
        channels: number of channels of all images; 1 and 3 are converted to each other.
        multiple: crop each image around its centre, so that its sides are multiples of this.

    Raises:
        OptionError: for invalid numbers.
        DataError: if there are too few images, or none can be read.
        ShapeError: for an image that is too small.
    """
    check_channels(channels)
    if multiple < 1:
        raise OptionError(f"expected at least 1, got {multiple}", "multiple")
    truth: list[Tensor] = []
    stems, errors, bits = [], [], 8
    for member in _chosen(sources, limit, output):
        try:
            picture = image.read(_data(member), channels, member[0], max_pixels)
        except ImageError as error:
            errors.append(str(error))
            continue
        pixels, bits = _cut(picture.pixels, multiple), max(bits, picture.bits)
        if min(pixels.shape[1:]) < WINDOW:
            cut = f", cut to multiples of {multiple}" if multiple > 1 else ""
            raise ShapeError(
                f"{member[0]} is {pixels.shape[-1]}x{pixels.shape[-2]}{cut}; expected images of at least "
                f"{WINDOW}x{WINDOW} pixels"
            )
        truth.append(pixels)
        stems.append(PurePosixPath(member[2] or member[1].name).stem)
    if not truth:
        raise DataError(f"none of {len(errors)} images could be read; the first: {errors[0]}")
    return Images(truth, _distinct(stems), stems, errors, bits)


def _chosen(sources: Sequence[Path], limit: int | None, output: Path | None) -> list[Member]:
    found = [member for member in members(sources) if not _is_inside(member[1], output)]
    if not found:
        raise DataError(f"no image in {', '.join(map(str, sources))} but those in the output folder {output}")
    if limit is None:
        return found
    if limit < 1:
        raise OptionError(f"expected at least 1, got {limit}", "limit")
    if limit > len(found):
        raise DataError(
            f"limit={limit}: expected at least {limit} images in {', '.join(map(str, sources))}, "
            f"got {len(found)}; lower it, or omit it to use all images"
        )
    return [found[i * len(found) // limit] for i in range(limit)]


def _is_inside(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _data(member: Member) -> Path | bytes:
    name, path, inside = member
    if inside is None:
        return path
    with open_zip(path) as archive:
        return extract(archive, inside, name)


def _cut(pixels: Tensor, multiple: int) -> Tensor:
    height, width = (side - side % multiple for side in pixels.shape[1:])
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    return pixels[:, top : top + height, left : left + width]


def _shape(x: Tensor) -> Shape:
    channels, height, width = x.shape
    return channels, height, width


def _parts(rows: Sequence[int], most: int) -> Iterator[list[int]]:
    return (list(rows[start : start + most]) for start in range(0, len(rows), most))


def _distinct(stems: Sequence[str]) -> list[str]:
    """Names for files: the stems, with -2, -3, ... for those that come again."""
    taken: dict[str, None] = {}
    for stem in stems:
        name, count = stem, 1
        while name in taken:
            count += 1
            name = f"{stem}-{count}"
        taken[name] = None
    return list(taken)

"""Training images: files, folders or zips -> tensors, and batches that depend only on (seed, step).

Images are kept as integers, uint8, or uint16 if any of them has more than 8 bits: exact for what files hold,
whichever part of the range it uses, at half the memory of float32.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath, PurePosixPath

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import DataError, ImageError
from restora.limits import BYTES, MAX_PIXELS, UNKNOWN, BoundError, amount
from restora.pictures import image
from restora.pictures.colour import convert, to_integers, to_unit
from restora.pictures.file import read_head
from restora.pictures.formats import SUFFIXES
from restora.pictures.tiff import MAGIC

Member = tuple[str, Path, str | None]


def members(sources: Sequence[Path | str]) -> list[Member]:
    """(display name, path, name in the zip or None) of every image in folders and zips, in name order; of a
    file that is an image, its own.

    Hidden files, and the `__MACOSX` folder that macOS puts into zips, are passed over.
    """
    found: list[Member] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = (p for p in source.rglob("*") if _is_image(p.relative_to(source)) and not p.is_dir())
            found += [(str(p), p, None) for p in sorted(inside)]
        elif zipfile.is_zipfile(source):
            with open_zip(source) as archive:
                names = sorted(n for n in archive.namelist() if _is_image(PurePosixPath(n)))
            found += [(f"{source}/{n}", source, n) for n in names]
        elif source.is_file() and source.suffix.lower() in SUFFIXES:
            found.append((str(source), source, None))
        else:
            state = "is no folder, zip or image" if source.exists() else "does not exist"
            raise DataError(f"{source}: {state}; expected images, or a folder or a zip of images")
    if not found:
        raise DataError(f"no image in {', '.join(map(str, sources))}; expected {', '.join(SUFFIXES)}")
    return found


def load(sources: Sequence[Path | str], size: int, channels: int = 3) -> tuple[Tensor, list[str]]:
    """All images as integers (N, channels, size, size), cropped to the centre square and scaled; and the
    one-line errors of those that could not be read."""
    images, errors = _read(sources, channels, lambda pixels: to_square(pixels, size))
    return torch.stack(images), errors


def load_whole(sources: Sequence[Path | str], size: int, channels: int = 3) -> tuple[list[Tensor], list[str]]:
    """All images as integers (channels, H, W), as they are; and the one-line errors of those that could not
    be read, or have a side of less than `size`."""
    images, errors = _read(sources, channels, lambda pixels: pixels)
    large = [x for x in images if min(x.shape[1:]) >= size]
    if not large:
        raise DataError(
            f"no image has {size} pixels per side (found {len(images)}) to cut {size}x{size} from; "
            "use larger images, or a smaller size"
        )
    if len(large) < len(images):
        count = len(images) - len(large)
        errors.append(f"{count} image{'s' * (count > 1)} with a side of less than {size} pixels")
    return large, errors


def reader(crop: bool) -> Callable[..., tuple[Tensor | list[Tensor], list[str]]]:
    """How images are loaded: whole, if squares are to be cut from them."""
    return load_whole if crop else load


def _read(
    sources: Sequence[Path | str], channels: int, prepare: Callable[[Tensor], Tensor]
) -> tuple[list[Tensor], list[str]]:
    errors: list[str] = []
    images: list[Tensor] = []
    with contextlib.ExitStack() as stack:
        archives: dict[Path, zipfile.ZipFile] = {}
        for name, path, member in members(sources):
            if member is not None and path not in archives:
                archives[path] = stack.enter_context(open_zip(path))
            try:
                data = path if member is None else extract(archives[path], member, name)
                document = image.load(data, name)
                for picture in map(document.picture, range(len(document))):
                    pixels = prepare(convert(picture.over_white(), channels, name))
                    images.append(to_integers(pixels, picture.bits))
            except ImageError as error:
                errors.append(str(error))
    if not images:
        raise DataError(f"none of {len(errors)} images could be read; the first: {errors[0]}")
    return _of_one_depth(images), errors


def _of_one_depth(images: list[Tensor]) -> list[Tensor]:
    if len({x.dtype for x in images}) == 1:
        return images
    return [x if x.dtype == torch.uint16 else to_integers(to_unit(x), 16) for x in images]


def depth(images: Tensor | Sequence[Tensor]) -> int:
    """Bits of the integers of images."""
    return torch.iinfo(images[0].dtype).bits


def _is_image(path: PurePath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() in SUFFIXES


def open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # BadZipFile, or whatever damage to its directory leads to
        raise DataError(f"{path}: cannot be read as a zip ({error})") from error


def extract(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """The bytes of a picture in a zip; ImageError where they cannot be read, or are too many."""
    try:
        with archive.open(member) as file:
            head = file.read(UNKNOWN)
            if len(head) < UNKNOWN or not (head[:4] in MAGIC or read_head(io.BytesIO(head)).size):
                return head
            if (size := archive.getinfo(member).file_size) > (most := BYTES * MAX_PIXELS):
                raise BoundError(f"it has {amount(size)}; at most {amount(most)} are accepted")
            return head + file.read()
    except Exception as error:  # zlib.error, BadZipFile, RuntimeError for a password, ...
        raise ImageError(f"{name}: cannot be read from its zip ({error})") from error


def to_square(pixels: Tensor, size: int) -> Tensor:
    """Centre square of (C, H, W), scaled to size x size with antialiasing; untouched if it fits."""
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[..., top : top + side, left : left + side]
    if side == size:
        return square
    scaled = F.interpolate(square[None], (size, size), mode="bicubic", antialias=True, align_corners=False)
    return scaled[0].clamp(0, 1)


class Order:
    """Endless shuffled rows of `count`: the i-th depends only on the seed and i."""

    def __init__(self, count: int, seed: int):
        self.count, self.seed = count, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __getitem__(self, i: int) -> int:
        epoch, place = divmod(i, self.count)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self.seed * 7_919 + epoch)
            self._epoch, self._order = epoch, torch.randperm(self.count, generator=generator)
        return int(self._order[place])


class Batches:
    """Endless shuffled batches in [-1, 1]: batch `step` depends only on the data, the seed and `step`.

    Each image is mirrored with probability 1/2 and moved by up to `shift` pixels each way (the border
    is repeated), so a run can stop and resume without keeping the state of any random stream.
    """

    def __init__(self, images: Tensor, batch: int, seed: int = 0, shift: int = 1, mirror: bool = True):
        self.images, self.batch, self.seed, self.shift, self.mirror = images, batch, seed, shift, mirror
        self._order = Order(len(images), seed)

    def __getitem__(self, step: int) -> Tensor:
        first = step * self.batch
        rows = torch.tensor([self._order[i] for i in range(first, first + self.batch)])
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        half = torch.iinfo(self.images.dtype).max / 2
        return self._augment(self.images[rows].float(), generator).div_(half).sub_(1)

    def _augment(self, images: Tensor, generator: torch.Generator) -> Tensor:
        n, _, height, width = images.shape
        flips = torch.rand(n, generator=generator) < 0.5
        moves = torch.randint(-self.shift, self.shift + 1, (n, 2), generator=generator)
        if self.mirror:
            images = torch.where(flips.view(n, 1, 1, 1), images.flip(-1), images)
        rows = (torch.arange(height) + moves[:, :1]).clamp(0, height - 1)
        columns = (torch.arange(width) + moves[:, 1:]).clamp(0, width - 1)
        index = torch.arange(n).view(n, 1, 1)
        return images[index, :, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)

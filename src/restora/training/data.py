"""Training images: folders or zips -> tensors, and batches that depend only on (seed, step).

Images are kept as integers, uint8, or uint16 if any of them has more than 8 bits: exact for what files hold,
whichever part of the range it uses, at half the memory of float32.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath, PurePosixPath

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import DataError, ImageError
from restora.pictures.colour import to_integers, to_unit
from restora.pictures.formats import SUFFIXES
from restora.pictures.image import read

Member = tuple[str, Path, str | None]


def members(sources: Sequence[Path | str]) -> list[Member]:
    """(display name, path, name in the zip or None) of every image in folders and zips, in name order.

    Hidden files, and the `__MACOSX` folder that macOS puts into zips, are passed over.
    """
    found: list[Member] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = (p for p in source.rglob("*") if _is_image(p.relative_to(source)) and not p.is_dir())
            found += [(str(p), p, None) for p in sorted(inside)]
        elif zipfile.is_zipfile(source):
            with _open(source) as archive:
                names = sorted(n for n in archive.namelist() if _is_image(PurePosixPath(n)))
            found += [(f"{source}/{n}", source, n) for n in names]
        else:
            state = "is neither a folder nor a zip" if source.exists() else "does not exist"
            raise DataError(f"{source}: {state}; expected a folder of images or a zip of images")
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
        raise DataError(f"no image has {size} pixels a side; expected such, to cut {size}x{size} from them")
    if len(large) < len(images):
        errors.append(f"{len(images) - len(large)} images have a side of less than {size} pixels")
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
                archives[path] = stack.enter_context(_open(path))
            try:
                data = path if member is None else _extract(archives[path], member, name)
                picture = read(data, channels, name)
                images.append(to_integers(prepare(picture.pixels), picture.bits))
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


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read as a zip ({error})") from error


def _extract(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    try:
        return archive.read(member)
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


class Crops:
    """Endless batches of squares cut at random from images of any size, in [-1, 1]: batch `step` depends only
    on the data, the seed and `step`.

    Half of them are pixels as they are; for the others a square of up to SHRINK times the side is made
    smaller, so that things come in all sizes. Each is mirrored and turned by quarters at random.
    """

    SHRINK = 3.0

    def __init__(self, images: Sequence[Tensor], size: int, batch: int, seed: int = 0):
        self.images, self.size, self.batch, self.seed = images, size, batch, seed
        self._order = Order(len(images), seed)

    def __getitem__(self, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        first = step * self.batch
        cut = [self._cut(self.images[self._order[i]], generator) for i in range(first, first + self.batch)]
        return torch.stack(cut).mul_(2).sub_(1)

    def _cut(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Integers (C, H, W) -> (C, size, size) in [0, 1]."""
        height, width = image.shape[1:]
        shrunk, scale, down, across, mirror, turn = torch.rand(6, generator=generator).tolist()
        largest = min(self.SHRINK, min(height, width) / self.size)
        side = round(self.size * largest**scale) if shrunk < 0.5 else self.size
        top, left = int(down * (height - side + 1)), int(across * (width - side + 1))
        square = to_square(to_unit(image[:, top : top + side, left : left + side]), self.size)
        return torch.rot90(square.flip(-1) if mirror < 0.5 else square, int(4 * turn), (-2, -1))


def centres(images: Sequence[Tensor], size: int) -> Tensor:
    """The middle of each image, integers (N, C, size, size), its pixels as they are."""
    return torch.stack([F.pad(x, _margins(x, size)) for x in images])


def _margins(x: Tensor, size: int) -> list[int]:
    """How much is cut at the left, right, top and bottom, as negative padding."""
    height, width = x.shape[1:]
    top, left = (height - size) // 2, (width - size) // 2
    return [-left, -(width - size - left), -top, -(height - size - top)]

"""Training images: folders or zips -> one uint8 tensor, and batches that depend only on (seed, step)."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import DataError, ImageError
from restora.image import SUFFIXES, read, to_uint8

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
    """All images as uint8 (N, channels, size, size), cropped to the centre square and scaled; and the
    one-line errors of those that could not be read."""
    errors: list[str] = []
    images: list[Tensor] = []
    with contextlib.ExitStack() as stack:
        archives: dict[Path, zipfile.ZipFile] = {}
        for name, path, member in members(sources):
            if member is not None and path not in archives:
                archives[path] = stack.enter_context(_open(path))
            try:
                data = path if member is None else _extract(archives[path], member, name)
                images.append(to_uint8(fit(read(data, channels, name).pixels, size)))
            except ImageError as error:
                errors.append(str(error))
    if not images:
        raise DataError(f"none of {len(errors)} images could be read; the first: {errors[0]}")
    return torch.stack(images), errors


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


def fit(pixels: Tensor, size: int) -> Tensor:
    """Centre square of (C, H, W), scaled to size x size with antialiasing; untouched if it fits."""
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[..., top : top + side, left : left + side]
    if side == size:
        return square
    scaled = F.interpolate(square[None], (size, size), mode="bicubic", antialias=True, align_corners=False)
    return scaled[0].clamp(0, 1)


class Batches:
    """Endless shuffled batches in [-1, 1]: batch `step` depends only on the data, the seed and `step`.

    Each image is mirrored with probability 1/2 and moved by up to `shift` pixels each way (the border
    is repeated), so a run can stop and resume without keeping the state of any random stream.
    """

    def __init__(self, images: Tensor, batch: int, seed: int = 0, shift: int = 1, mirror: bool = True):
        self.images, self.batch, self.seed, self.shift, self.mirror = images, batch, seed, shift, mirror
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __getitem__(self, step: int) -> Tensor:
        first = step * self.batch
        rows = torch.stack([self._row(i) for i in range(first, first + self.batch)])
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        return self._augment(self.images[rows], generator).float().div_(127.5).sub_(1)

    def _row(self, i: int) -> Tensor:
        epoch, place = divmod(i, len(self.images))
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self.seed * 7_919 + epoch)
            self._epoch, self._order = epoch, torch.randperm(len(self.images), generator=generator)
        return self._order[place]

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

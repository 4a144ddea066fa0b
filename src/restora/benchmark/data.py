"""The images of a benchmark: N evenly spaced files of folders and zips, all of one size."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from restora import image
from restora.errors import DataError, ImageError, OptionError, ShapeError
from restora.metrics import WINDOW
from restora.random import generators, seed_of
from restora.training.data import Member, members


@dataclass(frozen=True)
class Images:
    """truth: (N, 3, H, W) in [0, 1]. names: one each, all different; stems: of the files, for the seeds.

    errors: one line for each file that could not be read, and was left out.
    """

    truth: Tensor
    names: list[str]
    stems: list[str]
    errors: list[str]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int]:
        channels, height, width = self.truth.shape[1:]
        return channels, height, width

    def digest(self) -> str:
        """SHA-256 of names, sizes and pixels."""
        head = f"{self.names}{tuple(self.truth.shape)}".encode(errors="surrogateescape")
        return hashlib.sha256(head + self.truth.numpy().tobytes()).hexdigest()

    def noise(self, rows: range, seed: int) -> list[torch.Generator]:
        """The random streams of the observations: by the file's stem, whatever files are beside it."""
        return generators([seed_of(self.stems[i], seed) for i in rows], len(rows))

    def seeds(self, rows: range, seed: int) -> list[int]:
        """The seeds of the solvers; others than those of the noise, which a solver must not draw again."""
        return [seed_of(f"{self.stems[i]}/solver", seed) for i in rows]


def read_images(sources: Sequence[Path], limit: int | None = None, output: Path | None = None) -> Images:
    """The images of folders and zips in name order; of M files, `limit` takes number i M // limit.

    What lies in the folder `output` is passed over. DataError where there are fewer, or none can be read;
    ShapeError for sizes that differ or are too small.
    """
    found = [member for member in members(sources) if not _is_inside(member[1], output)]
    if not found:
        raise DataError(f"no image in {', '.join(map(str, sources))} but those in the output folder {output}")
    if limit is not None:
        if limit < 1:
            raise OptionError(f"--limit must be at least 1, got {limit}")
        if limit > len(found):
            raise DataError(
                f"--limit {limit}: expected at least {limit} images in {', '.join(map(str, sources))}, "
                f"got {len(found)}; lower it, or leave it out to take all"
            )
        found = [found[i * len(found) // limit] for i in range(limit)]
    pixels: list[Tensor] = []
    stems, errors, first = [], [], ""
    for member in found:
        try:
            picture = image.read(_data(member), 3, member[0])
        except ImageError as error:
            errors.append(str(error))
            continue
        if pixels and picture.size != tuple(pixels[0].shape[1:]):
            raise _mixed(first, pixels[0], member[0], picture.pixels)
        first = first or member[0]
        pixels.append(picture.pixels)
        stems.append(PurePosixPath(member[2] or member[1].name).stem)
    if not pixels:
        raise DataError(f"none of {len(errors)} images could be read; the first: {errors[0]}")
    if min(pixels[0].shape[1:]) < WINDOW:
        raise ShapeError(
            f"{first} is {_size(pixels[0])}; expected images of at least {WINDOW}x{WINDOW} pixels"
        )
    return Images(torch.stack(pixels), _distinct(stems), stems, errors)


def _is_inside(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.resolve().is_relative_to(folder.resolve())


def _data(member: Member) -> Path | bytes:
    name, path, inside = member
    if inside is None:
        return path
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(inside)
    except Exception as error:  # zlib.error, BadZipFile, RuntimeError for a password, ...
        raise ImageError(f"{name}: cannot be read from its zip ({error})") from error


def _mixed(first: str, a: Tensor, second: str, b: Tensor) -> ShapeError:
    return ShapeError(
        f"expected images of one size, got {first} with {_size(a)} and {second} with {_size(b)}; "
        "crop or scale them to one size, or give each size a run of its own"
    )


def _size(pixels: Tensor) -> str:
    return f"{pixels.shape[-1]}x{pixels.shape[-2]}"


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

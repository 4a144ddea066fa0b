"""Faces in photos: what the prior of faces gains where they are, and which faces are found.

    python benchmarks/faces.py astronaut                       # scikit-image's astronaut, at several sizes
    python benchmarks/faces.py gain FACES PHOTOS [--count N]   # aligned faces, put into photos
    python benchmarks/faces.py rate FACES PHOTOS               # found, by size and angle
    python benchmarks/faces.py marks FACES PHOTOS              # where the detector sees the points of a face

FACES: a folder of aligned faces of 64x64; PHOTOS: one of photographs. PSNR is of the pixels where a face has
at least half of its weight; of a hole, of those that are missing there.
"""

from __future__ import annotations

import argparse
import cmath
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from skimage import data
from skimage.transform import rescale
from torch import Tensor

from restora import faces
from restora.degradations import (
    AdditiveNoise,
    Blur,
    Degradation,
    Downsample,
    Mask,
    NamedDegradation,
    degradations,
)
from restora.faces.detection import find
from restora.faces.face import MARKS, Face
from restora.pictures import image
from restora.plan import finish
from restora.random import Window

SIZES, ANGLES = (20, 24, 32, 48, 64), (0, 20, 40, 60)
TASKS = (
    "hole",
    "x4",
    "x2",
    "noise 0.1",
    "noise 0.03",
    "blur 1.6",
    "jpeg 10",
    "poisson 30",
    "levels 5",
    "grey",
)
NEAR = 0.25  # of a face's size, by which the middle of its points may be off


def degradation(task: str, x: Tensor, face: Face) -> Degradation:
    """The task; a hole is over one eye and half of the mouth."""
    if task == "hole":
        mask, side = torch.ones(1, 1, *x.shape[-2:]), face.size
        middle = np.mean(face.points, 0)
        left, top = (int(middle[0] - 0.05 * side), int(middle[1] - 0.25 * side))
        mask[..., max(top, 0) : top + int(0.45 * side), max(left, 0) : left + int(0.42 * side)] = 0
        return Mask(mask)
    known: dict[str, NamedDegradation] = {
        "x4": Downsample(4),
        "x2": Downsample(2),
        "noise 0.1": AdditiveNoise(0.1),
        "noise 0.03": AdditiveNoise(0.03),
        "blur 1.6": Blur(width=1.6, sigma=0.01),
        "jpeg 10": degradations.get("jpeg")(quality=10),
        "poisson 30": degradations.get("poisson")(peak=30.0),
        "levels 5": degradations.get("dequantize")(levels=5),
        "grey": degradations.get("colorize")(),
    }
    return known[task]


def astronaut(size: float) -> tuple[Tensor, list[Face]]:
    picture = rescale(data.astronaut()[:272, 80:368] / 255, size / 97, anti_aliasing=True, channel_axis=2)
    height, width = (side // 16 * 16 for side in picture.shape[:2])
    x = torch.from_numpy(picture[:height, :width].transpose(2, 0, 1).copy())[None].float()
    x = (x.clamp(0, 1) * 255).round() / 255
    return x, find(x)


def put(photo: Tensor, pixels: Tensor, scale: float, angle: float, middle: complex) -> tuple[Tensor, Face]:
    """A photo (1, 3, H, W) with an aligned face in it, and where it is."""
    turn = scale * cmath.exp(1j * math.radians(angle))
    shift = middle - turn * complex(31.5, 31.5)
    points = [turn * complex(*mark) + shift for mark in MARKS]
    face = Face((0, 0, 1, 1), 1, tuple((p.real, p.imag) for p in points))
    window, mixed = face.window((photo.shape[-2], photo.shape[-1])), photo.clone()
    own = window.of(mixed)
    own.copy_((own * (1 - face.mask(window)) + face.spread(window)(pixels)).clamp(0, 1))
    return mixed, face


def embedded(folder: Path, photos: Path, count: int) -> Iterator[tuple[float, float, Tensor, Face]]:
    """Faces at every size and angle in turn: the size, the angle, the photo, and the face in it."""
    people, places = sorted(folder.iterdir()), sorted(photos.glob("*.png"))
    for i in range(count):
        person, place = people[i * len(people) // count], places[i % len(places)]
        photo = image.load(place).picture().pixels[None, :, :288, :288]
        size, angle = SIZES[-1 - i % len(SIZES)], ANGLES[i // len(SIZES) % 2] * (-1) ** i
        pixels = image.load(person).picture().pixels[None]
        yield size, angle, *put(photo, pixels, size / 64, angle, complex(140, 130))


def measure(x: Tensor, face: Face, task: str) -> tuple[float, float, str, float]:
    """PSNR without and with the prior of faces, what was done, and seconds."""
    known = degradation(task, x, face)
    y, start = known(x, torch.Generator().manual_seed(0)), time.monotonic()
    plan = faces.decide()
    restored = finish(plan.run(y, known))
    plain = finish(replace(plan, then=None).run(y, known))
    weight = (face.mask(Window(0, 0, *x.shape[-2:])) >= 0.5).float()
    if task == "hole":
        weight = weight * (1 - known.operator.mask[0, 0])
    notes = restored.notes[0][0]
    return psnr(plain.image, x, weight), psnr(restored.image, x, weight), notes, time.monotonic() - start


def psnr(image: Tensor, truth: Tensor, weight: Tensor) -> float:
    squared = ((image * 255).round() / 255 - truth).square().mean(1) * weight
    return -10 * math.log10(squared.sum().item() / weight.sum().item())


def report(rows: list[tuple[str, float, float]]) -> None:
    for key in dict.fromkeys(row[0] for row in rows):
        own = np.array([row[1:] for row in rows if row[0] == key])
        gain = own[:, 1] - own[:, 0]
        print(f"| {key} | {len(own)} | {own[:, 0].mean():.2f} | {own[:, 1].mean():.2f} | {gain.mean():+.2f} "
              f"| {gain.min():+.2f} |", flush=True)  # fmt: skip


def run(args: argparse.Namespace) -> None:
    if args.what == "astronaut":
        pictures = ((size, 0.0, *_first(astronaut(size))) for size in args.sizes)
    else:
        pictures = embedded(args.faces, args.photos, args.count)
    rows = []
    for size, angle, x, face in pictures:
        for task in args.tasks:
            before, after, notes, seconds = measure(x, face, task)
            rows.append((f"{task}, {size:.0f}" if args.what == "astronaut" else task, before, after))
            print(f"{task:10} {size:3.0f} {angle:4.0f} {before:6.2f} {after:6.2f} {after - before:+.2f} "
                  f"{seconds:5.1f} s  {notes}", flush=True)  # fmt: skip
    report(rows)


def _first(found: tuple[Tensor, list[Face]]) -> tuple[Tensor, Face]:
    return found[0], found[1][0]


def rate(args: argparse.Namespace) -> None:
    """How many are found, and how many others are, by size and angle; or where the points are."""
    people, places = sorted(args.faces.iterdir())[:: args.every], sorted(args.photos.glob("*.png"))
    marks = []
    for angle in ANGLES if args.what == "rate" else (0,):
        for size in SIZES:
            hits = others = 0
            for i, person in enumerate(people):
                photo = image.load(places[i % len(places)]).picture().pixels[None]
                x, face = put(photo, image.load(person).picture().pixels[None], size / 64, angle, 150 + 140j)
                found = find(x)
                off = [np.hypot(*(np.mean(f.points, 0) - np.mean(face.points, 0))) for f in found]
                near = [f for f, far in zip(found, off, strict=True) if far < NEAR * size]
                hits, others = hits + bool(near), others + len(found) - bool(near)
                turn, shift = face.similarity
                marks += [[(complex(*p) - shift) / turn for p in f.points] for f in near[:1]]
            print(f"{size:3} pixels, {angle:2} degrees: {hits} of {len(people)}, others {others}", flush=True)
    places_ = np.median(np.array(marks).real, 0), np.median(np.array(marks).imag, 0)
    print("marks:", np.round(np.stack(places_, 1), 1).tolist())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("astronaut", "gain", "rate", "marks"))
    parser.add_argument("faces", nargs="?", type=Path)
    parser.add_argument("photos", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--sizes", nargs="+", type=float, default=(64, 80, 97))
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    args = parser.parse_args()
    (run if args.what in ("astronaut", "gain") else rate)(args)

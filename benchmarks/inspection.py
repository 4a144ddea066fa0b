"""How well `restora inspect` measures: estimates against the truth, and how often it is wrong.

    python benchmarks/inspection.py FOLDER [--part numbers|blind|rates] [--limit N]

numbers: estimated noise, width and quality against what was done. blind: deblurring with the width and noise
that were found against the true ones, in dB. rates: what is found in clean and in damaged pictures.
"""

from __future__ import annotations

import argparse
import io
import math
import random
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from restora import metrics, restore
from restora.degradations import Blur, Impulse, Quantize
from restora.inspection import fill, inspect
from restora.pictures import image
from restora.pictures.colour import rounded
from restora.pictures.picture import Picture
from restora.random import generators

WIDTHS, NOISES, QUALITIES = (0.8, 1.2, 1.6, 2.2, 3.0), (0.01, 0.03), (10, 30, 50, 70, 85, 95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("numbers", "blind", "rates"), default="numbers")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--crop", type=int, default=10**6, help="pixels a side, of the middle")
    parser.add_argument("--only", default="", help="of the rates, rows whose names have this word")
    args = parser.parse_args()
    files = sorted(path for path in args.folder.iterdir() if path.suffix in (".png", ".jpg"))
    files = files[:: max(1, len(files) // args.limit)] if args.limit else files
    pictures = [middle(image.read(path, 3).pixels, args.crop) for path in files]
    parts = {"numbers": numbers, "blind": blind, "rates": partial(rates, only=args.only)}
    parts[args.part](pictures)


def middle(x: Tensor, side: int) -> Tensor:
    """The part of at most so many pixels a side."""
    top, left = (max(0, (length - side) // 2) for length in x.shape[1:])
    return x[:, top : top + side, left : left + side]


def observed(x: Tensor, width: float, sigma: float, seed: int) -> Tensor:
    """A blurred and noisy picture (C, H, W), as a file of bytes holds it."""
    y = Blur(width=width, sigma=0.0)(x[None]) if width else x[None]
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed))
    return rounded(y + sigma * noise, 8)[0]


def compressed(x: Tensor, quality: int, sampling: int) -> Tensor:
    """Compressed by libjpeg, and decoded."""
    held, whole = io.BytesIO(), (255 * x).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(whole).save(held, "JPEG", quality=quality, subsampling=sampling)
    decoded = np.array(Image.open(held).convert("RGB"))
    return torch.from_numpy(decoded).permute(2, 0, 1).float() / 255


def numbers(pictures: list[Tensor]) -> None:
    print("| what | true | median | 10 % | 90 % | not found |\n|---|---|---|---|---|---|")
    for sigma in (0.01, 0.02, 0.03, 0.05, 0.1):
        found = [
            fill("jpeg", {}, ["sigma"], observed(x, 0, sigma, i))["sigma"] for i, x in enumerate(pictures)
        ]
        _row("noise", sigma, found)
    for width in WIDTHS:
        for sigma in (0.01, 0.03):
            found = [_width(observed(x, width, sigma, i)) for i, x in enumerate(pictures)]
            _row(f"width, with noise {sigma}", width, found)
    for quality in QUALITIES:
        for sampling, name in ((2, "4:2:0"), (0, "4:4:4")):
            found = [_quality(compressed(x, quality, sampling)) for x in pictures]
            right = sum(kind == name for _, kind in found)
            _row(f"quality of a PNG ({name}: {right} right)", quality, [q for q, _ in found])


def _width(y: Tensor) -> float:
    try:
        return fill("deblur", {}, ["width", "sigma"], y)["width"]
    except Exception:
        return float("nan")


def _quality(y: Tensor) -> tuple[float, str]:
    try:
        found = fill("jpeg", {}, ["quality"], y)
        return found["quality"], found["subsampling"]
    except Exception:
        return float("nan"), ""


def _row(what: str, true: float, found: list[float]) -> None:
    values = np.array(found, float)
    known = values[np.isfinite(values)]
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9]) if len(known) else (np.nan,) * 3
    print(
        f"| {what} | {true:g} | {middle:.3g} | {low:.3g} | {high:.3g} | {len(values) - len(known)} |",
        flush=True,
    )


def blind(pictures: list[Tensor]) -> None:
    print("| width | noise | as it came | told | found | difference | worst |\n|---|---|---|---|---|---|---|")
    total: list[float] = []
    for width in WIDTHS:
        for sigma in NOISES:
            scores = [_blind(x, width, sigma, i) for i, x in enumerate(pictures)]
            before, told, found = np.array(scores).T
            total += list(found - told)
            print(
                f"| {width} | {sigma} | {before.mean():.2f} | {told.mean():.2f} | {found.mean():.2f} | "
                f"{(found - told).mean():.2f} | {(found - told).min():.2f} |",
                flush=True,
            )
    print(f"mean difference {np.mean(total):.3f} dB, {np.mean(np.array(total) > -0.3):.1%} within 0.3 dB")


def _blind(x: Tensor, width: float, sigma: float, seed: int) -> tuple[float, float, float]:
    y, truth = observed(x, width, sigma, seed)[None], x[None]
    options = {"width": _width(y[0])}
    options = fill("deblur", {}, ["width", "sigma"], y[0]) if np.isfinite(options["width"]) else {}
    score = lambda z: metrics.peak_ratio(*metrics.rounded(z, truth, 8)).item()  # noqa: E731
    told = restore(y, Blur(width=width, sigma=sigma), prior="natural").image
    found = restore(y, Blur(**options), prior="natural").image if options else y
    return score(y), score(told), score(found)


def scratched(x: Tensor, seed: int) -> Tensor:
    """One to four thin lines across, a little bent, nearly white or black."""
    draw = random.Random(seed)
    height, width = x.shape[1:]
    sheet = Image.new("L", (4 * width, 4 * height))
    pen = ImageDraw.Draw(sheet)
    for _ in range(draw.randint(1, 4)):
        angle, length = draw.uniform(0, math.pi), draw.uniform(0.3, 1) * math.hypot(height, width)
        left, top, bend = draw.uniform(0, width), draw.uniform(0, height), draw.uniform(-0.05, 0.05) * length
        line = [
            (
                4 * (left + k / 32 * length * math.cos(angle) + bend * math.sin(math.pi * k / 32)),
                4 * (top + k / 32 * length * math.sin(angle)),
            )
            for k in range(33)
        ]
        pen.line(line, fill=255, width=4 * draw.choice((1, 2, 2, 3)), joint="curve")
    alpha = torch.from_numpy(np.array(sheet.resize((width, height), Image.Resampling.BOX))).float() / 255
    return rounded(x + alpha * draw.uniform(0.8, 1) * (draw.choice((0.95, 0.85, 0.08)) - x), 8)


def rates(pictures: list[Tensor], only: str = "") -> None:
    print("| what was done | pictures | what was suggested |\n|---|---|---|")
    damages = {
        "nothing": lambda x, i: x,
        "scratches": scratched,
        "JPEG 90": lambda x, i: compressed(x, 90, 2),
        "JPEG 30": lambda x, i: compressed(x, 30, 2),
        "noise 0.03": lambda x, i: observed(x, 0, 0.03, i),
        "noise 0.1": lambda x, i: observed(x, 0, 0.1, i),
        "blur 1.2, noise 0.01": lambda x, i: observed(x, 1.2, 0.01, i),
        "blur 2, noise 0.02": lambda x, i: observed(x, 2, 0.02, i),
        "noise 0.05, JPEG 60": lambda x, i: compressed(observed(x, 0, 0.05, i), 60, 2),
        "blur 1.6, JPEG 60": lambda x, i: compressed(observed(x, 1.6, 0.0, i), 60, 2),
        "8 levels": lambda x, i: Quantize(8)(x[None])[0],
        "salt and pepper 5 %": lambda x, i: Impulse(0.05)(x[None], generators(i, 1))[0],
    }
    for name, damage in ((name, damage) for name, damage in damages.items() if only in name):
        seen = [inspect(Picture(rounded(damage(x, i), 8))) for i, x in enumerate(pictures)]
        tasks = Counter(s.suggestion.task if s.suggestion else "nothing" for s in seen)
        marks = sum(s.marks is not None for s in seen)
        told = ", ".join(f"{task} {count}" for task, count in tasks.most_common())
        print(f"| {name} | {len(seen)} | {told}; marks {marks} |", flush=True)


if __name__ == "__main__":
    main()

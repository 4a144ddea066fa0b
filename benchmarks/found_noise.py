"""Noise that nobody names, found and removed: `denoise` with sigma auto against the best number by hand.

    python benchmarks/found_noise.py PHOTOS [--limit N] [--kinds grey,jpeg,camera] [--crop N] [-o ROWS]
        [--minutes M]

Three kinds, made of each photograph: grey noise of 0.1; noise of 20/255 in a JPEG file of quality 90, 4:2:0;
and a camera's, whose neighbours share it, whose variance is 0.01 x + 0.0005, in a JPEG file of quality 85.
The PSNR of what came, of the best white level named by hand, of auto, and for grey of classical methods that
are told the level. bm3d needs `pip install bm3d`. With -o, a run that was stopped goes on where it was, and
begins with photographs from all over the folder.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

import restora
from restora.metrics import psnr
from restora.pictures import colour, image

HAND = (0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14, 0.16, 0.2)
GOLDEN = (5**0.5 - 1) / 2
CLASSICAL = ("nlmeans", "bm3d", "wavelet")
Restored = Callable[..., restora.Restoration]


def jpeg(y: Tensor, quality: int) -> Tensor:
    stream = io.BytesIO()
    image.to_pil(y).save(stream, "JPEG", quality=quality, subsampling=2)
    return torch.from_numpy(np.array(Image.open(stream))).permute(2, 0, 1).float() / 255


def grey(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    truth = colour.luma(x)
    return truth, colour.rounded(truth + 0.1 * noise[:1])


def file(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    return x, jpeg(x + 20 / 255 * noise, 90)


def camera(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    smooth = torch.from_numpy(gaussian_filter(noise.numpy(), (0, 0.6, 0.6)))
    return x, jpeg(x + (0.01 * x + 0.0005).sqrt() * smooth / smooth.std(), 85)


KINDS: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]
KINDS = {"grey": grey, "jpeg": file, "camera": camera}


def middle(x: Tensor, side: int) -> Tensor:
    """The part of at most so many pixels per side."""
    top, left = (max(0, (length - side) // 2) for length in x.shape[1:])
    return x[:, top : top + side, left : left + side]


def row(kind: str, x: Tensor, seed: int, restored: Restored) -> dict[str, float]:
    """The PSNR of each result for one photograph."""
    truth, y = KINDS[kind](x, torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)))
    score = lambda image: psnr(image[None], truth[None]).item()  # noqa: E731
    auto = restored(y, "auto")
    found = {"came": score(y), "auto": score(auto.image[0])}
    told = lambda sigma, **how: score(restored(y, sigma, **how).image[0])  # noqa: E731
    if kind == "grey":
        return found | {"by hand": told(0.1)} | {name: told(0.1, method=name) for name in CLASSICAL}
    return found | {"by hand": best(told, auto.degradation.noise.level)}


def best(told: Callable[[float], float], near: float) -> float:
    """The best PSNR of all levels, climbing from the one that is nearest."""
    place = min(range(len(HAND)), key=lambda i: abs(HAND[i] - near))
    known = {place: told(HAND[place])}
    while True:
        top = max(known, key=lambda i: known[i])
        beside = [i for i in (top - 1, top + 1) if 0 <= i < len(HAND) and i not in known]
        if not beside:
            return known[top]
        known |= {i: told(HAND[i]) for i in beside}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--kinds", default="grey,jpeg,camera")
    parser.add_argument("--crop", type=int, default=10**6, help="pixels per side, of the middle")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    natural, end = restora.load_prior("natural"), time.monotonic() + 60 * args.minutes
    every = sorted(p for p in args.photos.iterdir() if p.suffix in (".jpg", ".png"))
    paths = every[:: max(1, len(every) // (args.limit or len(every)))]
    order = sorted(range(len(paths)), key=lambda i: (i * GOLDEN) % 1)
    done = args.output is not None and args.output.exists()
    rows = [json.loads(line) for line in args.output.read_text().splitlines()] if done else []

    def restored(y: Tensor, sigma: float | str, **how: str) -> restora.Restoration:
        given: dict[str, Any] = how or {"prior": natural}
        return restora.restore(y[None], restora.AdditiveNoise(sigma), **given)  # type: ignore[arg-type]

    for i in order:
        for kind in args.kinds.split(","):
            if any((r["kind"], r["photo"]) == (kind, paths[i].name) for r in rows):
                continue
            if time.monotonic() > end:
                break
            values = row(kind, middle(image.read(paths[i], 3).pixels, args.crop), i, restored)
            rows.append({"kind": kind, "photo": paths[i].name, **values})
            if args.output is not None:
                with args.output.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    for kind in args.kinds.split(","):
        report(kind, [r for r in rows if r["kind"] == kind])


def report(kind: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name not in ("kind", "photo")]
    means = ", ".join(f"{name} {np.mean([r[name] for r in rows]):.2f}" for name in names)
    below = np.array([r["by hand"] - r["auto"] for r in rows])
    print(
        f"{kind}, {len(rows)} photographs: {means}; auto below by hand {below.mean():.2f} on average, "
        f"{below.max():.2f} at worst, by up to 0.3 on {np.mean(below <= 0.3):.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main()

"""Noise that nobody names, found and removed: `denoise` with sigma auto against the best number by hand.

    python benchmarks/found_noise.py PHOTOS [--limit N]

Three kinds, made of each photograph: grey noise of 0.1; noise of 20/255 in a JPEG file of quality 90, 4:2:0;
and a camera's, whose neighbours share it, whose variance is 0.01 x + 0.0005, in a JPEG file of quality 85.
The PSNR of what came, of the best of several white levels named by hand, of auto, and for grey of classical
methods, which are told the level. bm3d needs `pip install bm3d`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

import restora
from restora.metrics import psnr
from restora.pictures import colour, image

HAND = (0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14)
CLASSICAL = ("nlmeans", "bm3d", "wavelet", "tv")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=None)
    args = parser.parse_args()
    natural = restora.load_prior("natural")
    every = sorted(p for p in args.photos.iterdir() if p.suffix in (".jpg", ".png"))
    paths = every[:: max(1, len(every) // (args.limit or len(every)))]

    def restored(y: Tensor, sigma: float | str, **how: object) -> Tensor:
        how = how or {"prior": natural}
        return restora.restore(y[None], restora.AdditiveNoise(sigma), **how).image[0]  # type: ignore[arg-type]

    kinds: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]
    kinds = {"grey": grey, "jpeg": file, "camera": camera}
    for name, make in kinds.items():
        rows = []
        for i, path in enumerate(paths):
            x = image.read(path, 3).pixels
            truth, y = make(x, torch.randn(x.shape, generator=torch.Generator().manual_seed(i)))
            levels = (0.1,) if name == "grey" else HAND
            hand = max(psnr(restored(y, s)[None], truth[None]).item() for s in levels)
            others = CLASSICAL if name == "grey" else ()
            found = [restored(y, 0.1, method=method) for method in others]
            values = [y, restored(y, "auto"), *found]
            came, auto, *classical = (psnr(value[None], truth[None]).item() for value in values)
            rows.append([came, hand, auto, *classical])
        table = torch.tensor(rows, dtype=torch.float64)
        heads = ["came", "by hand", "auto", *others]
        pairs = zip(heads, table.mean(0).tolist(), strict=True)
        means = ", ".join(f"{head} {value:.2f}" for head, value in pairs)
        print(
            f"{name}: {means}; auto below by hand at worst {(table[:, 1] - table[:, 2]).max():.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""The picture at the top of the README: damaged, restored, and how sure the result is.

    python benchmarks/picture.py docs/images/results.png

A photograph (scikit-image's chelsea, CC0, Stefan van der Walt), a face (its astronaut, Eileen Collins, NASA,
public domain) and stained tissue under a microscope (its immunohistochemistry, no known restrictions).
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import data
from torch import Tensor

from restora import AdditiveNoise, Degradation, Downsample, Mask, Restoration, restore
from restora.align import astronaut
from restora.metrics import psnr

TITLES = ("damaged", "restored", "how far off it may be", "truth")
DRAWS, SIDE = 12, 128


def crop(image: np.ndarray, top: int, left: int, side: int) -> Tensor:
    """(1, 3, side, side) in [0, 1]."""
    return torch.tensor(image[top : top + side, left : left + side] / 255).float().permute(2, 0, 1)[None]


def cases() -> list[tuple[str, Tensor, Degradation]]:
    cat = crop(data.chelsea(), 50, 120, SIDE)
    tissue = crop(data.immunohistochemistry(), 180, 60, SIDE)
    seen = (torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    return [
        ("photograph: noise", cat, AdditiveNoise(0.15)),
        ("face: 16x16 pixels", astronaut()[None], Downsample(4)),
        ("microscope: 70 % missing", tissue, Mask(seen)),
    ]


def panels(y: Tensor, result: Restoration, truth: Tensor) -> list[tuple[Tensor, str]]:
    """What stands in a row, and the PSNR under it."""
    assert result.std is not None
    restored = (result.image, f"{psnr(result.image, truth).item():.1f} dB")
    return [(y, ""), restored, (result.std.mean(1, keepdim=True), ""), (truth, "")]


def main(path: str) -> None:
    figure, axes = plt.subplots(3, len(TITLES), figsize=(10.2, 8))
    for row, (name, truth, degradation) in zip(axes, cases(), strict=True):
        y = degradation(truth, torch.Generator().manual_seed(0))
        result = restore(y, degradation, samples=DRAWS, uncertainty=True)
        for axis, (image, text), title in zip(row, panels(y, result, truth), TITLES, strict=True):
            pixels = image[0].permute(1, 2, 0).clamp(0, 1)
            axis.imshow(pixels, cmap="magma", vmax=0.15) if len(image[0]) == 1 else axis.imshow(pixels)
            axis.set(xticks=[], yticks=[], xlabel=text)
            if axis in axes[0]:
                axis.set_title(title, fontsize=11)
        row[0].set_ylabel(name, fontsize=11)
    figure.tight_layout(pad=0.4, h_pad=1.0)
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main(sys.argv[1])

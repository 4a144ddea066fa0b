"""Pictures made of pictures: grids of samples and labelled contact sheets."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from restora.image import atomic


def grid(images: Tensor, columns: int, gap: int = 2) -> Tensor:
    """(N, C, H, W) in [0, 1] -> one (C, H', W') picture, row by row on white."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    sheet = torch.ones(channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    for i, tile in enumerate(images.clamp(0, 1)):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[:, top : top + height, left : left + width] = tile
    return sheet


@dataclass(frozen=True)
class Panel:
    """One picture of a contact sheet: (C, H, W) in [0, 1] and the lines under it."""

    image: Tensor
    caption: str


def contact_sheet(path: Path, rows: Sequence[tuple[str, Sequence[Panel]]], columns: Sequence[str]) -> None:
    """Write a PNG with a row a label, every panel stretched to one size, and a heading a column."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.0 * len(columns), 2.32 * len(rows) + 0.2), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for i, (label, panels) in enumerate(rows):
        for j, panel in enumerate(panels):
            axis, array = axes[i][j], panel.image.clamp(0, 1).permute(1, 2, 0).numpy()
            axis.imshow(array.repeat(3, 2) if array.shape[2] == 1 else array, interpolation="nearest")
            axis.set(xticks=[], yticks=[], xlabel=panel.caption)
            axis.spines[:].set_visible(False)
            if i == 0:
                axis.set_title(columns[j])
        axes[i][0].set_ylabel(label)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=110, format="png")
    with atomic(path) as part:
        part.write_bytes(stream.getvalue())

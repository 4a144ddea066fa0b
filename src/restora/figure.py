"""Pictures made of pictures: grids of samples and labelled contact sheets."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.pictures.atomic import atomic

STD_SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def visible(image: Tensor) -> Tensor:
    """(..., C, H, W) as people see it, (..., 1 or 3, H, W): two channels in magenta and green, of more than
    three the first three."""
    if image.shape[-3] == 2:
        return image[..., [0, 1, 0], :, :]
    return image if image.shape[-3] == 1 else image[..., :3, :, :]


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

    figure = Figure((2.0 * len(columns), 2.32 * len(rows) + 0.2), dpi=110, layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for i, (label, panels) in enumerate(rows):
        for j, panel in enumerate(panels):
            axis, array = axes[i][j], visible(panel.image).clamp(0, 1).permute(1, 2, 0).numpy()
            axis.imshow(array.repeat(3, 2) if array.shape[2] == 1 else array, interpolation="nearest")
            axis.set(xticks=[], yticks=[], xlabel=panel.caption)
            axis.spines[:].set_visible(False)
            if i == 0:
                axis.set_title(columns[j])
        axes[i][0].set_ylabel(label)
    write_figure(path, figure)


def std_map(path: Path, std: Tensor) -> None:
    """Write a PNG of a standard deviation (C, H, W), full scale 1: the root mean square over the channels of
    each pixel, every pixel a square of colour, and a colour bar from 0 to the next of `STD_SCALES`.

    The scale is one of a few, so that the pictures of a run can be compared; a value in 500 may be off it.
    """
    from matplotlib.figure import Figure

    values = std.detach().cpu().double().square().mean(0).sqrt()
    height, width = values.shape
    top = values.flatten().kthvalue(math.ceil(0.998 * values.numel())).values.item()
    scale = next((scale for scale in STD_SCALES if scale >= top), STD_SCALES[-1])
    zoom = max(1, round(384 / max(height, width)))
    box, margin, bar = (width * zoom, height * zoom), 24, 140  # pixels
    size = (box[0] + margin + bar, box[1] + 2 * margin)
    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100)
    axis = figure.add_axes((margin / size[0], margin / size[1], box[0] / size[0], box[1] / size[1]))
    axis.set_axis_off()
    picture = axis.imshow(values.numpy(), cmap="viridis", vmin=0, vmax=scale, interpolation="nearest")
    colours = figure.add_axes(
        ((2 * margin + box[0]) / size[0], margin / size[1], 14 / size[0], box[1] / size[1])
    )
    figure.colorbar(picture, cax=colours, extend="max" if values.max() > scale else "neither")
    colours.set_ylabel("standard deviation, full scale = 1")
    write_figure(path, figure)


def write_figure(path: Path, figure: Any) -> None:
    """Write a matplotlib figure as a PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    with atomic(path) as part:
        part.write_bytes(stream.getvalue())

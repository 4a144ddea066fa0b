"""restora.figure: a standard deviation can be read off its picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
import torch
from torch import Tensor

from restora.figure import std_map, visible
from restora.pictures import image


def read(path: Path, size: tuple[int, int], zoom: int, scale: float) -> Tensor:
    """The values at the middle of each square of the picture, by the nearest colour of the colour map."""
    pixels = image.read(path).pixels
    rows, columns = (24 + zoom * torch.arange(n) + zoom // 2 for n in size)
    colours = torch.tensor(matplotlib.colormaps["viridis"](torch.linspace(0, 1, 256).numpy())[:, :3]).float()
    found = pixels[:, rows][:, :, columns].permute(1, 2, 0)
    distance, index = (found.unsqueeze(2) - colours).norm(dim=3).min(2)
    assert distance.max() < 3 / 255
    return index / 255 * scale


@pytest.mark.parametrize(
    ("size", "zoom", "top", "scale"),
    [((8, 8), 48, 0.04, 0.05), ((30, 64), 6, 0.19, 0.2), ((300, 9), 1, 2, 1)],
)
def test_values_can_be_read_from_the_colours(
    size: tuple[int, int], zoom: int, top: float, scale: float, tmp_path: Path
) -> None:
    std = top * torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    std_map(tmp_path / "a.png", std)
    expected = std.square().mean(0).sqrt().clamp(max=scale)
    torch.testing.assert_close(
        read(tmp_path / "a.png", size, zoom, scale), expected, rtol=0, atol=scale / 100
    )


def test_nothing_uncertain(tmp_path: Path) -> None:
    std_map(tmp_path / "a.png", torch.zeros(1, 8, 8))
    assert read(tmp_path / "a.png", (8, 8), 48, 0.01).max() == 0


@pytest.mark.parametrize(("channels", "shown"), [(1, [0]), (2, [0, 1, 0]), (3, [0, 1, 2]), (5, [0, 1, 2])])
def test_channels_that_people_see(channels: int, shown: list[int]) -> None:
    x = torch.rand(4, channels, 3, 5)
    assert torch.equal(visible(x), x[:, shown])

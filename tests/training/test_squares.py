"""restora.training.squares: one large image is enough to train on, and to validate on."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from restora import AdditiveNoise, load_prior, restore
from restora.errors import DataError
from restora.metrics import psnr
from restora.pictures import image
from restora.training import FlowTrainer, GaussianTrainer, trainings
from restora.training.data import load, load_whole
from restora.training.flow import FlowConfig
from restora.training.gaussian import GaussianConfig
from restora.training.squares import Crops, as_squares, grid, hold_out

sides = st.integers(8, 60)


def numbered(*shapes: tuple[int, int]) -> list[torch.Tensor]:
    """Images whose pixels all have different values."""
    found, first = [], 0
    for height, width in shapes:
        found.append(torch.arange(first, first + height * width).view(1, height, width))
        first += height * width
    return found


def values(images: torch.Tensor | list[torch.Tensor]) -> set[int]:
    return {value for x in images for value in x.flatten().tolist()}


def field(height: int = 96, width: int = 128, channels: int = 1, seed: int = 0) -> torch.Tensor:
    """A smooth random image (C, height, width) in [0, 1]."""
    noise = torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed))
    for _ in range(4):
        noise = torch.nn.functional.avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    smooth = noise[0]
    return ((smooth - smooth.mean()) / (6 * smooth.std()) + 0.5).clamp(0, 1)


def whole() -> torch.Tensor:
    return (255 * field()).to(torch.uint8)


@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=14), st.integers(2, 8))
def test_nothing_is_trained_and_validated_on(shapes: list[tuple[int, int]], size: int) -> None:
    assume(len(shapes) > 1 or max(shapes[0]) >= 2 * size)
    images = numbered(*shapes)
    kept, held = hold_out(images, size)
    assert held.shape[1:] == (1, size, size)
    assert len(held) >= 1
    assert values(kept).isdisjoint(values(held))
    assert all(min(x.shape[1:]) >= size for x in kept)
    assert sum(x.numel() for x in kept) >= sum(x.numel() for x in images) // 2 or len(images) < 3


def test_of_ten_images_the_last_is_held_out() -> None:
    images = numbered(*[(9, 9)] * 10)
    kept, held = hold_out(images, 9)
    assert [x.flatten()[0].item() for x in (*kept, *held)] == [x.flatten()[0].item() for x in images]
    assert (len(kept), len(held)) == (9, 1)


def test_of_one_image_a_tenth_is_held_out() -> None:
    (rest,), held = hold_out(numbered((200, 40)), 8)
    assert rest.shape == (1, 180, 40)
    assert held.shape == (10, 1, 8, 8)  # two rows of five


def test_one_image_without_room_for_both() -> None:
    with pytest.raises(DataError, match="one image of 9x9 has no room for squares of 8x8 to train on and"):
        hold_out(numbered((9, 9)), 8)


@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=5), st.integers(2, 8), st.integers(1, 40))
def test_squares_of_a_grid_do_not_overlap(shapes: list[tuple[int, int]], size: int, most: int) -> None:
    squares = grid(numbered(*shapes), size, most)
    assert len(values(squares)) == squares.numel()
    assert len(squares) <= max(most, len(shapes))
    assert (squares[..., 1:] - squares[..., :-1] == 1).all()


def test_squares_show_most_of_the_images() -> None:
    images = [(255 * x).to(torch.uint8) for x in (field(), field(seed=1))]
    squares = as_squares(images, 16, seed=3)
    assert squares.dtype == torch.uint8
    assert squares.shape[1:] == (1, 16, 16)
    assert 64 * 96 <= len(squares) <= 65 * 96  # 96 squares without overlap
    assert torch.equal(squares, as_squares(images, 16, seed=3))
    assert not torch.equal(squares, as_squares(images, 16, seed=4))
    first = ((Crops(images, 16, 64, 3)[0] + 1) * 127.5).round()
    assert torch.equal(squares[:64].float(), first)


@pytest.mark.parametrize("packed", [False, True], ids=["file", "zip"])
@pytest.mark.parametrize(
    ("axes", "shape", "channels", "photometric"),
    [
        ("ZCYX", (3, 2, 8, 8), 2, "minisblack"),
        ("TZYX", (2, 2, 8, 8), 1, "minisblack"),
        ("IYX", (4, 8, 8), 1, "minisblack"),
        ("TYXS", (3, 8, 8, 3), 3, "rgb"),
    ],
)
def test_each_plane_of_a_stack_is_an_image(
    tmp_path: Path, axes: str, shape: tuple[int, ...], channels: int, photometric: str, packed: bool
) -> None:
    stack = np.random.default_rng(0).integers(0, 65535, shape, dtype=np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack, photometric=photometric, metadata={"axes": axes})
    path = tmp_path / ("stack.zip" if packed else "stack.tif")
    if packed:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("stack.tif", stream.getvalue())
    else:
        path.write_bytes(stream.getvalue())
    images, errors = load([path], 8, channels)
    planes = stack.reshape(-1, 8, 8, channels).transpose(0, 3, 1, 2) if "S" in axes else stack
    assert errors == []
    assert np.array_equal(images.numpy(), planes.reshape(-1, channels, 8, 8))
    assert [*map(tuple, (x.shape for x in load_whole([path], 4, channels)[0]))] == [(channels, 8, 8)] * len(
        images
    )


def test_pages_of_different_sizes(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for side in (8, 12):
            file.write(np.full((side, side), side, np.uint8), metadata=None)
    assert [tuple(x.shape) for x in load_whole([tmp_path / "pages.tif"], 8, 1)[0]] == [(1, 8, 8), (1, 12, 12)]


def test_a_gaussian_of_one_image_restores_it(tmp_path: Path, restora: Callable[..., Any]) -> None:
    image.write(tmp_path / "field.png", field(), bits=16)
    words = ("train", "gaussian", tmp_path / "field.png", "-o", tmp_path / "prior", "--channels", 1)
    assert "(found 1); cut squares from large images with --crop" in restora(*words).error()
    run = restora(*words, "--size", 16, "--crop")
    assert "1 image, 16x16 squares cut from them, training on" in run.err
    prior = load_prior(tmp_path / "prior")
    assert prior.any_size
    x, noise = field(80, 72, seed=5)[None], AdditiveNoise(0.1)
    y = noise(x, torch.Generator().manual_seed(0))
    found = restore(y, noise, prior=prior, method="lmmse").image
    assert psnr(found, x).item() > psnr(y, x).item() + 8


def test_a_flow_of_one_image_validates_on_a_part_of_it() -> None:
    whole = [(65535 * field()).int().to(torch.uint16)]
    trainer = FlowTrainer(FlowConfig(size=16, channels=1, width=4, blocks=1, batch=8, crop=True), whole)
    before = trainer.check()["validation_loss"]
    for _ in range(30):
        trainer.step(0.0)
    assert trainer.check()["validation_loss"] < before
    assert trainer.prior.any_size
    assert trainer.validation.shape == (6, 1, 16, 16)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("dictionary", {"atoms": 8, "patch": 4, "channels": 1}),
        ("dcgan", {"width": 4, "width_discriminator": 4, "latent": 4, "channels": 1}),
        ("direct", {"width": 4, "blocks": 1, "task": "denoise", "channels": 1}),
    ],
)
def test_fixed_sizes_learn_from_squares_too(kind: str, settings: dict[str, Any]) -> None:
    training = trainings.get(kind)
    trainer = training(training.Config(size=16, batch=8, crop=True, **settings), [whole()])
    assert len(trainer.batches.images) >= 64 * 42  # squares of what is not held out
    assert all(map(math.isfinite, trainer.step(0.0).values()))


def test_a_gaussian_of_squares_is_stationary() -> None:
    trainer = GaussianTrainer(GaussianConfig(size=16, channels=1, crop=True), [whole()])
    while trainer.images_seen < trainer.length:
        trainer.step(0.0)
    prior = trainer.prior()
    assert (prior.rank, prior.any_size) == (0, True)
    assert (prior.mean == prior.mean[0, 0, 0]).all()
    assert prior.sized(40, 24).sample(2).shape == (2, 1, 40, 24)

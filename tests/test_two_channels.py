"""Images of two channels and 16 bits, from their files through training and restoring to the figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from restora.pictures import image
from restora.priors import load_prior

Command = Callable[..., Any]
SIDE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/: smooth fields, the second channel the opposite of the first, on 200 levels."""
    generator, place = torch.Generator().manual_seed(0), tmp_path_factory.mktemp("fields")
    for part, count in {"train": 40, "test": 3}.items():
        coarse = torch.rand(count, 1, 3, 3, generator=generator)
        field = torch.nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
        for i, x in enumerate(field):
            pixels = (30_000 + 200 * torch.cat([x, 1 - x])) / 65535
            image.write(place / part / f"{i}.tif", pixels, bits=16)
    return place


def train(restora: Command, kind: str, folder: Path, out: Path, *words: object) -> Path:
    done = restora("train", kind, folder / "train", "-o", out, "--size", SIDE, "--device", "cpu", *words)
    assert done.code == 0, done.err
    return out


@pytest.fixture
def prior(restora: Command, folder: Path, tmp_path: Path) -> Path:
    return train(restora, "gaussian", folder, tmp_path / "prior", "--channels", 2, "--floor", 1e-9)


def pixels(path: Path) -> Tensor:
    return image.read(path).pixels


def test_degrade_and_restore(restora: Command, folder: Path, prior: Path, tmp_path: Path) -> None:
    words = ("--task", "denoise", "--sigma", 0.001)
    assert restora("degrade", folder / "test", "-o", tmp_path / "noisy", *words).code == 0
    more = ("--prior", prior, "--method", "lmmse", "--samples", 2, "--uncertainty", "--trace")
    command = ("restore", tmp_path / "noisy", "-o", tmp_path / "out", *words, *more)
    assert restora(*command).code == 0
    for i in range(3):
        truth, noisy, found = (
            pixels(f / f"{i}.tif") for f in (folder / "test", tmp_path / "noisy", tmp_path / "out")
        )
        assert found.shape == (2, SIDE, SIDE)
        assert (noisy - truth).std() == pytest.approx(0.001, rel=0.1)
        assert (found - truth).std() < 0.0004
    assert image.read(tmp_path / "out" / "0.tif").bits == 16
    entry = json.loads((tmp_path / "out" / "restora.json").read_text())["files"][
        str(tmp_path / "noisy/0.tif")
    ]
    assert entry["outputs"] == ["0.tif", "0-2.tif", "0-std.png", "0-std.tiff", "0-trace.webp"]
    assert pixels(tmp_path / "out" / "0-std.tiff").shape == (2, SIDE, SIDE)
    assert "3 kept" in restora(*command).out


def test_with_another_prior_each_channel_is_a_grey_picture(
    restora: Command, folder: Path, tmp_path: Path
) -> None:
    for channel in range(2):
        for i in range(3):
            grey = pixels(folder / "test" / f"{i}.tif")[channel, None]
            image.write(tmp_path / str(channel) / f"{i}.tif", grey, bits=16)
    words = ("--task", "denoise", "--sigma", 0.01, "--prior", "natural", "--device", "cpu")
    for source in (folder / "test", tmp_path / "0", tmp_path / "1"):
        assert restora("restore", source, "-o", tmp_path / "out" / source.name, *words).code == 0
    both, *each = (pixels(tmp_path / "out" / name / "0.tif") for name in ("test", "0", "1"))
    assert torch.equal(both[0], each[0][0])
    assert (both[1] - each[1][0]).std() < 0.001  # of another seed


def test_a_prior_of_another_size_refuses_them(
    restora: Command, folder: Path, tiny: Path, tmp_path: Path
) -> None:
    done = restora("restore", folder / "test", "-o", tmp_path, "--task", "denoise", "--prior", tiny)
    assert done.code == 1
    assert "0.tif: the observation is 16x16 with 2 channels, but prior" in done.err


@pytest.mark.parametrize("task", ["colorize", "jpeg"])
@pytest.mark.parametrize("command", ["degrade", "restore"])
def test_tasks_of_colours_say_so(
    command: str, task: str, restora: Command, folder: Path, prior: Path, tmp_path: Path
) -> None:
    method = {"colorize": ("--prior", prior), "jpeg": ("--method", "tv")}[task]
    words = method if command == "restore" else ()
    done = restora(command, folder / "test", "-o", tmp_path / "out", "--task", task, *words)
    assert done.code in (1, 2)
    assert "expected an RGB" in done.err


def test_a_grey_picture_stays_grey(restora: Command, tmp_path: Path) -> None:
    image.write(tmp_path / "in" / "a.png", torch.rand(1, 8, 8), bits=16)
    restora("degrade", tmp_path / "in", "-o", tmp_path / "out", "--task", "denoise")
    found = image.read(tmp_path / "out" / "a.png")
    assert (found.pixels.shape, found.bits) == ((1, 8, 8), 16)


def test_training_sees_differences_that_8_bits_do_not_hold(prior: Path, folder: Path) -> None:
    """200 levels of 65536 are one level of 256."""
    truth = torch.stack([pixels(path) for path in (folder / "train").iterdir()])
    mean = load_prior(prior).mean  # type: ignore[union-attr]
    drawn = load_prior(prior).sample(200, torch.Generator().manual_seed(0))
    assert (mean - truth.mean((0, 2, 3)).view(2, 1, 1)).abs().max() < 0.0005  # stored in half precision
    assert (drawn - mean).std().item() == pytest.approx(truth.std().item(), rel=0.15)
    centred = drawn - mean
    assert torch.corrcoef(centred.transpose(0, 1).flatten(1))[0, 1] < -0.9


@pytest.mark.parametrize("words", [(), ("--crop",)], ids=["whole", "crops"])
def test_flow(words: tuple[str, ...], restora: Command, folder: Path, tmp_path: Path) -> None:
    small = ("--width", 4, "--blocks", 1, "--batch", 4, "--images", 8, "--no-attention", "--channels", 2)
    made = train(restora, "flow", folder, tmp_path / "flow", *small, *words)
    assert load_prior(made).image_shape == (2, SIDE, SIDE)
    magenta, green, blue = pixels(made / "samples.png")
    assert torch.equal(magenta, blue)
    assert not torch.equal(magenta, green)
    command = ("restore", folder / "test", "-o", tmp_path / "out", "--task", "denoise", "--prior", made)
    assert restora(*command).code == 0
    assert pixels(tmp_path / "out" / "2.tif").shape == (2, SIDE, SIDE)


def test_training_says_how_many_channels_there_are(restora: Command, folder: Path, tmp_path: Path) -> None:
    done = restora("train", "gaussian", folder / "train", "-o", tmp_path)
    assert done.code == 2
    assert "has 2 channels, expected 3" in done.err
    assert "--channels 2" in done.err


@pytest.mark.parametrize("channels", [0, 17])
def test_channels_have_bounds(channels: int, restora: Command, folder: Path, tmp_path: Path) -> None:
    done = restora("train", "gaussian", folder / "train", "-o", tmp_path, "--channels", channels)
    assert "--channels: expected a whole number from 1 to 16" in done.err
    assert f"got {channels};" in done.err


def test_bench_keeps_depth_and_channels(restora: Command, folder: Path, prior: Path, tmp_path: Path) -> None:
    words = ("--channels", 2, "--tasks", "denoise:sigma=0.001", "--methods", f"observed,lmmse@{prior}")
    assert restora("bench", folder / "test", "-o", tmp_path / "out", *words).code == 0
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    observed, lmmse = (cell["summary"]["psnr"]["mean"] for cell in content["cells"])
    assert observed == pytest.approx(60, abs=0.5)  # with 8 bits, the rounding alone has 59 dB
    assert lmmse > 67
    assert content["bits"] == 16
    restored = tmp_path / "out" / "restored" / "denoise_sigma=0.001" / "lmmse@prior" / "0.tif"
    assert pixels(restored).shape == (2, SIDE, SIDE)
    assert image.read(tmp_path / "out" / "figure.png").pixels.shape[0] == 3

"""Pictures of a pixel and of a few, of sides that nothing divides: all that ships for any size takes them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.priors.test_any_size import flow

from restora.degradations import AdditiveNoise, degradations
from restora.errors import ShapeError
from restora.pictures import image
from restora.priors import store
from restora.restoration import restore
from restora.solvers import BM3D, NLMeans, Wavelet
from restora.solvers.denoisers import Denoiser

SIZES = [(1, 1), (1, 7), (7, 1), (5, 3), (17, 23)]
OPTIONS = {
    "denoise": ("--sigma", 0.1),
    "inpaint": ("--hole", "center"),
    "superres": ("--scale", "3"),
    "deblur": ("--width", "0.3"),
}


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    folder = tmp_path / "any-size"
    store.save(folder, flow(), {})
    return folder


@pytest.mark.parametrize("task", degradations.names())
def test_every_task(task: str, prior: Path, tmp_path: Path, restora: Callable[..., Any]) -> None:
    suffix, least = (".jpg", 1) if task == "jpeg" else (".png", 3 if task == "deblur" else 1)
    sizes = [size for size in SIZES if min(size) >= least]
    for height, width in sizes:
        x = 0.3 + 0.4 * torch.rand(1 if task == "colorize" else 3, height, width)
        image.write(tmp_path / "in" / f"{height}-{width}{suffix}", x)
    words = ("--task", task, "--prior", prior, "--samples", 2, "--trace", "--device", "cpu")
    done = restora("restore", tmp_path / "in", "-o", tmp_path / "out", *words, *OPTIONS.get(task, ()))
    assert done.code == 0
    assert "failed" not in done.err
    scale = 3 if task == "superres" else 1
    for height, width in sizes:
        found = image.read(tmp_path / "out" / f"{height}-{width}.png")
        assert found.size == (scale * height, scale * width)
        assert (tmp_path / "out" / f"{height}-{width}-trace.webp").exists()


def test_smaller_than_the_kernel(tmp_path: Path, restora: Callable[..., Any]) -> None:
    """Where no prior is named, it is the kernel that is to blame, and not one of them."""
    image.write(tmp_path / "a.png", torch.rand(3, 5, 3))
    (failure,) = restora("restore", tmp_path / "a.png", "-o", tmp_path / "out", "--task", "deblur").failures()
    assert "the blur kernel is 11x11 pixels, larger than the 5x3 image; use a narrower blur" in failure


@pytest.mark.parametrize("method", [NLMeans(), Wavelet()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_methods_of_other_packages(method: Denoiser, channels: int) -> None:
    if isinstance(method, Wavelet):
        pytest.importorskip("pywt")
    for size in SIZES:
        y = torch.rand(1, channels, *size)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = restore(y, AdditiveNoise(0.01), method=method).image
        assert found.shape == y.shape
        assert (found - y).abs().max() < 0.2


def test_smaller_than_a_block() -> None:
    pytest.importorskip("bm3d")
    with pytest.raises(ShapeError, match="blocks of 8x8 pixels, and the image is 3x5"):
        restore(torch.rand(1, 3, 5, 3), AdditiveNoise(0.1), method=BM3D())

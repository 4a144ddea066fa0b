"""The same seed gives the same bytes, whatever the batch, the order of files and the threads that read."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from restora.runs import ahead

Command = Callable[..., Any]
BOUND = 4  # of 255
FACES = pytest.mark.skipif(find_spec("restora_faces64") is None, reason="needs restora-faces64")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0)
    for k in range(4):
        part = astronaut()[40 * k : 40 * k + 64, 100 + 30 * k : 164 + 30 * k]
        noisy = part + noise.normal(0, 20, part.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "in" / f"{k}.png")
    return tmp_path / "in"


def results(restora: Command, photos: Path, tmp_path: Path, *words: object) -> list[dict[str, bytes]]:
    """Of several batch sizes, and of files in another order, with one thread that reads."""
    files = sorted(photos.iterdir())
    found = []
    ways = [(8, [photos]), (1, files[1:2]), (3, files[::-1])]
    for number, (size, given) in enumerate(ways):
        out = tmp_path / f"out{number}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ahead, "WORKERS", 1 if number == 2 else 2)
            done = restora("restore", *given, "-o", out, "--batch-size", size, "--device", "cpu", *words)
        assert done.code == 0, done.err
        found.append({path.name: path.read_bytes() for path in out.glob("*.png")})
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--task", "denoise", "--sigma", 0.08, "--method", "tv"),
        ("--task", "denoise", "--sigma", 0.08, "--prior", "natural", "--samples", 2),
        ("--task", "denoise", "--sigma", 0.08, "--prior", "natural-gaussian"),
        ("--task", "deblur", "--width", 1, "--sigma", 0.08, "--prior", "natural"),
        ("--task", "inpaint", "--hole", "center", "--prior", "natural"),
    ],
)
def test_same_bytes(words: tuple[object, ...], photos: Path, tmp_path: Path, restora: Command) -> None:
    first, *others = results(restora, photos, tmp_path, *words)
    assert len(first) >= 4
    for other in others:
        assert other
        assert other == {name: first[name] for name in other}


@pytest.mark.slow
@FACES
@pytest.mark.parametrize("prior", ["faces64", "faces64-gaussian"])
def test_bound_of_the_priors_of_faces(prior: str, photos: Path, tmp_path: Path, restora: Command) -> None:
    """Their linear part amplifies how sums are rounded: so that some values differ by up to BOUND."""
    words = ("--task", "inpaint", "--hole", "center", "--prior", prior)
    first, *others = results(restora, photos, tmp_path, *words)
    for other in others:
        for name in other:
            a, b = (torch.from_numpy(_pixels(found[name])).int() for found in (first, other))
            assert (a - b).abs().max() <= BOUND
            assert (a != b).float().mean() < 0.1


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))

"""Everything is decided once: how often a run opens a file, and makes a degradation, a solver and a prior."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from restora import pairing
from restora.degradations import degradations
from restora.pictures import image
from restora.priors import store
from restora.registry import Registry

Command = Callable[..., Any]
SIZE = (16, 16)
OPENED: list[str] = []


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        OPENED.append(str(args[0]))


@pytest.fixture(scope="module", autouse=True)
def _listen() -> None:
    sys.addaudithook(_note)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often degradations are made, methods looked up, priors loaded, and the two paired."""
    counts: Counter[str] = Counter()
    init, get, load, pair = nn.Module.__init__, Registry.get, store.load, pairing.pair

    def count_init(self: nn.Module, *args: Any, **options: Any) -> None:
        counts["degradation"] += isinstance(self, tuple(cls for _, cls in degradations))
        init(self, *args, **options)

    def count_get(self: Registry[Any], name: str) -> Any:
        counts[self.kind] += 1
        return get(self, name)

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(nn.Module, "__init__", count_init)
    monkeypatch.setattr(Registry, "get", count_get)
    monkeypatch.setattr("restora.pairing.load_prior", counted("prior", load))
    monkeypatch.setattr("restora.plan.pair", counted("pair", pair))
    return counts


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0))
    (tmp_path / "in").mkdir()
    image.to_pil(pixels).save(tmp_path / "in" / "photo.jpg", quality=30)
    hole = torch.zeros(1, *SIZE)
    hole[:, 4:8, 4:8] = 1
    image.write(tmp_path / "masks" / "photo.png", hole)
    return tmp_path / "in" / "photo.jpg"


def opened(path: Path) -> int:
    return OPENED.count(str(path))


TASKS = [
    (("jpeg",), 2),  # one to check the options, one for the tables of the file
    (("denoise",), 1),
    (("superres", "--scale", 2), 1),
    (("inpaint", "--hole", "center"), 2),  # one to check the options, one of the size of the picture
    (("inpaint", "--hole", "center", "--sigma", 0.1), 2),
    (
        ("inpaint", "--mask", "masks/photo.png"),
        3,
    ),  # and one that hides nothing, to see what the method can do
    (("inpaint", "--mask", "masks"), 3),
]


@pytest.mark.parametrize(("words", "builds"), TASKS)
@pytest.mark.parametrize("more", [(), ("--trace",)])
def test_one_photo(
    words: tuple[object, ...],
    builds: int,
    more: tuple[str, ...],
    photo: Path,
    tmp_path: Path,
    restora: Command,
    made: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    OPENED.clear()
    usual = ("--method", "tv", "--set", "iterations=3", "--device", "cpu")
    assert restora("restore", photo, "-o", "out", "--task", *words, *usual, *more).code == 0
    assert opened(photo) == 2  # its head, to choose the prior, and all of it
    assert sum("masks" in path for path in OPENED) == (1 if "--mask" in words else 0)
    assert made["degradation"] == builds
    assert (made["method"], made["pair"], made["prior"]) == (1, 1, 0)
    OPENED.clear()
    assert restora("restore", photo, "-o", "out", "--task", *words, *usual, *more).out.startswith("0 written")
    assert opened(photo) == 2  # its head, and to see whether it has changed


def test_a_prior_is_loaded_once(
    photo: Path, tmp_path: Path, tiny: Path, restora: Command, made: Counter[str]
) -> None:
    image.write(photo.with_name("small.png"), torch.rand(3, 8, 8))
    words = ("--task", "denoise", "--prior", tiny, "--set", "iterations=2", "--set", "restarts=1")
    done = restora("restore", photo.with_name("small.png"), "-o", tmp_path / "out", *words, "--device", "cpu")
    assert done.code == 0
    assert (made["method"], made["pair"], made["prior"]) == (1, 1, 1)


def test_a_level_that_each_picture_has(
    photo: Path, tmp_path: Path, restora: Command, made: Counter[str]
) -> None:
    OPENED.clear()
    words = ("--task", "denoise", "--sigma", "auto", "--method", "tv", "--device", "cpu")
    assert restora("restore", photo, "-o", tmp_path / "out", *words).code == 0
    assert opened(photo) == 2


def test_a_folder(photo: Path, tmp_path: Path, restora: Command, made: Counter[str]) -> None:
    """Photos of one size, each with tables of its own."""
    with Image.open(photo) as picture:
        for quality in (10, 40, 70):
            picture.save(photo.with_name(f"{quality}.jpg"), quality=quality)
    paths = sorted(photo.parent.iterdir())
    OPENED.clear()
    words = ("--task", "jpeg", "--method", "tv", "--set", "iterations=3", "--device", "cpu")
    assert restora("restore", photo.parent, "-o", tmp_path / "out", *words).code == 0
    assert [opened(path) for path in paths] == [2, 2, 2, 2]
    assert made["degradation"] == 3  # to check the options, the sizes, and that of the batch
    made.clear()
    assert restora("restore", photo.parent, "-o", tmp_path / "two", *words, "--batch-size", 2).code == 0
    assert made["degradation"] == 4


def test_degrade(photo: Path, tmp_path: Path, restora: Command, made: Counter[str]) -> None:
    for name in "ab":
        (photo.parent / f"{name}.jpg").write_bytes(photo.read_bytes())
    OPENED.clear()
    assert restora("degrade", photo.parent, "-o", tmp_path / "out", "--task", "superres").code == 0
    assert [opened(path) for path in photo.parent.iterdir()] == [1, 1, 1]
    assert made["degradation"] == 1


def test_reading_a_picture_opens_it_once(photo: Path) -> None:
    OPENED.clear()
    image.read(photo)
    assert opened(photo) == 1


def test_bench(photo: Path, tmp_path: Path, restora: Command, made: Counter[str]) -> None:
    for name in "abc":
        image.write(tmp_path / "data" / f"{name}.png", torch.rand(3, *SIZE))
    words = ("--methods", "bicubic,tv", "--tasks", "inpaint,denoise", "--perceptual", "none")
    done = restora("bench", tmp_path / "data", "-o", tmp_path / "out", *words, "--batch-size", 1)
    assert done.code == 0
    assert made["degradation"] == 4  # of each task, to check the sizes, and for all batches
    assert made["pair"] == 2

"""What `inspect` says of pictures whose damage is known, and that it says nothing of good ones."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from restora.degradations import Blur, Impulse, Quantize
from restora.errors import ObservationError
from restora.inspection import fill, inspect
from restora.pictures import image
from restora.pictures.colour import rounded
from restora.pictures.picture import Picture
from restora.random import generators


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def astronaut() -> Tensor:
    """Sharp and clean: reduced by two, which leaves nothing of its own compression."""
    return rounded(F.avg_pool2d(tensor(data.astronaut())[None], 2), 8)[0]


def noisy(x: Tensor, sigma: float) -> Tensor:
    return rounded(x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), 8)


def blurred(x: Tensor, width: float) -> Tensor:
    return Blur(width=width, sigma=0.0)(x[None])[0]


def jpeg(x: Tensor, quality: int, sampling: int = 2) -> Tensor:
    held, whole = io.BytesIO(), (255 * x).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(whole).save(held, "JPEG", quality=quality, subsampling=sampling)
    return tensor(np.array(Image.open(held)))


def shallow(x: Tensor) -> Tensor:
    """Sharp in the middle, blurred about it."""
    side = torch.linspace(-1, 1, x.shape[-1])
    near = (1.5 - 3 * (side[:, None] ** 2 + side**2)).clamp(0, 1)
    return rounded(near * x + (1 - near) * blurred(x, 3.0), 8)


def sky(x: Tensor) -> Tensor:
    """Nothing but a gradient, and a little noise of the camera."""
    ramp = torch.linspace(0.4, 0.8, 256)[:, None].expand(3, 256, 256)
    return noisy(ramp, 0.004)


def cartoon(x: Tensor) -> Tensor:
    """Flat colours with sharp borders."""
    grid = torch.arange(256)
    place = ((grid[:, None] - 128) ** 2 + (grid - 100) ** 2 < 80**2).float()
    stripe = ((grid[:, None] + 2 * grid) % 97 < 31).float()
    return rounded(torch.stack([0.9 * place, 0.3 + 0.5 * stripe, 0.2 + 0.4 * place * stripe]), 8)


GOOD: dict[str, Callable[[Tensor], Tensor]] = {
    "sharp": lambda x: x,
    "shallow": shallow,
    "sky": sky,
    "cartoon": cartoon,
    "jpeg 92": lambda x: jpeg(x, 92),
    "grey": lambda x: x.mean(0, keepdim=True),
}


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_wrong_with_a_good_picture(name: str, astronaut: Tensor) -> None:
    found = inspect(Picture(GOOD[name](astronaut)))
    assert found.suggestion is None, [f.text for f in found.findings]
    assert found.command("a.png") is None


BAD: dict[str, tuple[Callable[[Tensor], Tensor], str, dict[str, Any]]] = {
    "blur": (lambda x: noisy(blurred(x, 1.6), 0.01), "deblur", {"width": 1.6, "sigma": 0.01}),
    "noise": (lambda x: noisy(x, 0.06), "denoise", {}),
    "jpeg": (lambda x: jpeg(x, 40), "jpeg", {"quality": 40, "subsampling": "4:2:0"}),
    "jpeg 4:4:4": (lambda x: jpeg(x, 60, 0), "jpeg", {"quality": 60, "subsampling": "4:4:4"}),
    "levels": (lambda x: Quantize(8)(x[None])[0], "dequantize", {"levels": 8}),
    "impulse": (lambda x: Impulse(0.05)(x[None], generators(0, 1))[0], "impulse", {}),
    "blur, jpeg": (lambda x: jpeg(noisy(blurred(x, 2.0), 0.0), 70), "deblur+jpeg", {"width": 2.0}),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_is_found_and_measured(name: str, astronaut: Tensor) -> None:
    damage, task, options = BAD[name]
    found = inspect(Picture(damage(astronaut)))
    assert found.suggestion is not None
    assert found.suggestion.task == task
    for key, value in options.items():
        told = found.suggestion.options[key]
        assert told == (pytest.approx(value, rel=0.2) if isinstance(value, float) else value), key
    assert f"--task {task}" in str(found.command("a.png", "out"))


def test_the_tables_of_a_file_are_read(astronaut: Tensor, tmp_path: Path) -> None:
    whole = (255 * astronaut).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(whole).save(tmp_path / "a.jpg", quality=30)
    found = inspect(tmp_path / "a.jpg")
    assert found["jpeg"].value == 30
    assert found.suggestion is not None
    assert (found.suggestion.task, dict(found.suggestion.options)) == ("jpeg", {})


def test_grey_in_disguise(astronaut: Tensor) -> None:
    assert inspect(Picture(astronaut.mean(0, keepdim=True).expand(3, -1, -1)))["colour"].value == "grey"
    assert inspect(Picture(astronaut))["colour"].value == "colour"


def test_marks_are_proposed_and_never_applied(astronaut: Tensor) -> None:
    damaged = sky(astronaut)
    damaged[:, 20:230, 60:62] = 0.97
    damaged[:, 130:132, 10:240] = 0.97
    found = inspect(Picture(damaged))
    assert found.marks is not None
    assert found.marks[0, 40:120, 60:62].mean() > 0.9
    assert found.marks.mean() < 0.1
    assert found.suggestion is None


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (15, 15), (17, 33), (64, 16)])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_size_is_inspected(size: tuple[int, int], channels: int) -> None:
    x = torch.rand(channels, *size, generator=torch.Generator().manual_seed(0))
    assert inspect(Picture(x)).findings[0].value[:2] == [size[1], size[0]]


def test_options_are_found(astronaut: Tensor) -> None:
    y = noisy(blurred(astronaut, 2.0), 0.02)
    found = fill("deblur", {}, ["width", "sigma"], y)
    assert found["width"] == pytest.approx(2.0, rel=0.1)
    assert found["sigma"] == pytest.approx(0.02, rel=0.15)
    assert fill("deblur", {"sigma": 0.02}, ["width"], y)["width"] == pytest.approx(2.0, rel=0.1)
    small = fill("deblur+superres", {"scale": 2, "sigma": 0.02}, ["width"], y)
    assert small["width"] == pytest.approx(4.0, rel=0.1)
    assert fill("jpeg", {}, ["quality"], jpeg(astronaut, 35))["quality"] == pytest.approx(35, abs=1)
    assert fill("dequantize", {}, ["levels"], Quantize(6)(astronaut[None])[0]) == {"levels": 6}


@pytest.mark.parametrize(
    ("task", "sought", "message"),
    [
        ("jpeg", "quality", "no JPEG artefacts were found"),
        ("dequantize", "levels", "no equal levels were found"),
        ("deblur", "width", "no Gaussian blur was found"),
    ],
)
def test_what_is_not_there_is_not_found(task: str, sought: str, message: str, astronaut: Tensor) -> None:
    picture = noisy(astronaut, 0.3) if task == "deblur" else astronaut
    with pytest.raises(ObservationError, match=message):
        fill(task, {}, [sought], picture)


def test_a_run_without_a_task(astronaut: Tensor, tmp_path: Path, restora: Callable[..., Any]) -> None:
    (tmp_path / "in").mkdir()
    image.write(tmp_path / "in" / "good.png", astronaut)
    image.write(tmp_path / "in" / "blurred.png", noisy(blurred(astronaut, 1.6), 0.01))
    (tmp_path / "in" / "bad.png").write_bytes(b"nothing")
    done = restora("restore", tmp_path / "in", "-o", tmp_path / "out", "--method", "lmmse")
    assert done.code == 1
    assert "good.png: nothing wrong was found" in done.err
    assert "blurred.png: Gaussian blur of width 1.6" in done.err
    assert "--task deblur --width 1.6" in done.err
    kept = (tmp_path / "out" / "good.png").read_bytes()
    assert kept == (tmp_path / "in" / "good.png").read_bytes()
    before, after = (image.read(tmp_path / d / "blurred.png").pixels for d in ("in", "out"))
    assert (after - astronaut).square().mean() < 0.8 * (before - astronaut).square().mean()
    again = restora("restore", tmp_path / "in" / "good.png", "-o", tmp_path / "one.png")
    assert (again.code, (tmp_path / "one.png").read_bytes()) == (0, kept)


def test_an_option_without_its_task(tmp_path: Path, restora: Callable[..., Any]) -> None:
    done = restora("restore", tmp_path / "a.png", "-o", tmp_path / "out", "--width", "2")
    assert (done.code, done.err) == (
        2,
        "restora: error: --width is an option of a task; name it with --task\n",
    )


def test_the_command(astronaut: Tensor, tmp_path: Path, restora: Callable[..., Any]) -> None:
    image.write(tmp_path / "a.png", jpeg(astronaut, 40))
    done = restora("inspect", tmp_path / "a.png")
    assert done.code == 0
    assert "was once a JPEG of about quality 40" in done.out
    assert f"restora restore {tmp_path / 'a.png'} -o restored --task jpeg" in done.out
    (tmp_path / "b.png").write_bytes(b"nothing")
    done = restora("inspect", tmp_path / "a.png", tmp_path / "b.png", "--json")
    assert done.code == 1
    assert '"task": "jpeg"' in done.out

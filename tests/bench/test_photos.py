"""`restora bench` on pictures of several sizes, large ones and grey ones, with tasks that have options."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora import metrics
from restora.bench import perceptual
from restora.degradations import AdditiveNoise, Downsample
from restora.pictures import image
from restora.pictures.colour import to_uint8
from restora.plan import Plan
from restora.random import generators, seed_of
from restora.runs import window

Command = Callable[..., Any]
WORDS = ("--methods", "copy,random", "--tasks", "inpaint,superres", "--batch-size", "2")


@pytest.fixture
def mixed(data: Path) -> Path:
    """b and e are 20x12, the others 16x16."""
    generator = torch.Generator().manual_seed(2)
    for name in "be":
        image.write(data / f"{name}.png", 0.2 + 0.6 * torch.rand(3, 12, 20, generator=generator))
    return data


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


def values(folder: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(task, method, name) -> all that is known of a restoration but its time, in the order of the file."""
    return {
        (cell["task"], cell["method"], row["name"]): {k: v for k, v in row.items() if k != "seconds"}
        for cell in results(folder)["cells"]
        for row in cell["images"]
    }


def test_each_image_has_the_values_that_it_has_among_its_like(
    mixed: Path, bench: Command, restora: Command, tmp_path: Path, brightness: None
) -> None:
    assert bench(*WORDS).code == 0
    found = values(tmp_path / "out")
    assert [name for *_, name in found] == 4 * list("abcdef")
    assert results(tmp_path / "out")["size"] == "20x12 and 16x16"
    assert "\n20x12 and 16x16 pixels, seed 0" in (tmp_path / "out" / "table.md").read_text()
    assert image.read(tmp_path / "out/restored/superres/copy/b.png").size == (12, 20)
    alone: dict[tuple[str, str, str], dict[str, Any]] = {}
    for part in ("be", "acdf"):
        for name in part:
            image.write(tmp_path / part / f"{name}.png", image.read(mixed / f"{name}.png").pixels)
        assert (
            restora("bench", tmp_path / part, "-o", tmp_path / f"o{part}", "--device", "cpu", *WORDS).code
            == 0
        )
        alone |= values(tmp_path / f"o{part}")
    assert found == alone


@pytest.mark.usefixtures("no_figures")
def test_a_run_of_several_sizes_goes_on_where_it_stopped(
    mixed: Path, bench: Command, restora: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Plan.run, []

    def interrupt(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(Plan, "run", interrupt)
    assert bench(*WORDS).code == 130
    assert bench(*WORDS).code == 0
    assert len(calls) == 6 + 12 - 5  # three batches a cell
    assert restora("bench", mixed, "-o", tmp_path / "whole", "--device", "cpu", *WORDS).code == 0
    assert values(tmp_path / "out") == values(tmp_path / "whole")


@pytest.mark.usefixtures("no_figures")
def test_batches_of_other_images_are_done_again(
    bench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench("--methods", "random", "--tasks", "denoise")
    before = values(tmp_path / "out")
    monkeypatch.setattr(window, "MAX_PIXELS", 2 * 16 * 16)
    assert bench("--methods", "random", "--tasks", "denoise").code == 0
    assert values(tmp_path / "out") == before
    lines = (tmp_path / "out/cells/denoise/random.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["images"]) for line in lines[1:]] == [6, 2, 2, 2]


@pytest.mark.usefixtures("no_figures", "brightness")
def test_columns_that_such_images_do_not_have(mixed: Path, bench: Command, tmp_path: Path) -> None:
    class Whole(perceptual.columns.get("brightness")):  # type: ignore[misc]
        one_size = True

    perceptual.columns.register("whole", Whole)
    words = ("--methods", "copy", "--tasks", "denoise", "--perceptual", "whole,brightness")
    done = bench(*words)
    assert "restora: left out: perceptual column 'whole': needs images of one size\n" in done.err
    assert list(results(tmp_path / "out")["perceptual"]) == ["brightness"]
    done = bench("--methods", "copy", "--tasks", "denoise", "--channels", 1, "--overwrite")
    assert done.err.count("needs colour images\n") == 2
    assert results(tmp_path / "out")["perceptual"] == {}


@pytest.mark.usefixtures("no_figures")
def test_cut_to_multiples(data: Path, bench: Command, tmp_path: Path) -> None:
    image.write(data / "a.png", torch.rand(3, 18, 21))
    assert bench("--methods", "copy", "--tasks", "superres", "--multiple", 4).code == 0
    content = results(tmp_path / "out")
    assert (content["multiple"], content["size"]) == (4, "16x16 and 20x16")
    assert image.read(tmp_path / "out/restored/superres/copy/a.png").size == (16, 20)
    assert "multiple: 4 there, not set now" in bench("--methods", "copy", "--tasks", "denoise").error()


def test_tasks_with_options(data: Path, bench: Command, tmp_path: Path) -> None:
    tasks = [
        "denoise:sigma=0.05",
        "superres:scale=2:kernel=bicubic",
        "inpaint:hole=center",
        "inpaint",
        "denoise",
    ]
    assert bench("--methods", "copy", "--tasks", ",".join(tasks)).code == 0
    out, content = tmp_path / "out", results(tmp_path / "out")
    assert [cell["task"] for cell in content["cells"]] == list(content["tasks"]) == tasks
    assert content["tasks"]["superres:scale=2:kernel=bicubic"] == {
        "sigma": 0.0,
        "scale": 2,
        "kernel": "bicubic",
    }
    found, table = values(out), (out / "table.md").read_text()
    assert "\n## denoise:sigma=0.05\n" in table
    assert sorted(p.name for p in (out / "cells").iterdir()) == sorted(t.replace(":", "_") for t in tasks)
    truth = image.read(data / "a.png").pixels[None]
    noise, small = AdditiveNoise(0.05), Downsample(2, "bicubic")
    for task, degradation in zip(tasks[:2], (noise, small), strict=True):
        y = to_uint8(degradation(truth, generators([seed_of("a", 0)], 1))) / 255
        expected = metrics.psnr(degradation.A_dagger(y), truth).item()
        assert found[task, "copy", "a"]["psnr"] == pytest.approx(expected, abs=1e-4)
        assert (out / "restored" / task.replace(":", "_") / "copy" / "a.png").exists()
    assert found["inpaint:hole=center", "copy", "a"] == found["inpaint", "copy", "a"]


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("side", [316, 317])
def test_seconds_a_megapixel(side: int, bench: Command, data: Path, tmp_path: Path) -> None:
    """Of 0.1 megapixel on average, which 317 x 317 pixels have."""
    for name in "abcdef":
        (data / f"{name}.png").unlink()
    for i in (-10, 10):
        image.write(data / f"{i}.png", torch.full((3, side, side + i), 0.5))
    assert bench("--methods", "copy", "--tasks", "denoise,colorize").code == 0
    denoise, colorize = results(tmp_path / "out")["cells"]
    row, _ = csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text()))
    table = (tmp_path / "out" / "table.md").read_text()
    assert ("s/MP" in table) == ("seconds_per_megapixel" in row) == (side == 317)
    if side == 317:
        seconds = sum(r["seconds"] for r in denoise["images"])
        assert denoise["summary"]["seconds_per_megapixel"] == pytest.approx(seconds / (2 * 317**2 / 1e6))
        assert float(row["seconds_per_megapixel"]) == denoise["summary"]["seconds_per_megapixel"]
    assert "seconds_per_megapixel" not in colorize["summary"]


def test_grey_pictures(data: Path, bench: Command, tmp_path: Path) -> None:
    assert bench("--methods", "copy,tv", "--channels", 1).code == 0
    content = results(tmp_path / "out")
    assert content["channels"] == 1
    assert list(content["tasks"]) == ["inpaint", "superres", "denoise", "dequantize"]
    restored = image.read(tmp_path / "out/restored/denoise/copy/a.png")
    assert tuple(restored.pixels.shape) == (1, 16, 16)
    truth = image.read(data / "a.png", 1).pixels[None]
    y = truth + 0.1 * generators([seed_of("a", 0)], 1)[0].randn((1, 1, 16, 16))
    row = values(tmp_path / "out")["denoise", "copy", "a"]
    assert row["psnr"] == pytest.approx(metrics.psnr(y, truth).item(), abs=1e-4)
    assert row["ssim"] == pytest.approx(metrics.ssim(y, truth).item(), abs=1e-4)

"""`deblur --psf FILE`: a measured kernel from a picture or an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restora.cli import main
from restora.degradations import Blur
from restora.errors import OptionError, RestorationWarning
from restora.pictures.kernel import read_kernel

TAPS = np.array([[0, 10, 30, 0], [5, 60, 40, 20], [0, 15, 20, 0]], np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(TAPS).save(tmp_path / "psf.png")
    return tmp_path / "psf.png"


def test_a_picture_is_divided_by_its_sum_and_an_array_is_not(picture: Path) -> None:
    expected = torch.from_numpy(TAPS / TAPS.sum())
    torch.testing.assert_close(read_kernel(picture), expected)
    array = picture.with_suffix(".npy")
    np.save(array, TAPS)
    torch.testing.assert_close(read_kernel(array), torch.from_numpy(TAPS).double())
    degradation = Blur(psf=str(picture))
    torch.testing.assert_close(degradation.operator.kernel, expected.float())


def test_a_kernel_that_does_not_sum_to_1_is_a_note(picture: Path) -> None:
    from restora import restore

    array = picture.with_suffix(".npy")
    np.save(array, 1.2 * TAPS / TAPS.sum())
    degradation = Blur(psf=str(array))
    y = degradation.A(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    with pytest.warns(RestorationWarning, match=r"the blur kernel sums to 1\.2, not 1"):
        found = restore(y, degradation, method="tv")
    assert all("sums to 1.2" in texts[0] for texts in found.warnings)


@pytest.mark.parametrize("name", ["missing.png", "text.png", "cube.npy", "objects.npy", "nothing.npy"])
def test_what_holds_no_kernel(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.png").write_text("no picture")
    np.save(tmp_path / "cube.npy", np.ones((2, 3, 4)))
    np.save(tmp_path / "objects.npy", np.array([[print]]), allow_pickle=True)
    np.save(tmp_path / "nothing.npy", np.zeros((3, 3)))
    with pytest.raises(OptionError, match=r"^psf: expected a file with a kernel") as caught:
        Blur(psf=str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_command_line(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(60, 200, (40, 48, 3), np.uint8)).save(tmp_path / "photo.png")
    blurred, out = tmp_path / "blurred", tmp_path / "out"
    options = ["--task", "deblur", "--psf", str(picture), "--sigma", "0.01"]
    assert main(["degrade", str(tmp_path / "photo.png"), "-o", str(blurred), *options]) == 0
    run = ["restore", str(blurred / "photo.png"), "-o", str(out), *options, "--method", "tv"]
    assert main(run) == 0
    assert '"psf sha256"' in (out / "restora.json").read_text()
    capsys.readouterr()
    Image.fromarray(TAPS.T.copy()).save(picture)  # another kernel in the same file: not what was done
    assert main(run) != 0 or "settings" in capsys.readouterr().err
    assert main([*run[:-2], "--psf", "none.png", "--overwrite"]) == 2
    assert "--psf: expected a file with a kernel" in capsys.readouterr().err


def test_the_page_reads_no_files(picture: Path) -> None:
    """A visitor names no file of the machine."""
    pytest.importorskip("fastapi")
    from restora.web import words, work
    from restora.web.limits import Limits
    from restora.web.requests import Request, Step

    shown = {option["name"] for task in words.tasks() for option in task["options"]}
    assert "width" in shown
    assert "psf" not in shown
    request = Request(pictures=["a"], steps=[Step(task="deblur", options={"psf": str(picture)})])
    with pytest.raises(OptionError, match="psf: names a file, which the page cannot read"):
        work.task_of(request, None, Limits())

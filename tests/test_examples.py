"""Every example is short, and prints or writes what it promises.

`make docs` runs all of the gallery, plot_*.py, and stops at an error; those that print a PSNR run here too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from restora.cli import main
from restora.pictures import image

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
OWN_DOMAIN = next(path for path in EXAMPLES if path.stem == "own_domain")
SMALL = ("--size", "16", "--width", "4", "--blocks", "1", "--batch", "4", "--images", "8", "--device", "cpu")


GALLERY = [path for path in EXAMPLES if path.stem.startswith("plot_")]
RUN = [path for path in EXAMPLES if re.search(r"print\(.* dB", path.read_text(encoding="utf-8"))]


def run(path: Path, folder: Path) -> str:
    command, quiet = [sys.executable, path, folder], {**os.environ, "MPLBACKEND": "Agg"}
    return subprocess.run(command, env=quiet, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("path", GALLERY, ids=lambda p: p.stem)
def test_pages_of_the_gallery(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(r'"""\n[A-Z][^\n]*\n=+\n\n', text), "a title, underlined, and a paragraph"
    assert len(text.splitlines()) <= 75
    assert text.count("plt.subplots(") == 1


def test_three_are_notebooks() -> None:
    assert [path.stem for path in GALLERY][:3] == ["plot_1_photo", "plot_2_uncertainty", "plot_3_own_domain"]


@pytest.mark.parametrize("path", RUN, ids=lambda p: p.stem)
def test_runs(path: Path, tmp_path: Path) -> None:
    decibels = [float(value) for value in re.findall(r"([\d.]+) dB", run(path, tmp_path))]
    assert decibels
    assert max(decibels) > 20


def test_images_of_the_tutorial_train_a_prior(tmp_path: Path) -> None:
    run(OWN_DOMAIN, tmp_path)
    for kind, channels, counts in (("textures", 1, (312, 12)), ("stains", 2, (104, 4))):
        for part, count in zip(("train", "test"), counts, strict=True):
            files = sorted((tmp_path / kind / part).iterdir())
            assert len(files) == count
            picture = image.read(files[0])
            assert (picture.bits, picture.pixels.shape) == (16, (channels, 128, 128))
            assert 0.05 < picture.pixels.std() < 0.4
    words = ("train", "flow", str(tmp_path / "stains" / "test"), "-o", str(tmp_path / "prior"))
    assert main([*words, "--channels", "2", "--crop", "--no-attention", *SMALL, "--batch", "2"]) == 0

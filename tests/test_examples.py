"""Every example runs, is short, and prints or writes what it promises."""

from __future__ import annotations

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


def run(path: Path, folder: Path) -> str:
    assert len(path.read_text().splitlines()) <= 40
    return subprocess.run([sys.executable, path, folder], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path != OWN_DOMAIN], ids=lambda p: p.stem)
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

"""Every example is short, and prints or writes what it promises.

`make docs` runs all of the gallery, plot_*.py, and stops at an error; those that print a PSNR run here too.
"""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("path", GALLERY, ids=lambda p: p.stem)
def test_notebooks_have_the_form_that_jupyter_reads(path: Path) -> None:
    """As sphinx-gallery writes them: cells of nbformat 4, whose code runs in no file."""
    gallery = pytest.importorskip("sphinx_gallery.gen_gallery", reason="needs restora[docs]")
    from sphinx_gallery.notebook import jupyter_notebook
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    _, blocks = split_code_and_text_blocks(str(path))
    notebook = json.loads(
        json.dumps(jupyter_notebook(blocks, dict(gallery.DEFAULT_GALLERY_CONF), "examples"))
    )
    assert notebook["nbformat"] == 4
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["cell_type"] for cell in notebook["cells"]][:2] == ["markdown", "code"]
    for cell in notebook["cells"]:
        keys = {"cell_type", "metadata", "source"}
        code = cell["cell_type"] == "code"
        assert cell.keys() == (keys | {"execution_count", "outputs"} if code else keys)
        if code:
            names = compile("".join(cell["source"]), path.name, "exec").co_names
            assert not {"__file__", "argv"} & set(names)


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

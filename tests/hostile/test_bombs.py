"""Small files that ask for much: a result or one line, in little time and memory."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_bombs import archives, arrays, headers, others, pngs
from hostile_tiffs import TIFFS
from hostile_worker import FINE, Worker
from PIL import Image

from restora.errors import ImageError, WeightsError
from restora.pictures import image
from restora.pictures.headers import jxl_size
from restora.priors import store

MEGABYTES, SECONDS = 300, 20
PICTURES = {f"picture/{name}": make for name, make in {**pngs(), **others(), **TIFFS}.items()}
BOMBS = PICTURES | archives() | headers() | arrays()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    found = Worker(SECONDS)
    yield found
    found.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    data = BOMBS[name]()
    if not data:
        pytest.skip("its extra is not installed")
    path.write_bytes(data)
    answer = worker.ask(path.parent.name, path, MEGABYTES + len(data) / 2**19)
    assert answer.kind in FINE, answer


def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded() -> None:
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = 6
    for size in ((1, 1), (8, 8), (24, 20), (256, 256), (257, 300), (1000, 3), (640, 480), (1920, 1080)):
        for options in ({}, {"use_container": True}, {"exif": exif.tobytes()}):
            stream = io.BytesIO()
            Image.new("RGB", size).save(stream, "JXL", effort=1, **options)
            assert jxl_size(stream.getvalue()) == size


def test_what_is_refused_says_which_bound(tmp_path: Path) -> None:
    said = {
        "scans.jpg": "more than 100 scans",
        "growing.gif": "3000x3000 is 9 megapixels",
        "deflate.tif": "a part of it inflates to more than",
        "overlapping.tif": "more than 100,000 pages, or 500,000 tags",
        "shared-tag.tif": "its pages share their tags",
        "samples.tif": "65535 channels; at most 16",
        "depth.tif": "values; at most 6.4e+07 are accepted",
    }
    for name, text in said.items():
        (tmp_path / name).write_bytes(PICTURES[f"picture/{name}"]())
        with pytest.raises(ImageError, match=re.escape(text)):
            image.load(tmp_path / name, name, 4e6, partial=True)


def test_a_network_that_its_file_cannot_fill(tmp_path: Path) -> None:
    for name in ("memory", "endless"):
        (tmp_path / store.WEIGHTS).write_bytes(BOMBS[f"prior/{name}.safetensors"]())
        with pytest.raises(WeightsError, match="a network that is much larger than its weights"):
            store.load(tmp_path)


@pytest.mark.parametrize("name", store.names())
def test_networks_of_priors_are_within_their_budget(name: str) -> None:
    assert store.load(name).name == name

"""restora.bench.data: which files are taken, and what is said of those that do not fit."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch

from restora.bench.data import read_images
from restora.errors import DataError, OptionError, ShapeError
from restora.pictures import image
from restora.random import seed_of
from restora.runs import window


def write(folder: Path, names: list[str], size: tuple[int, int] = (12, 12)) -> Path:
    for i, name in enumerate(names):
        image.write(folder / f"{name}.png", torch.full((3, *size), i / 100))
    return folder


def zipped(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"inner/{file.name}")
    return path


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("limit", "expected"), [(None, range(10)), (1, [0]), (3, [0, 3, 6]), (4, [0, 2, 5, 7]), (10, range(10))]
)
def test_limit_is_evenly_spaced(tmp_path: Path, kind: str, limit: int | None, expected: list[int]) -> None:
    source = write(tmp_path / "set", [f"n{i}" for i in range(10)])
    if kind == "zip":
        source = zipped(tmp_path / "set.zip", source)
    images = read_images([source], limit)
    assert images.names == [f"n{i}" for i in expected]
    assert [round(255 * x[0, 0, 0].item()) for x in images.truth] == [round(2.55 * i) for i in expected]


def test_several_sources_and_names_that_come_again(tmp_path: Path) -> None:
    first, second = write(tmp_path / "one", ["a", "b"]), write(tmp_path / "two", ["a", "a-2"])
    images = read_images([first, zipped(tmp_path / "two.zip", second)])
    assert images.stems == ["a", "b", "a-2", "a"]
    assert images.names == ["a", "b", "a-2", "a-3"]


def test_seeds_depend_on_the_stem_alone(tmp_path: Path) -> None:
    source = write(tmp_path / "set", [f"n{i}" for i in range(6)])
    few, all_ = read_images([source], 3), read_images([source])
    assert few.names[1] == all_.names[2] == "n2"
    assert few.seeds(range(1, 2), 4) == all_.seeds(range(2, 3), 4) == [seed_of("n2", 4)]
    assert few.seeds(range(2), 4) != few.seeds(range(2), 5)


def test_digest_tells_images_apart(tmp_path: Path) -> None:
    source = write(tmp_path / "set", ["a", "b"])
    before = read_images([source]).digest()
    assert read_images([source]).digest() == before
    write(source, ["b"])
    assert read_images([source]).digest() != before


def test_sizes_may_differ_but_not_in_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "set", list("abcdef"))
    write(source, ["b", "e"], (12, 14))
    images = read_images([source])
    assert images.shapes == [(3, 12, 12), (3, 12, 14)]
    assert images.size == "12x12 and 14x12"
    assert images.batches(3) == [[0, 2, 3], [5], [1, 4]]
    assert tuple(images.stack([1, 4]).shape) == (2, 3, 12, 14)
    monkeypatch.setattr(window, "MAX_PIXELS", 2 * 12 * 14 - 1)
    assert images.batches(3) == [[0, 2], [3, 5], [1], [4]]
    for i, name in enumerate("abcdef"):
        write(source, [name], (12, 12 + i))
    assert read_images([source]).size == "6 sizes from 12x12 to 17x12"


def test_digest_of_one_size_is_that_of_earlier_versions(tmp_path: Path) -> None:
    images = read_images([write(tmp_path / "set", ["a", "b"])])
    whole = torch.stack(images.truth)
    expected = hashlib.sha256(b"['a', 'b'](2, 3, 12, 12)" + whole.numpy().tobytes()).hexdigest()
    assert images.digest() == expected


def test_multiple_takes_the_centre(tmp_path: Path) -> None:
    whole = torch.rand(3, 21, 27, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "set" / "a.png", whole)
    (cut,) = read_images([tmp_path / "set"], multiple=8).truth
    assert torch.equal(cut, image.read(tmp_path / "set" / "a.png").pixels[:, 2:18, 1:25])
    (same,) = read_images([tmp_path / "set"], multiple=3).truth
    assert tuple(same.shape) == (3, 21, 27)


def test_grey(tmp_path: Path) -> None:
    colour = torch.tensor([1.0, 0, 0]).view(3, 1, 1).expand(3, 12, 12)
    image.write(tmp_path / "set" / "a.png", colour)
    (grey,) = read_images([tmp_path / "set"], channels=1).truth
    torch.testing.assert_close(grey, torch.full((1, 12, 12), 0.299))


def test_fewer_than_the_limit(tmp_path: Path) -> None:
    source = write(tmp_path / "set", ["a", "b"])
    with pytest.raises(DataError, match=r"limit=3: expected at least 3 images in .*, got 2; lower it"):
        read_images([source], 3)
    with pytest.raises(OptionError, match="at least 1, got 0"):
        read_images([source], 0)


def test_one_unreadable_is_left_out_and_none_readable_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path / "set", ["a", "b"])
    (source / "a.png").write_bytes(b"nothing")
    images = read_images([source])
    assert images.names == ["b"]
    assert len(images.errors) == 1
    assert "a.png: not an image" in images.errors[0]
    (source / "b.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"none of 2 images could be read; the first: .*a\.png"):
        read_images([source])


def test_what_is_in_the_output_folder_is_no_data(tmp_path: Path) -> None:
    source = write(tmp_path / "set", ["a", "b"])
    write(source / "bench" / "restored", ["c"])
    assert read_images([source], output=source / "bench").names == ["a", "b"]
    assert set(read_images([source]).names) == set("abc")
    with pytest.raises(DataError, match="but those in the output folder"):
        read_images([source / "bench"], output=source / "bench")


def test_too_small_for_the_metrics(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="is 9x12; expected images of at least 11x11"):
        read_images([write(tmp_path / "set", ["a"], (12, 9))])

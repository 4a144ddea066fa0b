"""restora.runs.items: which inputs there are, and where their results go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from restora.errors import ImageError, OutputError
from restora.pictures.file import File, digest
from restora.random import seed_of
from restora.runs.items import Item, collect, make_folder, sample_paths


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(items: list[Item]) -> list[str]:
    return [item.path.name for item in items]


def test_folder_gives_its_pictures_in_name_order(tmp_path: Path) -> None:
    touch(*(tmp_path / n for n in ("b.png", "a.JPG", "c.TIFF", "notes.txt", ".hidden.png", "._a.jpg")))
    touch(tmp_path / "d.png" / "inside.png")
    assert names(collect([tmp_path], tmp_path / "out", 0)) == ["a.JPG", "b.png", "c.TIFF"]


def test_inputs_keep_their_order_and_come_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.gif")
    given = [tmp_path / "c.gif", tmp_path / "b.png", tmp_path / "*.png"]
    assert names(collect(given, tmp_path / "out", 0)) == ["c.gif", "b.png", "a.png"]


def test_pattern_finds_pictures_also_in_folders(tmp_path: Path) -> None:
    touch(tmp_path / "1" / "a.png", tmp_path / "2" / "b.png", tmp_path / "notes.txt")
    assert names(collect([tmp_path / "*"], tmp_path / "out", 0)) == ["a.png", "b.png"]
    assert names(collect([tmp_path / "**" / "*.png"], tmp_path / "out", 0)) == ["a.png", "b.png"]


def test_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path / "a[1].png", tmp_path / "a1.png")
    assert names(collect([tmp_path / "a[1].png"], tmp_path / "out", 0)) == ["a[1].png"]


def test_manifest_among_the_inputs_of_a_shell_pattern_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "restora.json")
    everything = sorted(tmp_path.iterdir())
    assert names(collect(everything, tmp_path / "out", 0)) == ["a.png"]
    with pytest.raises(ImageError, match="no picture among the inputs"):
        collect([tmp_path / "restora.json"], tmp_path / "out", 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing: no such file or folder, and no picture matches"),
        ("*.png", "no picture matches it as a pattern"),
        ("x" * 300 + ".png", "cannot be read (File name too long)"),
        ("empty", "no picture in this folder; expected .png"),
    ],
)
def test_input_that_names_nothing(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError) as caught:
        collect([tmp_path / name], tmp_path / "out", 0)
    assert message in str(caught.value)


def test_outputs_and_seed(tmp_path: Path) -> None:
    touch(tmp_path / "a.b.jpg")
    (item,) = collect([tmp_path], Path("out"), 7, samples=3, trace=True)
    assert item.pictures == [Path("out/a.b.png"), Path("out/a.b-2.png"), Path("out/a.b-3.png")]
    assert item.outputs == [*item.pictures, Path("out/a.b-trace.webp")]
    assert item.seed == seed_of("a.b", 7)
    assert sample_paths(Path("out/a.png"), 1) == [Path("out/a.png")]


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    touch(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")))
    (item,) = collect([tmp_path], tmp_path / "out", 0)
    assert item.seed != seed_of("caf", 0)


def test_same_stem_twice(tmp_path: Path) -> None:
    touch(tmp_path / "1" / "a.png", tmp_path / "2" / "a.jpg")
    with pytest.raises(
        OutputError, match=r"a\.png and .*a\.jpg would both be written to .*a\.png; rename one"
    ):
        collect([tmp_path / "1", tmp_path / "2"], tmp_path / "out", 0)


def test_second_sample_of_one_and_result_of_another(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a-2.png")
    assert len(collect([tmp_path], tmp_path / "out", 0)) == 2
    with pytest.raises(OutputError, match=r"would both be written to .*a-2\.png"):
        collect([tmp_path], tmp_path / "out", 0, samples=2)


def test_standard_deviation_of_one_and_result_of_another(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a-std.png")
    (item, _) = collect([tmp_path / "a.png", tmp_path / "a-std.png"], tmp_path / "out", 0)
    assert item.maps == []
    (item,) = collect([tmp_path / "a.png"], Path("out"), 0, samples=2, trace=True, uncertainty=True)
    assert [path.name for path in item.maps] == ["a-std.png", "a-std.tiff"]
    assert item.outputs == [*item.pictures, *item.maps, Path("out/a-trace.webp")]
    with pytest.raises(OutputError, match=r"would both be written to .*a-std\.png"):
        collect([tmp_path], tmp_path / "out", 0, uncertainty=True)


def test_result_over_an_input(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "masks" / "a.png")
    with pytest.raises(OutputError, match=r"a\.png: this input would be overwritten"):
        collect([tmp_path / "a.png"], tmp_path / "masks" / "..", 0)
    with pytest.raises(OutputError, match="this input would be overwritten"):
        collect(
            [tmp_path / "a.png"],
            tmp_path / "masks",
            0,
            partners=lambda path: {"mask": File(tmp_path / "masks" / path.name)},
        )


def test_jpeg_beside_its_result(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    assert collect([tmp_path / "a.jpg"], tmp_path, 0)[0].pictures == [tmp_path / "a.png"]


def test_digests_follow_the_picture_and_its_mask(tmp_path: Path) -> None:
    picture, mask = tmp_path / "a.png", tmp_path / "mask.png"
    touch(picture, mask)
    digests = lambda: collect([picture], tmp_path / "out", 0, partners=partners)[0].digests()  # noqa: E731
    partners = lambda path: {"mask": File(mask)}  # noqa: E731
    before = digests()
    assert before == {"sha256": digest(picture), "mask sha256": digest(mask)}
    mask.write_bytes(b"y")
    assert digests()["sha256"] == before["sha256"]
    assert digests()["mask sha256"] != before["mask sha256"]


def test_digest_is_sha256_and_empty_for_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "b") == ""


def test_failure_is_one_line_that_names_the_file_once() -> None:
    item = Item(Path("in/a.png"), 0, [Path("out/a.png")])
    item.fail(ImageError("in/a.png: truncated\nor damaged"))
    assert (item.status, item.facts) == ("failed", {"error": "truncated or damaged"})


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    touch(tmp_path / "file")
    with pytest.raises(OutputError, match="file is a file; expected a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "inside")
    make_folder(tmp_path / "new" / "inside")
    assert (tmp_path / "new" / "inside").is_dir()

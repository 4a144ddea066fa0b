"""restora.runs.items: which inputs there are, and where their results go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from restora.errors import ImageError, OutputError
from restora.pictures.file import File, digest
from restora.random import seed_of
from restora.runs.item import Item
from restora.runs.items import collect, make_folder, sample_paths


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
    with pytest.raises(ImageError, match="no image among the inputs"):
        collect([tmp_path / "restora.json"], tmp_path / "out", 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing: no such file or folder, and no image matches"),
        ("*.png", "no image matches it as a pattern"),
        ("x" * 300 + ".png", "cannot be read (File name too long)"),
        ("empty", "no image in this folder; expected .png"),
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


def results(items: list[Item], output: Path) -> dict[str, str]:
    """Which input becomes which picture."""
    return {item.path.name: item.pictures[0].relative_to(output).as_posix() for item in items}


def test_same_stem_twice_in_a_folder(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.png", "a.jpg", "a.JPG", "b.png")))
    items = collect([tmp_path], tmp_path / "out", 0)
    assert sorted(item.pictures[0].name for item in items) == ["a-JPG.png", "a-jpg.png", "a-png.png", "b.png"]
    assert len({item.seed for item in items}) == 4
    assert [item.seed for item in items if item.path.name == "b.png"] == [seed_of("b", 0)]


def test_a_stem_with_the_suffix_of_another_in_it(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a.png", "a.jpg", "a-png.png")))
    items = collect([tmp_path], tmp_path / "out", 0)
    assert results(items, tmp_path / "out") == {
        "a.jpg": "a-jpg.png",
        "a.png": "a-png.png",
        "a-png.png": "a-png-png.png",
    }


def test_same_name_in_two_folders_keeps_the_folders_of_all(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("1/page.png", "2/page.png", "2/other.png", "2/3/page.png")))
    given = [tmp_path / "1", tmp_path / "2", tmp_path / "2" / "3" / "page.png"]
    items = collect(given, Path("out"), 7)
    names = ["1/page", "2/other", "2/page", "2/3/page"]
    assert [item.pictures[0] for item in items] == [Path("out") / f"{name}.png" for name in names]
    assert [item.seed for item in items] == [seed_of(name, 7) for name in names]
    again = collect(list(reversed(given)), Path("out"), 7)
    assert {(item.path, item.pictures[0]) for item in again} == {(i.path, i.pictures[0]) for i in items}


def test_folders_below_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "in"
    touch(*(root / name for name in ("a.png", "x/a.png", "x/y/b.jpg", "z/notes.txt", ".git/c.png", "n.doc")))
    (root / "x" / "loop").symlink_to(root)
    notes: list[str] = []
    (item,) = collect([root], Path("out"), 0, note=notes.append)
    assert item.pictures == [Path("out/a.png")]
    assert notes == [
        "skipped 1 file of another kind: n.doc",
        "skipped 2 folders: x, z; add recursive=True for the images in them",
    ]
    notes.clear()
    items = collect([root], Path("out"), 0, recursive=True, samples=2, uncertainty=True, note=notes.append)
    assert [item.pictures[0] for item in items] == [Path(f"out/{n}.png") for n in ("a", "x/a", "x/y/b")]
    assert items[1].names(*items[1].outputs) == ["x/a.png", "x/a-2.png", "x/a-std.png", "x/a-std.tiff"]
    assert [item.seed for item in items] == [seed_of(n, 0) for n in ("a", "x/a", "x/y/b")]
    assert notes == ["skipped 2 files of other kinds: n.doc, z/notes.txt"]


def test_many_files_that_are_no_pictures_are_counted(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", *(tmp_path / f"{k}.txt" for k in range(9)))
    notes: list[str] = []
    collect([tmp_path], tmp_path / "out", 0, note=notes.append)
    assert notes == [
        "skipped 9 files of other kinds: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt, 4 more",
    ]


def test_folder_of_folders_alone_says_what_to_add(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "x" / "a.png")
    with pytest.raises(ImageError, match=r"no image in this folder; .*; add recursive=True"):
        collect([tmp_path / "in"], tmp_path / "out", 0)
    (tmp_path / "empty" / "x").mkdir(parents=True)
    with pytest.raises(ImageError, match=r"no image in this folder or below it; expected \.png"):
        collect([tmp_path / "empty"], tmp_path / "out", 0, recursive=True)


def test_results_are_no_inputs(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.jpg")
    files = {"a.jpg": {"outputs": ["a.png"]}, "b.jpg": {"outputs": ["x/b.png"]}}
    for output, written in ((tmp_path, "a.png"), (tmp_path / "out", "out/x/b.png")):
        touch(tmp_path / written)
        (output / "restora.json").write_text(json.dumps({"files": files}))
        notes: list[str] = []
        items = collect([tmp_path], output, 0, recursive=output != tmp_path, note=notes.append)
        assert "a.jpg" in names(items)
        assert tmp_path / written not in [item.path for item in items]
    everything = sorted(p for p in tmp_path.iterdir() if p.name != "a.png")
    assert names(collect(everything, tmp_path / "out", 0)) == ["a.jpg", "b.jpg"]
    with pytest.raises(ImageError, match="no image among the inputs"):
        collect([tmp_path / "out"], tmp_path / "out", 0)


def test_a_file_by_two_paths_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "in" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert len(collect([Path("in"), Path("in/a.png"), tmp_path / "in" / ".." / "in"], Path("out"), 0)) == 1


def test_mask_of_a_file_in_a_tree(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "x" / "a.png", tmp_path / "in" / "b.png")
    asked: list[tuple[Path, Path]] = []

    def partners(path: Path, place: Path) -> dict[str, File]:
        asked.append((path.relative_to(tmp_path), place))
        return {}

    collect([tmp_path / "in"], tmp_path / "out", 0, recursive=True, partners=partners)
    assert set(asked) == {(Path("in/b.png"), Path()), (Path("in/x/a.png"), Path("x"))}


def test_second_sample_of_one_and_result_of_another(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a-2.png")
    assert results(collect([tmp_path], tmp_path / "out", 0), tmp_path / "out")["a-2.png"] == "a-2.png"
    items = collect([tmp_path], tmp_path / "out", 0, samples=2)
    outputs = [path.name for item in items for path in item.outputs]
    assert sorted(outputs) == ["a-2-png-2.png", "a-2-png.png", "a-png-2.png", "a-png.png"]


def test_standard_deviation_of_one_and_result_of_another(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a-std.png")
    (item, _) = collect([tmp_path / "a.png", tmp_path / "a-std.png"], tmp_path / "out", 0)
    assert item.maps == []
    (item,) = collect([tmp_path / "a.png"], Path("out"), 0, samples=2, trace=True, uncertainty=True)
    assert [path.name for path in item.maps] == ["a-std.png", "a-std.tiff"]
    assert item.outputs == [*item.pictures, *item.maps, Path("out/a-trace.webp")]
    items = collect([tmp_path], tmp_path / "out", 0, uncertainty=True)
    assert len({path for item in items for path in item.outputs}) == 6


def test_file_for_the_result_of_one_input(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "b.png")
    (item,) = collect([tmp_path / "a.png"], Path("x/result.JPG"), 3, samples=2, trace=True, uncertainty=True)
    names = ["result.JPG", "result-2.JPG", "result-std.png", "result-std.tiff", "result-trace.webp"]
    assert item.outputs == [Path("x") / name for name in names]
    assert item.seed == seed_of("a", 3)
    with pytest.raises(OutputError, match=r"result\.png is one file, but there are 2 inputs"):
        collect([tmp_path], tmp_path / "result.png", 0)
    with pytest.raises(OutputError, match=r"result\.pdf: \.pdf cannot be written; expected one of \.png"):
        collect([tmp_path / "a.png"], tmp_path / "result.pdf", 0)
    with pytest.raises(OutputError, match="this input would be overwritten"):
        collect([tmp_path / "a.png"], tmp_path / "a.png", 0)
    (tmp_path / "folder.png").mkdir()
    (item,) = collect([tmp_path / "a.png"], tmp_path / "folder.png", 0)
    assert item.pictures == [tmp_path / "folder.png" / "a.png"]


def test_result_over_an_input(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "masks" / "a.png")
    with pytest.raises(OutputError, match=r"a\.png: this input would be overwritten"):
        collect([tmp_path / "a.png"], tmp_path / "masks" / "..", 0)
    with pytest.raises(OutputError, match="this input would be overwritten"):
        collect(
            [tmp_path / "a.png"],
            tmp_path / "masks",
            0,
            partners=lambda path, place: {"mask": File(tmp_path / "masks" / path.name)},
        )


def test_jpeg_beside_its_result(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    assert collect([tmp_path / "a.jpg"], tmp_path, 0)[0].pictures == [tmp_path / "a.png"]


def test_digests_follow_the_picture_and_its_mask(tmp_path: Path) -> None:
    picture, mask = tmp_path / "a.png", tmp_path / "mask.png"
    touch(picture, mask)
    digests = lambda: collect([picture], tmp_path / "out", 0, partners=partners)[0].digests()  # noqa: E731
    partners = lambda path, place: {"mask": File(mask)}  # noqa: E731
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
    with pytest.raises(OutputError, match="cannot create this folder"):
        make_folder(tmp_path / "file" / "inside")
    make_folder(tmp_path / "new" / "inside")
    assert (tmp_path / "new" / "inside").is_dir()

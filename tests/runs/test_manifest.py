"""restora.runs.manifest: what is kept, what is done again, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from restora.errors import OutputError
from restora.pictures.file import File
from restora.runs.item import Item
from restora.runs.items import Inputs
from restora.runs.journal import journals
from restora.runs.manifest import Manifest

SETTINGS = {"task": "denoise", "method settings": {"iterations": 5}}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_text(name)
    return folder


def plan(source: Path, out: Path, settings: dict[str, Any] = SETTINGS, **options: Any) -> list[Item]:
    """What a run that is killed at once would have restored."""
    manifest = Manifest(out, settings, options.pop("overwrite", False))
    inputs = Inputs([source], out, 0, **options)
    manifest.begin(inputs)
    return [item for item in inputs if not manifest.keep(item)]


def write(item: Item) -> None:
    for path in item.outputs:
        path.write_text(f"result of {item.path}")
    item.done(outputs=[path.name for path in item.outputs])


def finish(source: Path, out: Path, **options: Any) -> None:
    """A run that writes every output and records it."""
    inputs = Inputs([source], out, 0, **options)
    with Manifest(out, SETTINGS) as manifest:
        manifest.begin(inputs)
        for item in inputs:
            if not manifest.keep(item):
                write(item)
                manifest.record([item])


def entries(out: Path) -> dict[str, Any]:
    return json.loads((out / "restora.json").read_text())["files"]


def stems(items: list[Item]) -> list[str]:
    return [item.path.stem for item in items]


def test_second_run_keeps_what_is_done(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    assert plan(inputs, tmp_path / "out") == []


def test_changed_input_and_missing_output_are_done_again(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    (inputs / "a.png").write_text("changed")
    (tmp_path / "out" / "b.png").unlink()
    assert stems(plan(inputs, tmp_path / "out")) == ["a", "b"]


def test_changed_mask_is_done_again(inputs: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_text("one")
    options = {"partners": lambda path, place: {"mask": File(mask)}}
    finish(inputs, tmp_path / "out", **options)
    assert plan(inputs, tmp_path / "out", **options) == []
    mask.write_text("two")
    assert stems(plan(inputs, tmp_path / "out", **options)) == ["a", "b", "c"]


def test_trace_that_the_earlier_run_did_not_write(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    assert stems(plan(inputs, tmp_path / "out", trace=True)) == ["a", "b", "c"]


def test_overwrite_does_all_again_and_remembers_the_others(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    assert stems(plan(inputs / "a.png", tmp_path / "out", overwrite=True)) == ["a"]
    assert stems(plan(inputs, tmp_path / "out")) == ["a"]


def test_mixture_of_settings_is_refused(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    other = {"task": "denoise", "method settings": {"iterations": 6}}
    with pytest.raises(OutputError) as caught:
        plan(inputs, tmp_path / "out", other)
    assert "other settings (iterations: 5 there, 6 now)" in str(caught.value)
    assert len(plan(inputs, tmp_path / "out", other, overwrite=True)) == 3


def test_other_settings_are_no_mixture_where_nothing_is_done(inputs: Path, tmp_path: Path) -> None:
    plan(inputs, tmp_path / "out")
    assert len(plan(inputs, tmp_path / "out", {"task": "colorize"})) == 3


def test_result_of_another_input_is_not_overwritten(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_text("another a")
    with pytest.raises(OutputError, match=r"a\.png exists already and is the result of .*a\.png"):
        plan(tmp_path / "other", tmp_path / "out")
    assert stems(plan(tmp_path / "other", tmp_path / "out", overwrite=True)) == ["a"]
    assert str(inputs / "a.png") not in entries(tmp_path / "out")  # its result is about to be another's


def test_file_that_restora_did_not_write_is_not_overwritten(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_text("precious")
    with pytest.raises(OutputError, match=r"b\.png exists already and is not a result of restora"):
        plan(inputs, tmp_path / "out")
    assert len(plan(inputs, tmp_path / "out", overwrite=True)) == 3


def test_the_same_input_by_another_path_is_kept(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(inputs, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    assert plan(Path("in"), tmp_path / "out") == []
    assert list(entries(tmp_path / "out")) == ["in/a.png", "in/b.png", "in/c.png"]


def test_killed_run_is_taken_up_again(inputs: Path, tmp_path: Path) -> None:
    (item, *_) = plan(inputs, tmp_path / "out")
    item.pictures[0].write_text("written, but the run was killed before it was recorded")
    assert stems(plan(inputs, tmp_path / "out")) == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["[]", "{}", "not JSON", '{"settings": {}, "files": {"a": 1}}', "\udcff"])
def test_manifest_that_is_not_ours(text: str, tmp_path: Path, inputs: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "restora.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(
        OutputError, match=r"restora\.json: cannot be read \(not as restora writes it\); remove"
    ):
        plan(inputs, tmp_path / "out")


def test_pictures_that_moved_are_kept(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    moved = inputs.rename(tmp_path / "moved")
    assert plan(moved, tmp_path / "out") == []
    assert list(entries(tmp_path / "out")) == [str(moved / f"{name}.png") for name in "abc"]
    (tmp_path / "out" / "b.png").unlink()
    (moved / "c.png").write_text("another")
    assert stems(plan(moved, tmp_path / "out")) == ["b", "c"]


def test_manifest_that_cannot_be_written(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    manifest = Manifest(out, SETTINGS)
    collected = Inputs([inputs], out, 0)
    manifest.begin(collected)
    before = (out / "restora.json").read_text()
    item = collected.item(0)
    write(item)
    manifest.record([item])
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        manifest.close()
    assert "No space left on device" in str(manifest.error)
    assert (out / "restora.json").read_text() == before
    assert [entry["status"] for entry in entries(out).values()] == ["waiting"] * 3
    assert stems(plan(inputs, out)) == ["b", "c"]  # the journal has what is done
    assert [entry["status"] for entry in entries(out).values()] == ["done", "waiting", "waiting"]


def test_journal_that_cannot_be_written_for_a_while(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def full(file: int, data: bytes) -> int:
        """Ten bytes have room."""
        if os.fstat(file).st_size > len(before):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data[:10])

    out = tmp_path / "out"
    collected = Inputs([inputs], out, 0)
    manifest = Manifest(out, SETTINGS)
    manifest.begin(collected)
    (path,) = journals(out)
    before, items = path.read_bytes(), list(collected)
    for item in items:
        write(item)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        manifest.record(items[:1])
        assert "No space left on device" in str(manifest.error)
        assert path.read_bytes() == before  # no half a line
    manifest.record(items[1:2])
    assert manifest.error is None
    assert len(path.read_bytes().splitlines()) == 3
    manifest.close()
    assert [entry["status"] for entry in entries(out).values()] == ["done", "done", "waiting"]


def test_two_runs_at_once_lose_nothing(inputs: Path, tmp_path: Path) -> None:
    out, collected = tmp_path / "out", Inputs([inputs], tmp_path / "out", 0)
    one, two = Manifest(out, SETTINGS), Manifest(out, SETTINGS)
    one.begin(collected)
    first, second, third = collected
    write(first)
    one.record([first])
    two.begin(collected)
    assert two.keep(collected.item(0))  # what the other one has done already
    write(second)
    one.record([second])
    one.close()
    assert [entry["status"] for entry in entries(out).values()] == ["done", "done", "waiting"]
    write(third)
    two.record([third])
    two.close()
    assert [entry["status"] for entry in entries(out).values()] == ["done"] * 3
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.png", "c.png", "restora.json"]


def test_journal_of_a_run_with_other_settings(inputs: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", {"task": "colorize"}
    collected = Inputs([inputs], out, 0)
    manifest = Manifest(out, SETTINGS)
    manifest.begin(collected)
    item = collected.item(0)
    write(item)
    manifest.record([item])  # and is killed
    with pytest.raises(OutputError, match="other settings"):
        plan(inputs, out, other)
    assert len(plan(inputs, out, other, overwrite=True)) == 3


@pytest.mark.parametrize("cut", [0, 1, 20, -1, -30])
def test_journal_that_was_cut(cut: int, inputs: Path, tmp_path: Path) -> None:
    """By a machine that failed: the lines that are whole count."""
    out = tmp_path / "out"
    collected = Inputs([inputs], out, 0)
    manifest = Manifest(out, SETTINGS)
    manifest.begin(collected)
    items = list(collected)
    for item in items:
        write(item)
        manifest.record([item])
    (path,) = journals(out)
    path.write_bytes(path.read_bytes()[:cut])
    assert stems(plan(inputs, out)) == (["a", "b", "c"] if cut >= 0 else ["c"] if cut < -1 else [])


def test_output_folder_that_vanishes(inputs: Path, tmp_path: Path) -> None:
    out, collected = tmp_path / "out", Inputs([inputs], tmp_path / "out", 0)
    manifest = Manifest(out, SETTINGS)
    manifest.begin(collected)
    shutil.rmtree(out)
    item = collected.item(0)
    item.fail(OutputError("no such folder"))
    manifest.record([item])
    manifest.close()
    assert manifest.error is None
    assert entries(out)[str(item.path)]["status"] == "failed"
    assert entries(out)[str(inputs / "b.png")]["status"] == "waiting"

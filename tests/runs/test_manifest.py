"""restora.runs.manifest: what is kept, what is done again, and what is refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from restora.errors import OutputError
from restora.pictures.file import File
from restora.runs.items import Item, collect
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
    overwrite = options.pop("overwrite", False)
    return Manifest(out, settings, overwrite).todo(collect([source], out, 0, **options))


def finish(source: Path, out: Path, **options: Any) -> None:
    """A run that writes every output and records it."""
    items = collect([source], out, 0, **options)
    manifest = Manifest(out, SETTINGS)
    for item in manifest.todo(items):
        for path in item.outputs:
            path.write_text(f"result of {item.path}")
        item.done(outputs=[path.name for path in item.outputs])
    manifest.record([item for item in items if item.status == "done"])


def stems(items: list[Item]) -> list[str]:
    return [item.path.stem for item in items]


def test_second_run_keeps_what_is_done(inputs: Path, tmp_path: Path) -> None:
    finish(inputs, tmp_path / "out")
    items = collect([inputs], tmp_path / "out", 0)
    assert Manifest(tmp_path / "out", SETTINGS).todo(items) == []
    assert [item.status for item in items] == ["kept"] * 3


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
    entries = json.loads((tmp_path / "out" / "restora.json").read_text())["files"]
    assert str(inputs / "a.png") not in entries  # its result is about to be another's


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
    entries = json.loads((tmp_path / "out" / "restora.json").read_text())["files"]
    assert sorted(entries) == ["in/a.png", "in/b.png", "in/c.png"]


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


def test_manifest_that_cannot_be_written_does_not_stop_the_run(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest(tmp_path / "out", SETTINGS)
    items = manifest.todo(collect([inputs], tmp_path / "out", 0))
    before = manifest.path.read_text()

    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        manifest.record(items[:1])
    assert "No space left on device" in str(manifest.error)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["restora.json"]
    assert manifest.path.read_text() == before
    manifest.record(items[1:])
    assert manifest.error is None

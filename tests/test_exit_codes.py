"""The exit codes that every help names, for every command; and progress where stderr is no terminal."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora.cli import commands, main, progress
from restora.pictures import image
from restora.plan import Plan

Command = Callable[..., Any]
NAMES = commands.COMMANDS


@pytest.fixture
def words(clean: Path, tmp_path: Path) -> dict[str, list[object]]:
    """Of each command that can be run in no time."""
    run = [clean, "-o", tmp_path / "out", "--task", "superres", "--scale", "2"]
    return {
        "restore": ["restore", *run, "--method", "bicubic"],
        "degrade": ["degrade", *run],
        "bench": ["bench", tmp_path / "photos", "-o", tmp_path / "b", "--methods", "bicubic"],
        "train": ["train", "gaussian", tmp_path / "photos", "-o", tmp_path / "t", "--size", "8"],
        "inspect": ["inspect", clean],
        "serve": ["serve"],
        "methods": ["methods"],
        "tasks": ["tasks"],
        "priors": ["priors"],
        "demo": ["demo", "-o", tmp_path / "demo"],
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_help_names_the_codes(name: str, restora: Command) -> None:
    done = restora(name, "--help")
    assert done.code == 0
    codes = re.search(r"exit codes: 0 .*; 1 .*; 2 .*; 130 .*; 141 ", done.out.replace("\n", " "))
    assert codes, done.out


@pytest.mark.parametrize("name", ["restore", "degrade", "methods", "tasks"])
def test_0_where_all_is_done_also_with_warnings(
    name: str, words: dict[str, list[object]], clean: Path, restora: Command
) -> None:
    (clean / "notes.txt").write_text("no image")
    done = restora(*words[name])
    assert done.code == 0
    assert ("skipped" in done.err) == (name in ("restore", "degrade"))


@pytest.mark.parametrize("name", ["restore", "degrade"])
@pytest.mark.parametrize("good", [True, False])
def test_1_where_files_failed(
    name: str, good: bool, words: dict[str, list[object]], clean: Path, restora: Command
) -> None:
    for path in sorted(clean.iterdir())[good:]:
        path.write_bytes(b"nothing")
    done = restora(*words[name])
    assert (done.code, len(done.failures())) == (1, 5 - good)


def test_1_where_an_image_of_a_benchmark_failed(
    words: dict[str, list[object]], tmp_path: Path, restora: Command
) -> None:
    for k in range(2):
        image.write(tmp_path / "photos" / f"{k}.png", torch.rand(3, 16, 16))
    (tmp_path / "photos" / "bad.png").write_bytes(b"nothing")
    assert restora(*words["bench"], "--tasks", "superres:scale=2", "--perceptual", "none").code == 1


@pytest.mark.parametrize("name", NAMES)
def test_2_for_wrong_usage(name: str, words: dict[str, list[object]], restora: Command) -> None:
    assert "unknown option '--nothing'" in restora(*words[name], "--nothing").error()


@pytest.mark.parametrize("name", NAMES)
def test_130_where_it_is_stopped(
    name: str, words: dict[str, list[object]], restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[f"restora.cli.{name}"], "run", interrupt)
    done = restora(*words[name])
    assert (done.code, done.err) == (130, "restora: interrupted; what was finished is kept\n")


@pytest.mark.parametrize("name", ["restore", "degrade", "methods", "tasks", "priors"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_141_where_the_reader_leaves(
    name: str,
    stream: str,
    words: dict[str, list[object]],
    clean: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (clean / "notes.txt").write_text("no image")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, stream, pipe)
        code = main([str(word) for word in words[name]])
        monkeypatch.undo()
        told = stream == "stdout" or name in ("restore", "degrade")
        assert code == (141 if told else 0)


def test_without_streams(words: dict[str, list[object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main([str(word) for word in words["restore"]]) == 0


def test_progress_without_a_terminal(
    words: dict[str, list[object]], restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Plan.run

    def slowly(*args: Any) -> Any:
        time.sleep(0.15)
        return real(*args)

    monkeypatch.setattr(progress, "EVERY", 0.05)
    monkeypatch.setattr(Plan, "run", slowly)
    done = restora(*words["restore"], "--batch-size", 1)
    lines = done.err.splitlines()
    assert len(lines) > 5
    assert lines[0] == "restora: bicubic: superres: 0 of 5 (0 %)"
    assert all(re.fullmatch(r"restora: bicubic: superres: \d of 5 \(\d+ %\)(, \d s left)?", x) for x in lines)
    assert any(re.search(r"[1-4] of 5 \([248]0 %\), [01] s left", line) for line in lines)
    count = len(lines)
    time.sleep(0.2)
    assert restora("methods").err == ""
    assert count == len(lines)


def test_progress_of_a_benchmark_and_a_training(
    words: dict[str, list[object]], tmp_path: Path, restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    for k in range(40):
        image.write(tmp_path / "photos" / f"{k:02}.png", torch.rand(3, 16, 16))
    done = restora(*words["bench"], "--tasks", "superres:scale=2", "--perceptual", "none", "--batch-size", 1)
    assert re.search(r"restora: superres:scale=2, bicubic: \d+ s left; \d+ of 40 images \(\d+ %\)", done.err)
    done = restora("train", "dcgan", tmp_path / "photos", "-o", tmp_path / "t", "--size", 8, "--images", 128,
                   "--width", 4, "--batch", 8)  # fmt: skip
    assert (done.code, bool(re.search(r"restora: \d+ % \d+ images, \d+/s, .* min left", done.err))) == (
        0,
        True,
    )


def test_tasks_and_their_options(restora: Command) -> None:
    assert "inpaint     fill what a mask says is missing" in restora("tasks").out
    page = restora("tasks", "deblur").out
    assert max(map(len, page.splitlines())) <= 100
    assert "--angle X" in page
    assert "anticlockwise from horizontal" in " ".join(page.split())
    assert "Did you mean 'inpaint'" in restora("tasks", "scratches").error()


def test_help_of_restore_fits_two_screens_and_every_option_is_explained(
    restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    every = commands.build_parser()._subparsers
    assert every is not None
    for name in ("restore", "degrade"):
        text = restora(name, "--help").out
        assert len(text.splitlines()) <= 100
        parser = every._group_actions[0].choices[name]  # type: ignore[index]
        pages = "".join(
            restora("tasks", task).out
            for task in restora("tasks").out.split("\n")
            if task
            for task in [task.split()[0]]
        )
        for option in parser._option_string_actions:
            assert option in text, option
            assert option in ("-h", "--help", "-o", "--output") or f"  {option}" in text + pages, option


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_stdout_that_is_full_is_one_line(
    words: dict[str, list[object]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = main(["methods"])
        monkeypatch.undo()
    assert (code, capsys.readouterr().err.count("\n")) == (2, 1)

"""What a machine, a disk or another program does to a run costs no finished work."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora.pictures import encoding, image

Command = Callable[..., Any]
WORDS = ("--task", "denoise", "--sigma", "0.1", "--method", "tv", "--device", "cpu", "--batch-size", "4")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for k in range(60):
        image.write(tmp_path / "in" / f"{k:02}.png", torch.rand(3, 16, 16))
    return tmp_path / "in"


def start(source: Path, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "restora", "restore", str(source), "-o", str(out), *WORDS]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def entries(out: Path) -> dict[str, Any]:
    return json.loads((out / "restora.json").read_text())["files"]


def journalled(out: Path) -> set[str]:
    """The results that journals of runs name."""
    lines = [line for path in out.glob(".restora-*.journal") for line in path.read_text().splitlines()[1:]]
    whole = [json.loads(line) for line in lines if line.endswith("]")]
    return {name for _, entry in whole if entry["status"] == "done" for name in entry["outputs"]}


def check(many: Path, out: Path) -> None:
    names = [f"{path.stem}.png" for path in sorted(many.iterdir())]
    assert sorted(path.name for path in out.iterdir()) == [*names, "restora.json"]
    assert {entry["status"] for entry in entries(out).values()} == {"done"}
    for name in names:
        assert image.read(out / name).size == (16, 16)


def test_killed_at_random_moments(many: Path, tmp_path: Path, restora: Command) -> None:
    out, chance = tmp_path / "out", random.Random(0)
    known: dict[str, int] = {}
    for _ in range(3):
        process = start(many, out)
        while not list(out.glob(".restora-*.journal")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for name, written in known.items():
            assert (out / name).stat().st_mtime_ns == written  # what was finished is not done again
        finished = {*journalled(out), *(n for e in entries(out).values() for n in e.get("outputs", []))}
        known = {name: (out / name).stat().st_mtime_ns for name in finished}
    (out / ".restora-0.part").write_bytes(b"half")
    assert restora("restore", many, "-o", out, *WORDS).code == 0
    for name, written in known.items():
        assert (out / name).stat().st_mtime_ns == written
    check(many, out)


def test_two_runs_into_one_folder_at_once(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs = [start(many, out) for _ in range(2)]
    for process in runs:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert output.startswith("60 written") or "kept from an earlier run" in output
    check(many, out)


def test_disk_that_fills_up(many: Path, tmp_path: Path, restora: Command, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out, real = tmp_path / "out", encoding.save
    count = iter(range(100))

    def save(path: Path, *rest: Any) -> None:
        if next(count) == 20:  # from now on, also for the journal and the manifest
            monkeypatch.setattr(os, "write", full)
            monkeypatch.setattr(os, "fsync", full)
            monkeypatch.setattr(os, "replace", full)
        real(path, *rest)

    monkeypatch.setattr(encoding, "save", save)
    done = restora("restore", many, "-o", out, *WORDS)
    assert done.code == 1
    assert all(line.startswith("restora: failed: ") for line in done.err.splitlines())
    assert "No space left on device" in done.err
    monkeypatch.undo()
    kept = int(restora("restore", many, "-o", out, *WORDS).out.split(", ")[1].split()[0])
    assert 15 <= kept <= 20
    check(many, out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_is_read_only(many: Path, tmp_path: Path, restora: Command) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    assert "cannot be written" in restora("restore", many, "-o", out, *WORDS).error()


def test_input_that_vanishes(many: Path, tmp_path: Path, restora: Command, monkeypatch: Any) -> None:
    real = encoding.save

    def save(path: Path, *rest: Any) -> None:
        (many / "59.png").unlink(missing_ok=True)
        real(path, *rest)

    monkeypatch.setattr(encoding, "save", save)
    monkeypatch.setattr("restora.runs.ahead.DEPTH", 4)
    (failure,) = restora("restore", many, "-o", tmp_path / "out", *WORDS).failures()
    assert failure == f"{many / '59.png'}: cannot be read (No such file or directory)"


def test_clock_that_jumps(many: Path, tmp_path: Path, restora: Command, monkeypatch: Any) -> None:
    chance = random.Random(0)
    monkeypatch.setattr(time, "time", lambda: chance.uniform(-1e9, 1e10))
    assert restora("restore", many, "-o", tmp_path / "out", *WORDS).code == 0
    assert restora("restore", many, "-o", tmp_path / "out", *WORDS).out.startswith("0 written")

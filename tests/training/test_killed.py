"""A training run that is killed at any moment resumes to the same weights as an unbroken run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from restora.pictures import image
from restora.pictures.atomic import is_part
from restora.training.loop import CHECKPOINT

OFTEN = """import functools, sys
from restora.cli import main
from restora.training import loop
loop.run = functools.partial(loop.run, every=0)  # a checkpoint after each step
sys.exit(main(sys.argv[1:]))"""
SMALL = ("--size", "16", "--batch", "4", "--images", "120")
KINDS = {
    "flow": (*SMALL, "--width", "8", "--blocks", "1", "--warmup", "8", "--average-images", "40"),
    "dcgan": (*SMALL, "--width", "4", "--width-discriminator", "4"),
}


def start(kind: str, data: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    words = ["train", kind, str(data), "-o", str(out), "--device", "cpu", *KINDS[kind], *more]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command, pipe = [sys.executable, "-c", OFTEN, *words], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def parts(out: Path) -> list[str]:
    """What is being written."""
    return [name for name in os.listdir(out) if is_part(name)] if out.exists() else []


def prior(out: Path) -> tuple[bytes, Any]:
    """The weights, byte for byte, and the card, but for the minutes that the training took."""
    path = out / "prior.safetensors"
    with safe_open(path, "pt") as file:
        head = json.loads(file.metadata()["restora.prior"])
    del head["card"]["training_minutes"]
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :], head


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_moment(kind: str, tmp_path: Path) -> None:
    generator, chance = torch.Generator().manual_seed(0), random.Random(kind)
    for i in range(12):
        image.write(tmp_path / "data" / f"{i}.png", torch.rand(3, 16, 16, generator=generator))
    whole, out = tmp_path / "whole", tmp_path / "out"
    finish(start(kind, tmp_path / "data", whole))
    writing = kills = 0
    for k in range(3):
        resume = ["--resume"] if (out / CHECKPOINT).exists() else []
        process = start(kind, tmp_path / "data", out, *resume)
        seen = (out / CHECKPOINT).stat().st_mtime_ns if resume else 0
        while process.poll() is None:  # until it has trained
            if (out / CHECKPOINT).exists() and (out / CHECKPOINT).stat().st_mtime_ns != seen:
                break
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.2))
        while k % 2 and process.poll() is None and not parts(out):
            pass  # until a file is being written
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        writing += bool(parts(out))
    finish(start(kind, tmp_path / "data", out, "--resume"))
    assert kills
    assert writing
    assert not parts(out)
    assert prior(out) == prior(whole)

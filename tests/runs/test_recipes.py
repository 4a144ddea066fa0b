"""The recipes of examples/cluster, as far as one machine runs them; tests/ray gives more of them to Ray."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from restora.cli.commands import build_parser
from restora.cli.engines import make_engine
from restora.pictures import image
from restora.runs.engines import Ray

RECIPES = Path(__file__).parents[2] / "examples" / "cluster"
WORDS = ("--task", "denoise", "--sigma", "0.1", "--method", "tv", "--device", "cpu")


def commands(path: Path) -> list[str]:
    return re.findall(r"restora (restore s3:[^\"\n]*)", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["cluster.yaml", "rayjob.yaml"])
def test_recipes_for_ray(name: str) -> None:
    recipe = yaml.safe_load((RECIPES / name).read_text(encoding="utf-8"))
    assert recipe.get("cluster_name", recipe.get("kind")) in ("restora", "RayJob")
    (command,) = commands(RECIPES / name)
    args = build_parser(["restore"]).parse_args(command.replace("s3:", "memory:").split())
    assert make_engine(args) == Ray(address="auto")


def test_image_of_the_job_has_the_pinned_ray() -> None:
    (pin,) = re.findall(r"(?m)^ray==(.*)$", (RECIPES.parents[1] / "constraints.txt").read_text())
    text = (RECIPES / "rayjob.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["spec"]["rayClusterSpec"]["rayVersion"] == pin
    assert f"rayproject/ray:{pin}-" in text


@pytest.fixture
def array(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two tasks of an array, at once, as Slurm starts them."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "restora"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m restora "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    own = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), "SLURM_ARRAY_TASK_COUNT": "2"}
    command = ["bash", str(RECIPES / "array.sh"), str(tmp_path / "in"), str(tmp_path / "out"), *WORDS]

    def start(task: int) -> subprocess.Popen[str]:
        slurm = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_MIN": "5"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env={**own, **slurm}, stdout=pipe, stderr=pipe, text=True)

    for name in ("one", "two", "a third"):
        for k in range(3):
            image.write(tmp_path / "in" / name / f"{k}.png", torch.rand(3, 12, 12))
    (tmp_path / "in" / "one" / "bad.png").write_bytes(b"not an image")
    tasks = [start(5), start(6)]
    yield tasks
    for task in tasks:
        task.kill()
        task.wait()


def test_array_of_slurm(array: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    """A file that fails stops neither its task nor the other, and its task says so."""
    told = [task.communicate(timeout=120) for task in array]
    assert [task.returncode for task in array] == [0, 1], told
    assert [len(out.splitlines()) for out, _ in told] == [2, 1]
    for name in ("one", "two", "a third"):
        files = json.loads((tmp_path / "out" / name / "restora.json").read_text())["files"]
        assert sum(entry["status"] == "done" for entry in files.values()) == 3
        assert len(list((tmp_path / "out" / name).glob("*.png"))) == 3

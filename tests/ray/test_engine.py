"""restora.runs.engines.ray on two nodes of a cluster on this machine: `make test-ray` runs this."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from reliability import actors

from restora.pictures import image

Command = Callable[..., Any]
WORDS = ("--task", "denoise", "--sigma", 0.1, "--method", "tv", "--device", "cpu")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for k in range(150):
        image.write(tmp_path / "in" / f"{k:03} é.png", torch.rand(3, 16, 16))
    (tmp_path / "in" / "007 none.png").write_bytes(b"not an image")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Two nodes of a Ray cluster on this machine."""
    ray = pytest.importorskip("ray", reason="needs restora[ray]")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs restora[ray]")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield ray
    ray.shutdown()
    cluster.shutdown()


def results(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != "restora.json"}


def content(out: Path) -> dict[str, Any]:
    found = json.loads((out / "restora.json").read_text())
    for entry in found["files"].values():
        entry.pop("seconds", None)
    return found


@pytest.mark.slow
def test_ray_gives_the_same_bytes(many: Path, tmp_path: Path, restora: Command, ray: Any) -> None:
    for engine in ("local", "ray"):
        done = restora("restore", many, "-o", tmp_path / engine, "--engine", engine, *WORDS)
        (failure,) = (line for line in done.err.splitlines() if "failed: " in line)
        assert failure.startswith(f"restora: failed: {many / '007 none.png'}: not an image")
        assert done.out == f"150 written to {tmp_path / engine}, 1 failed\n"
    assert results(tmp_path / "local") == results(tmp_path / "ray")
    assert content(tmp_path / "local") == content(tmp_path / "ray")
    again = restora("restore", many, "-o", tmp_path / "ray", "--engine", "ray", *WORDS)
    assert again.out == f"0 written to {tmp_path / 'ray'}, 150 kept from an earlier run, 1 failed\n"


@pytest.mark.slow
def test_actors_that_are_killed(many: Path, tmp_path: Path, restora: Command, ray: Any) -> None:
    """What they finished is not done again, and what they had begun is."""
    for path in many.iterdir():
        image.write(path, torch.rand(3, 96, 96))  # takes long enough to be interrupted
    out, stop = tmp_path / "out", threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not stop.wait(0.02) and len(killed) < 2:
            if out.exists() and len(list(out.glob("*.png"))) > 10 * (len(killed) + 1):
                for pid in set(actors()[:1]) - set(killed):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        done = restora("restore", many, "-o", out, "--engine", "ray", "--workers", 2, *WORDS)
    finally:
        stop.set()
        thread.join()
    assert done.code == 0, done.err
    assert {entry["status"] for entry in content(out)["files"].values()} == {"done"}
    assert killed
    last = restora("restore", many, "-o", out, *WORDS)  # removes what the killed had begun to write
    assert last.out == f"0 written to {out}, 151 kept from an earlier run\n"
    assert len(results(out)) == 151

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
import yaml
from reliability import actors, finished

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
def ray() -> Any:
    return pytest.importorskip("ray", reason="needs restora[ray]")


@pytest.fixture(scope="module", autouse=True)
def cluster(ray: Any) -> Iterator[Any]:
    """Two nodes on this machine; this process is on the first."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs restora[ray]")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def results(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != "restora.json"}


def content(out: Path) -> dict[str, Any]:
    found = json.loads((out / "restora.json").read_text())
    for entry in found["files"].values():
        entry.pop("seconds", None)
    return found


def test_recipe_of_a_cluster(ray: Any) -> None:
    util = pytest.importorskip("ray.autoscaler._private.util")
    recipe = Path(__file__).parents[2] / "examples" / "cluster" / "cluster.yaml"
    util.validate_config(util.prepare_config(yaml.safe_load(recipe.read_text(encoding="utf-8"))))


@pytest.mark.slow
def test_ray_gives_the_same_bytes(many: Path, tmp_path: Path, restora: Command) -> None:
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
@pytest.mark.parametrize("what", ["actors", "a node"])
def test_what_is_killed(what: str, many: Path, tmp_path: Path, restora: Command, cluster: Any) -> None:
    """What it finished is not done again, and what it had begun is."""
    for path in many.iterdir():
        image.write(path, torch.rand(3, 96, 96))  # takes long enough to be interrupted
    out, stop = tmp_path / "out", threading.Event()
    killed: list[Any] = []
    known: dict[str, int] = {}

    def strike() -> None:
        known.update(finished(out))
        if what == "a node":
            killed.append(cluster.worker_nodes.copy().pop())
            cluster.remove_node(killed[-1], allow_graceful=False)
        for pid in set(actors()[:1]) - set(killed) if what == "actors" else ():
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    def kill() -> None:
        while not stop.wait(0.02) and len(killed) < (1 if what == "a node" else 2):
            if out.exists() and len(list(out.glob("*.png"))) > 40 * (len(killed) + 1):
                strike()

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
    assert known
    assert {name: (out / name).stat().st_mtime_ns for name in known} == known
    last = restora("restore", many, "-o", out, *WORDS)  # removes what the killed had begun to write
    assert last.out == f"0 written to {out}, 151 kept from an earlier run\n"
    assert len(results(out)) == 151

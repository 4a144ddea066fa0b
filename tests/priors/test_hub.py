"""Priors on the Hub: pushed to a stand-in on this machine, pulled from it, resumed, and checked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import restora
from restora.errors import WeightsError
from restora.priors import hub

SERVER = Path(__file__).parent / "hub_server.py"
SOURCE = Path(restora.__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]
PUSH = """
from restora import GANPrior, load_prior
print(load_prior({folder!r}).push_to_hub("me/tiny"))
"""
CHUNK = 512
PULL = f"""
from huggingface_hub import constants
from restora.cli import main
constants.DOWNLOAD_CHUNK_SIZE = {CHUNK}  # what has arrived is kept in steps of 10 MB, which the prior has not
raise SystemExit(main(["priors", "pull", "me/tiny"]))
"""
PULL_IN_PYTHON = """
from restora import FlowPrior, GANPrior, Prior
prior = Prior.from_pretrained("me/tiny", local_files_only=True)
print(type(prior).__name__, prior.name, prior.image_shape, prior.card["summary"])
GANPrior.from_pretrained("me/tiny", local_files_only=True)
FlowPrior.from_pretrained("me/tiny", local_files_only=True)
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    port = tmp_path / "port"
    process = subprocess.Popen([sys.executable, SERVER, port, tmp_path / "log"])
    for _ in range(300):
        if port.exists() and port.read_text():
            break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port.read_text()}"
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture
def run(address: str, tmp_path: Path) -> Run:
    """run("-m", "restora", ...) is Python with the stand-in as the Hub and a cache of its own."""
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    own = {
        "HF_ENDPOINT": address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_x",
    }
    environment = {**os.environ, **own, "PYTHONPATH": path, "HF_HUB_DISABLE_TELEMETRY": "1"}
    return lambda *words: subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True, timeout=120
    )


def test_pushed_pulled_and_used(tiny: Path, clean: Path, tmp_path: Path, address: str, run: Run) -> None:
    pushed = run("-c", PUSH.format(folder=str(tiny)))
    assert "/me/tiny/commit/" in pushed.stdout, pushed.stderr
    pulled = run("-c", PULL)  # the stand-in breaks the connection half way
    assert "me/tiny: GANPrior, 8x8, 3 channels" in pulled.stdout, pulled.stderr
    half = (tiny / "prior.safetensors").stat().st_size // 2
    assert f"bytes={half // CHUNK * CHUNK}-" in (tmp_path / "log").read_text()
    (weights,) = (tmp_path / "home" / "hub").rglob("prior.safetensors")
    assert weights.read_bytes() == (tiny / "prior.safetensors").read_bytes()
    assert "# tiny" in weights.with_name("README.md").read_text()

    words = (
        "restore",
        clean,
        "-o",
        tmp_path / "out",
        "--task",
        "denoise",
        "--sigma",
        "0.1",
        "--device",
        "cpu",
    )
    used = run("-m", "restora", *words, "--prior", "me/tiny", "--set", "iterations=2")
    assert used.returncode == 0, used.stderr
    python = run("-c", PULL_IN_PYTHON)
    assert python.stdout == "GANPrior tiny (3, 8, 8) For tests.\n"
    assert "expected a FlowPrior, got a GANPrior" in python.stderr.splitlines()[-1]


def test_damage_and_absence_are_said(tiny: Path, tmp_path: Path, address: str, run: Run) -> None:
    absent = run("-m", "restora", "priors", "pull", "me/absent")
    assert (
        absent.stderr
        == "restora: error: me/absent: the Hub has no such repository, or it is private (token)\n"
    )
    run("-c", PUSH.format(folder=str(tiny)))
    run("-m", "restora", "priors", "pull", "me/tiny")
    for folder in (tmp_path / "home").iterdir():
        folder.rename(tmp_path / f"old-{folder.name}")
    urllib.request.urlopen(f"{address}/damage").read()
    damaged = run("-m", "restora", "priors", "pull", "me/tiny")
    assert damaged.returncode == 2
    assert "prior.safetensors arrived damaged" in damaged.stderr
    assert not list((tmp_path / "home").rglob("prior.safetensors"))
    assert run("-m", "restora", "priors", "pull", "me/tiny").returncode == 0


def test_names_that_are_not_on_the_hub() -> None:
    with pytest.raises(WeightsError, match="is installed; there is nothing to download"):
        hub.pull("natural")
    with pytest.raises(WeightsError, match="expected OWNER/NAME"):
        hub.pull("something")

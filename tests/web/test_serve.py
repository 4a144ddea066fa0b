"""`restora serve` as people run it: a process, an address, a client of ten lines."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from visitor import photo

from restora.errors import OptionError
from restora.web import server

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "web.md"
Start = Callable[..., tuple[Any, str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """start("--port", 0) -> the process and its address."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: object) -> tuple[Any, str]:
        command = [sys.executable, "-m", "restora", "serve", "--device", "cpu", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return process, re.findall(r"http://\S+", process.stdout.readline())[0]

    yield run
    for process in running:
        process.terminate()
        process.communicate(timeout=20)


def test_the_client_of_the_documentation(start: Start, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    process, url = start("--port", 0)
    noisy = photo().astype(float) + np.random.default_rng(0).normal(0, 20, photo().shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    command = [sys.executable, "-c", code, url, "a.png", "b.png"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    before, after = (np.asarray(Image.open(tmp_path / name)).astype(float) for name in ("a.png", "b.png"))
    assert np.square(after - photo()).mean() < 0.5 * np.square(before - photo()).mean()
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=20)[1]


def test_a_port_in_use_gives_the_next(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process, url = start("--port", port)
        assert port < int(url.rstrip("/").rpartition(":")[2]) <= port + server.TRIES
        assert f"port {port} is in use" in process.stderr.readline()


def test_other_addresses_are_a_choice_that_is_said(start: Start) -> None:
    process, _ = start("--port", 0, "--host", "0.0.0.0")
    assert "everyone who can reach this machine" in process.stderr.readline()


def test_addresses_that_are_none() -> None:
    with pytest.raises(OptionError, match="not an address of this machine"):
        server.listen("192.0.2.1", 0)
    assert server.is_loopback("127.0.0.1")
    assert not server.is_loopback("0.0.0.0")


def test_bad_options(restora: Any) -> None:
    assert "--port: expected a number from 0" in restora("serve", "--port", 99999).error()
    assert "--max-megapixels: expected a positive" in restora("serve", "--max-megapixels", -1).error()
    assert "--host" in restora("serve", "--host", "192.0.2.1").error()
    assert "unknown device 'tpu'" in restora("serve", "--port", 0, "--device", "tpu").error()

"""Small files that ask for much: a result or one line, in little time and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_bombs import archives, arrays, headers, others, pngs
from hostile_tiffs import TIFFS
from hostile_worker import FINE, Worker

MEGABYTES, SECONDS = 300, 20
PICTURES = {f"picture/{name}": make for name, make in {**pngs(), **others(), **TIFFS}.items()}
BOMBS = PICTURES | archives() | headers() | arrays()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    found = Worker(SECONDS)
    yield found
    found.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str, worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    data = BOMBS[name]()
    if not data:
        pytest.skip("its extra is not installed")
    path.write_bytes(data)
    answer = worker.ask(path.parent.name, path, MEGABYTES + len(data) / 2**19)
    assert answer.kind in FINE, answer

"""Changed files of every kind: a result, or one line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hostile_changes import hostile
from hostile_doors import DOORS
from hostile_files import write_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restora.errors import RestoraError

STARTS = (b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"GIF89a", b"BM", b"PK\x03\x04", b"\x93NUMPY\1\0")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_all(tmp_path_factory.mktemp("good"))


def lines(door: str, path: Path) -> int:
    """Of its answer."""
    try:
        return len(DOORS[door](path).splitlines())
    except RestoraError as error:
        return len(str(error).splitlines())


def test_the_good_files_are_good(good: list[Path]) -> None:
    assert {path.parent.name for path in good} == DOORS.keys() - {"write"}
    for path in good:
        DOORS[path.parent.name](path)
        if path.parent.name == "picture":
            DOORS["write"](path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), seed=st.integers(0, 2**32))
@pytest.mark.filterwarnings("ignore")
def test_changed_files(place: int, seed: int, good: list[Path], tmp_path: Path) -> None:
    source = good[place % len(good)]
    path = tmp_path / source.name
    path.write_bytes(hostile(source.read_bytes(), random.Random(seed)))
    assert lines(source.parent.name, path) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    door=st.sampled_from(sorted(DOORS)),
    start=st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"GIF89a", b"BM", b"PK\x03\x04", b"\x93NUMPY\1\0"]
    ),
    rest=st.binary(max_size=300),
    suffix=st.sampled_from([".png", ".npy", ".zip", ".pt", ".safetensors", ".onnx", ".json"]),
)
@pytest.mark.filterwarnings("ignore")
def test_any_bytes(door: str, start: bytes, rest: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(start + rest)
    assert lines(door, path) == 1

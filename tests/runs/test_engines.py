"""restora.runs.engines: their options; tests/ray runs the one on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
WORDS = ("--task", "denoise", "--sigma", 0.1, "--method", "tv", "--device", "cpu")


def test_options_of_engines(clean: Path, tmp_path: Path, restora: Command) -> None:
    words = ("restore", clean, "-o", tmp_path / "out", *WORDS)
    assert "--address is an option of --engine ray" in restora(*words, "--address", "auto").error()
    assert "unknown engine 'rai'. Did you mean 'ray'?" in restora(*words, "--engine", "rai").error()
    error = restora(*words, "--engine", "ray", "--trace").error()
    assert "--trace does not work with --engine ray" in error


def test_ray_that_is_not_installed(
    clean: Path, tmp_path: Path, restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    error = restora("restore", clean, "-o", tmp_path / "out", "--engine", "ray", *WORDS).error()
    assert error == "the engine 'ray' needs an optional package: pip install 'restora[ray]'"

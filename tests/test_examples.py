"""Every example runs, is short, and prints what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_runs(path: Path, tmp_path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40
    done = subprocess.run([sys.executable, path, tmp_path], capture_output=True, text=True, check=True)
    decibels = [float(value) for value in re.findall(r"([\d.]+) dB", done.stdout)]
    assert decibels
    assert max(decibels) > 20

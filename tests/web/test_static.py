"""The files of the page: short, and from nowhere else."""

from __future__ import annotations

import re

import pytest

from restora.degradations import degradations
from restora.web.front import STATIC

FILES = sorted(path for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".html"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_short_and_of_this_host(path: object) -> None:
    text = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert len(text.splitlines()) <= 250
    assert re.findall(r"https?://", text) == []


def test_no_list_of_tasks_in_javascript() -> None:
    """`inpaint` alone is known there: it is what painting is for."""
    code = "".join(path.read_text(encoding="utf-8") for path in FILES if path.suffix == ".js")
    assert [name for name in degradations.names() if f'"{name}"' in code] == ["inpaint"]

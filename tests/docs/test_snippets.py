"""Every snippet of every page: Python is run as it is written, commands on small files and for seconds."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from pages import FLOW, ROOT, commands, name, pages, snippets

from restora.cli import main
from restora.cli.commands import build_parser

LONG = (
    "docs/reference/benchmark-tables.md",
    "docs/appendix/experiments.md",
)  # hours, and data that is not here
ELSEWHERE = {"docs/how-to/web.md": "tests/web/test_serve.py"}  # what runs the Python of a page instead
SHELL = ("source", "export", "for", "done", "cd", "docker", "hf")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TARGETS = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
SHORT = {
    "flow": FLOW,
    "direct": FLOW,
    "amortised": ("--batch", "2", "--group", "1", "--images", "2", "--device", "cpu"),
    "gaussian": ("--size", "16", "--device", "cpu"),
    "dcgan": ("--size", "16", "--width", "4", "--width-discriminator", "4", "--latent", "8", "--batch", "2"),
    "encoder": ("--width", "4", "--batch", "4", "--group", "2", "--images", "8"),
    "lookup": ("--entries", "16"),
    "dictionary": ("--size", "16", "--atoms", "4", "--patch", "4", "--batch", "2"),
}
PYTHON = [page for page in pages() if any(s.language == "python" for s in snippets(page))]
SH = [page for page in pages() if commands(page)]


@pytest.mark.parametrize("page", PYTHON, ids=name)
def test_python_runs(page: Path, here: Path) -> None:
    if name(page) in ELSEWHERE:
        assert page.name in (ROOT / ELSEWHERE[name(page)]).read_text()
        return
    names: dict[str, object] = {}
    for snippet in snippets(page):
        if snippet.language == "python":
            code = compile(snippet.text, str(page), "exec")
            if snippet.info != "no-run":
                exec(code, names)


@pytest.mark.parametrize("page", SH, ids=name)
def test_commands_run(page: Path, here: Path) -> None:
    for words, run in commands(page):
        if words[0] == "restora":
            _restora(words[1:], run and name(page) not in LONG)
        else:
            _other(words)


def _restora(words: list[str], run: bool) -> None:
    build_parser().parse_args(words)  # an unknown option is an error
    if not run or words[0] in ("serve", "demo"):
        return
    if words[0] == "train":
        words = _shorter(words)
        shutil.rmtree(words[words.index("-o") + 1], ignore_errors=True)  # that of the small world
    if words[0] == "bench":
        words = [*words, "--limit", "1"]
    assert main(words) == 0, words


def _shorter(words: list[str]) -> list[str]:
    """The same training for seconds."""
    if "--minutes" in words:
        at = words.index("--minutes")
        words = words[:at] + words[at + 2 :]
    budget = () if words[1] != "dcgan" else ("--images", "4")
    return [*words, *SHORT.get(words[1], ()), *budget]


def _other(words: list[str]) -> None:
    """What is no command of restora: whether what it names is there."""
    if words[0] == "pip":
        for extra in re.findall(r"\[([\w,]+)\]", " ".join(words)):
            assert set(extra.split(",")) <= EXTRAS.keys(), words
    elif words[0] == "make":
        assert {word for word in words[1:] if "=" not in word} <= set(TARGETS), words
    elif Path(words[0]).name in ("python", "python3") and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), words
        assert os.access(ROOT / words[1], os.R_OK)
    else:
        assert words[0] in ("python", "python3", *SHELL), words


def test_there_are_snippets() -> None:
    assert len(PYTHON) >= 5
    assert len(SH) >= 10

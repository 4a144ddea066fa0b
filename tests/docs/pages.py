"""The pages of the documentation, and the snippets in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?<=\n\n)((?:    \S[^\n]*\n)+)")
FLOW = ("--size", "16", "--width", "4", "--blocks", "1", "--batch", "4", "--images", "8", "--device", "cpu")
"""A flow that trains in a second."""
HEREDOC = re.compile(r" <<'(\w+)'\n.*?^\1$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`(restora [a-z][^`]*? -o [^`]*)`")


class Snippet(NamedTuple):
    """A fenced block: its language, what follows it on its first line, and its lines."""

    language: str
    info: str
    text: str


def pages() -> list[Path]:
    """Every page that is written by hand."""
    own = [p for p in DOCS.rglob("*.md") if not {"generated", "gallery"} & set(p.relative_to(DOCS).parts)]
    return [ROOT / "README.md", ROOT / "packages" / "faces64" / "README.md", *sorted(own)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def snippets(page: Path) -> list[Snippet]:
    text = page.read_text(encoding="utf-8")
    found = [Snippet(language, info.strip(), code) for language, info, code in FENCE.findall(text)]
    if page.is_relative_to(DOCS):
        return found
    return found + [Snippet("sh", "", re.sub(r"(?m)^    ", "", code)) for code in INDENTED.findall(text)]


def commands(page: Path) -> list[tuple[list[str], bool]]:
    """The words of each command of a page, and whether it is meant to be run as it stands."""
    found = []
    for snippet in snippets(page):
        if snippet.language == "sh":
            text = HEREDOC.sub("", snippet.text)
            lines = text.replace("\\\n", " ").splitlines()
            found += [(shlex.split(line, comments=True), snippet.info != "no-run") for line in lines]
    found += [(shlex.split(span), True) for span in SPAN.findall(page.read_text(encoding="utf-8"))]
    return [(words, run) for words, run in found if words]

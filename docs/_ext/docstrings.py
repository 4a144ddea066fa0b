"""Docstrings are plain text: `code` in single backquotes, formulas as they are, equations indented.

Sphinx reads reStructuredText, where |x|, *z and w_ mean other things. This turns the one into the other,
before napoleon looks for Args and Raises.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
SECTION = re.compile(r"^[A-Z][a-z]+:$")


def plain(text: str) -> str:
    """A line with the signs escaped that reStructuredText would read, but for code."""
    parts = CODE.split(text)
    parts[::2] = [re.sub(r"([|*\\])|(_)(?=\W|$)", r"\\\1\2", part) for part in parts[::2]]
    return "".join(f"``{part}``" if i % 2 else part for i, part in enumerate(parts))


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape what is text, and make literal blocks of indented equations outside of sections."""
    found: list[str] = []
    section = literal = False
    for i, line in enumerate(lines):
        indented = line.startswith(" ")
        if line and not indented:
            section, literal = bool(SECTION.match(line)), False
        elif indented and not section and i and not lines[i - 1].strip() and not literal:
            found += ["::", ""]
            literal = True
        found.append(line if literal else plain(line))
    lines[:] = found


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"version": "1", "parallel_read_safe": True}

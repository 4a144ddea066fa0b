"""Pages that the program writes about itself, in reference/generated: tasks, methods, cards of priors."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from restora.cli.commands import main
from restora.degradations import degradations
from restora.priors import places
from restora.solvers import solvers


def said(*words: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(words) == 0, words
    return out.getvalue().rstrip()


def entries(kind: str, names: list[str]) -> str:
    """A section for each name, with what `restora KIND NAME` prints."""
    return "\n\n".join(f"## {name}\n\n```text\n{said(kind, name)}\n```" for name in names)


def card(folder: Path) -> str:
    """The card of a prior without its YAML head and its picture, one level down."""
    text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)[-1].strip()
    text = re.sub(r"^#", "##", text, flags=re.MULTILINE)
    return re.sub(r"!\[samples\]\(samples\.png\)\n\n", "", text)


PAGES = {
    "tasks.md": lambda: f"# Tasks\n\n{TASKS}\n\n{entries('tasks', degradations.names())}\n",
    "methods.md": lambda: f"# Methods\n\n{METHODS}\n\n{entries('methods', solvers.names())}\n",
    "cards.md": lambda: f"# Cards of the priors\n\n{CARDS}\n\n{_cards()}\n",
}
TASKS = "What `restora tasks NAME` prints: each task, and the options that describe its damage."
METHODS = "What `restora methods NAME` prints: each method, and its settings with their defaults."
CARDS = "What `restora priors show NAME` prints: data, training, numbers and terms of each prior."


def _cards() -> str:
    return "\n\n".join(card(folder) for folder in places.installed().values())


def write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # or Sphinx would read it again
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"version": "1", "parallel_read_safe": True}

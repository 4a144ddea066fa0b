"""Lines on stderr. Nothing here loads torch."""

from __future__ import annotations

import sys


def tell(message: str) -> None:
    """One line on stderr, whatever is in the names of files."""
    print(f"restora: {printable(message)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text in one line: line ends and other control characters as escapes."""
    shown = (c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
    return "".join(shown)

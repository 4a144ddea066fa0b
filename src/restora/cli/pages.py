"""How lists of methods, tasks and their settings are laid out."""

from __future__ import annotations

import textwrap

WIDTH, INDENT = 100, 24


def summary(cls: type) -> str:
    """What a class is for, or the first line of what it says of itself."""
    return getattr(cls, "purpose", "") or (cls.__doc__ or "").partition("\n")[0]


def entry(head: str, text: str) -> str:
    """A setting and what it means, beside it or below it."""
    head, lines = f"  {head}", textwrap.wrap(text, WIDTH - INDENT)
    if len(head) < INDENT - 1:
        head += f"{' ' * (INDENT - len(head))}{lines.pop(0)}"
    return "\n".join([head, *(" " * INDENT + line for line in lines)])

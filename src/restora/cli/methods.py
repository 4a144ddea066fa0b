"""List the restoration methods, or show the settings of one.

Set one with 'restora restore ... --method NAME --set SETTING=VALUE'.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import Field
from typing import Any

from restora.cli.options import meaning, metavar
from restora.cli.pages import WIDTH, entry, summary
from restora.options import describe, options, show
from restora.solvers import Solver, solvers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="show the settings of this method")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(args: argparse.Namespace) -> int:
    chosen = {args.name: solvers.get(args.name)} if args.name else dict(solvers)
    if args.json:
        print(json.dumps({name: _facts(cls) for name, cls in chosen.items()}, indent=1))
    elif args.name:
        print(_page(args.name, chosen[args.name]))
    else:
        width = max(map(len, chosen))
        for name, cls in chosen.items():
            print(f"{name:{width}}  {summary(cls)}")
    return 0


def _page(name: str, cls: type[Solver]) -> str:
    """What a method is, what it needs, and its settings, with their defaults in parentheses."""
    lines = [textwrap.fill(f"{name}: {summary(cls)}", WIDTH)]
    if cls.needs is not None:
        lines.append(f"Kind of prior: {cls.needs.__name__}.")
    if cls.packages:
        lines.append(f"It needs the package {', '.join(cls.packages)}: pip install 'restora[{cls.extra}]'.")
    settings = [_setting(field, hint) for field, hint in options(cls)]
    return "\n".join([*lines, "", *(settings or ["It has no settings."])])


def _setting(field: Field[Any], hint: Any) -> str:
    default = show(field.default)
    return entry(f"{field.name}={metavar(hint)}", meaning(field, hint) + (f" ({default})" if default else ""))


def _facts(cls: type[Solver]) -> dict[str, Any]:
    settings = {
        field.name: {"default": field.default, "is": describe(field, hint), "help": field.metadata["help"]}
        for field, hint in options(cls)
    }
    return {"summary": summary(cls), "needs": cls.needs and cls.needs.__name__, "settings": settings}

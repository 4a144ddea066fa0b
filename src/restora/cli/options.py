"""Command-line options made from dataclass fields, and tasks and solvers made from options."""

from __future__ import annotations

import argparse
import difflib
import typing
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from restora.degradations import Degradation, degradations
from restora.errors import OptionError
from restora.solvers import Solver, solvers
from restora.task import Task


def nearest(unknown: str, parser: argparse.ArgumentParser) -> str:
    """The text of the error for an option that `parser` does not have."""
    known = [name for action in parser._actions for name in action.option_strings]
    near = difflib.get_close_matches(unknown.partition("=")[0], known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown option or argument {unknown!r}{hint}"


def add_input(parser: argparse.ArgumentParser, metavar: str, text: str) -> None:
    parser.add_argument("inputs", nargs="+", type=Path, metavar=metavar, help=text)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")


def add_task(parser: argparse.ArgumentParser) -> None:
    """--task, and one option for each field of each registered degradation."""
    group = parser.add_argument_group("task")
    group.add_argument("--task", required=True, metavar="TASK", help=", ".join(degradations.names()))
    options: dict[str, list[str]] = {}
    hints: dict[str, Any] = {}
    for task, cls in degradations:
        types = typing.get_type_hints(cls)
        for item in task_fields(cls):
            default = "" if item.default in (MISSING, None) else f" ({item.default})"
            options.setdefault(item.name, []).append(f"[{task}] {item.metadata.get('help', '')}{default}")
            hints[item.name] = Path if item.metadata.get("per_image") else types[item.name]
    for name, lines in options.items():
        shared = len({line.partition("] ")[2] for line in lines}) == 1 and len(lines) > 1
        text = lines[0].partition("] ")[2] if shared else "; ".join(lines)
        group.add_argument(f"--{name.replace('_', '-')}", **value_type(hints[name]), help=text)
    group.add_argument("--hole", choices=["center"], help="[inpaint] the middle half of each side is missing")


def task_fields(cls: type[Degradation]) -> Iterator[Field[Any]]:
    return (item for item in fields(cls) if item.init)


def value_type(hint: Any) -> dict[str, Any]:
    """argparse's keywords for a field's annotation."""
    if typing.get_origin(hint) is typing.Literal:
        return {"choices": typing.get_args(hint)}
    if hint is Path:
        return {"type": Path, "metavar": "FILE|DIR"}
    return {"type": hint, "metavar": {int: "N", float: "X"}.get(hint, "TEXT")}


def make_task(args: argparse.Namespace) -> Task:
    """The Task that the options describe. An option of another task is an error, never ignored."""
    cls = degradations.get(args.task)
    own = {item.name for item in task_fields(cls)}
    everyone = {item.name for _, other in degradations for item in task_fields(other)}
    given = {name: getattr(args, name) for name in everyone if getattr(args, name) is not None}
    for name in given.keys() - own:
        owners = [task for task, other in degradations if name in {f.name for f in task_fields(other)}]
        raise OptionError(f"--{name} is an option of {', '.join(owners)}; task {args.task!r} has no such option")
    return Task(args.task, given, hole=args.hole)


def add_solver(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("method")
    group.add_argument("--method", default="auto", metavar="NAME", help=f"auto, {', '.join(solvers.names())}")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="a setting of the method, as often as needed; those there are: "
        + "; ".join(f"{name}: {', '.join(f.name for f in fields(cls))}" for name, cls in solvers),
    )


def make_solver(name: str, settings: list[str]) -> Solver:
    """The solver called `name` with NAME=VALUE settings. Raises OptionError for one it does not have."""
    cls = solvers.get(name)
    hints, known = typing.get_type_hints(cls), [item.name for item in fields(cls)]
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise OptionError(
                f"--set {setting}: expected NAME=VALUE with a setting of {name!r}: {', '.join(known)}.{hint}"
            )
        values[key] = _parse(text, hints[key], setting)
    return cls(**values)


def _parse(text: str, hint: Any, setting: str) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        if text in typing.get_args(hint):
            return text
        raise OptionError(f"--set {setting}: expected one of {', '.join(typing.get_args(hint))}")
    try:
        return hint(text)
    except ValueError:
        raise OptionError(f"--set {setting}: expected a value of type {hint.__name__}") from None

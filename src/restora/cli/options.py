"""Command-line options made from dataclass fields, and tasks and solvers made from options."""

from __future__ import annotations

import argparse
import difflib
import math
import textwrap
import typing
from collections import Counter
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from restora.degradations import degradations
from restora.degradations.named import AUTO, option_fields
from restora.errors import OptionError
from restora.pictures.decoding import MAX_PIXELS
from restora.runs.task import Task
from restora.solvers import Solver, solvers

MASK_HELP = "a picture, white where pixels are missing; or a folder with one of the same name for each input"
AUTO_HELP = "; auto, of denoise: as found in each picture"
Owners = dict[str, tuple[Field[Any], Any]]


def add_input(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help=text)
    output = "folder for the results"
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help=output)
    parser.add_argument("--task", required=True, metavar="TASK", help=", ".join(degradations.names()))
    add_limit(parser)


def add_limit(parser: argparse.ArgumentParser) -> None:
    text = f"larger pictures are refused ({MAX_PIXELS / 1e6:g})"
    parser.add_argument("--max-megapixels", type=float, default=MAX_PIXELS / 1e6, metavar="X", help=text)


def max_pixels(args: argparse.Namespace) -> int:
    """The limit of `add_limit`, in pixels."""
    if not 0 < args.max_megapixels < math.inf:
        raise OptionError(f"--max-megapixels: expected a positive number, got {args.max_megapixels:g}")
    return round(args.max_megapixels * 1e6)


def add_task(parser: argparse.ArgumentParser) -> None:
    """One option for each field of each registered degradation, in a group for each task."""
    options = _task_options()
    for task in degradations.names():
        names = [name for name, owners in options.items() if list(owners) == [task]]
        if names:
            group = parser.add_argument_group(f"options of --task {task}")
            for name in names:
                _add_option(group, name, options[name])
    group = parser.add_argument_group("options of several tasks")
    for name, owners in options.items():
        if len(owners) > 1:
            _add_option(group, name, owners)


def _task_options() -> dict[str, Owners]:
    """name of an option -> the tasks that have it, and their fields with the types."""
    options: dict[str, Owners] = {}
    for task, cls in degradations:
        for name, entry in option_fields(cls).items():
            options.setdefault(name, {})[task] = entry
    return options


def _add_option(group: argparse._ArgumentGroup, name: str, owners: Owners) -> None:
    item = next(iter(owners.values()))[0]
    picture = item.metadata.get("per_image")
    hints = [hint for _, hint in owners.values()]
    kind = value_type(Path if picture else hints[0])
    if name == "sigma":
        kind["type"] = _level
    if "choices" in kind:  # those of another task are refused when the task is made
        kind["choices"] = tuple(dict.fromkeys(word for hint in hints for word in typing.get_args(hint)))
    text = MASK_HELP if picture else _help(owners)
    group.add_argument(_flag(name), **kind, help=text + AUTO_HELP if name == "sigma" else text)


def _help(owners: Owners) -> str:
    """What the option means and its default: once, or task by task where they differ."""
    meanings = {item.metadata.get("help", "") for item, _ in owners.values()}
    if len(meanings) > 1:
        return "; ".join(f"[{task}] {_help({task: entry})}" for task, entry in owners.items())
    known = {task: item.default for task, (item, _) in owners.items() if item.name != "hole"}  # or a mask
    defaults = {task: show(value) for task, value in known.items() if value is not MISSING}
    if not defaults:
        return meanings.pop()
    usual = Counter(defaults.values()).most_common(1)[0][0]
    others = [f"{task} {value}" for task, value in defaults.items() if value != usual]
    return f"{meanings.pop()} ({'; '.join([usual, *others])})"


def show(value: object) -> str:
    """A default as people would type it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _level(text: str) -> float | str:
    """A level of noise: a number, or the word that has it found."""
    return text if text == AUTO else float(text)


_level.__name__ = "float"  # what argparse calls it in its messages


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def value_type(hint: Any) -> dict[str, Any]:
    """argparse's keywords for a field's annotation."""
    if typing.get_origin(hint) is typing.Literal:
        return {"choices": typing.get_args(hint)}
    if hint is Path:
        return {"type": Path, "metavar": "FILE|DIR"}
    return {"type": hint, "metavar": {int: "N", float: "X"}.get(hint, "TEXT")}


def make_task(args: argparse.Namespace) -> Task:
    """The Task that the options describe. An option of another task is an error, never ignored."""
    own = option_fields(degradations.get(args.task))
    options = _task_options()
    given = {name: getattr(args, name) for name in options if getattr(args, name) is not None}
    for name in given:
        if name not in own:
            raise OptionError(
                f"{_flag(name)} is an option of {', '.join(options[name])}; "
                f"task {args.task!r} has no such option"
            )
    return Task(args.task, given, given.pop("hole", None), max_pixels(args))


def add_solver(parser: argparse.ArgumentParser) -> None:
    methods = f"auto, {', '.join(solvers.names())} (auto)"
    parser.add_argument("--method", default="auto", metavar="NAME", help=methods)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="a setting of the method, as often as needed; see below",
    )


def solver_settings() -> str:
    """The settings of every method, as a paragraph for --help."""
    paragraphs = []
    for method, cls in solvers:
        hints = typing.get_type_hints(cls)
        lines = [_setting_line(item, hints[item.name]) for item in fields(cls)]
        paragraphs.append("\n".join([f"settings of --method {method}, and their defaults:", *lines]))
    return "\n\n".join(paragraphs)


def _setting_line(item: Field[Any], hint: Any) -> str:
    values = f"{', '.join(typing.get_args(hint))}: " if typing.get_origin(hint) is typing.Literal else ""
    text = f"  --set {f'{item.name}={show(item.default)}':<20}{values}{item.metadata.get('help', '')}"
    return textwrap.fill(text, 100, subsequent_indent=" " * 28)


def make_solver(name: str, settings: list[str]) -> Solver:
    """The solver called `name` with NAME=VALUE settings. Raises OptionError for one it does not have."""
    cls = solvers.get(name)
    hints, known = typing.get_type_hints(cls), [item.name for item in fields(cls)]
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near and key not in known else ""
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
        value = hint(text)
    except ValueError:
        noun = {int: "a whole number", float: "a number"}.get(hint, f"a {hint.__name__}")
        raise OptionError(f"--set {setting}: expected {noun}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(f"--set {setting}: expected a finite number")
    return value

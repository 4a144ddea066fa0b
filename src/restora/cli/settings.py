"""The settings of methods and of trainings, as options of the command line."""

from __future__ import annotations

import argparse
import difflib
from dataclasses import Field
from typing import Any, TypeVar

from restora.cli.options import flag, meaning, metavar
from restora.errors import OptionError
from restora.options import options, parse, show
from restora.solvers import Solver, solvers

T = TypeVar("T")


def add_settings(parser: argparse.ArgumentParser, config: type) -> None:
    """One option for each setting of a training."""
    group = parser.add_argument_group("settings")
    for entry, hint in options(config):
        default, text = entry.default, meaning(entry, hint)
        if hint is bool:
            switch, text = argparse.BooleanOptionalAction, f"{text} ({'on' if default else 'off'})"
            group.add_argument(flag(entry.name), action=switch, default=default, help=text)
        else:
            text += f" ({show(default)})" if default != "" else ""
            group.add_argument(flag(entry.name), metavar=metavar(hint), default=default, help=text)


def make_settings(args: argparse.Namespace, config: type[T]) -> T:
    """The settings of a training that the options of `add_settings` describe."""
    return config(
        **{entry.name: _value(getattr(args, entry.name), entry, hint) for entry, hint in options(config)}
    )


def _value(given: Any, entry: Field[Any], hint: Any) -> Any:
    """What was given for an option: a text that is to be read, or a default or a path."""
    return parse(given, entry, hint) if isinstance(given, str) else given


def add_solver(parser: argparse.ArgumentParser) -> None:
    methods = f"auto, {', '.join(solvers.names())} (auto)"
    parser.add_argument("--method", default="auto", metavar="NAME", help=methods)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="set an option of the method; repeat for several. 'restora methods NAME' lists them",
    )


def make_solver(name: str, settings: list[str]) -> Solver:
    """The solver called `name` with NAME=VALUE settings. Raises OptionError for one it does not have."""
    return make(solvers.get(name), name, settings)


def make(cls: type[T], name: str, settings: list[str]) -> T:
    """An object of options with NAME=VALUE settings. Raises OptionError for one it does not have."""
    given = read_settings(cls, name, settings)
    try:
        return cls(**given)
    except OptionError as error:
        if error.name not in given:
            raise
        raise OptionError(error.problem, f"--set {error.name}={given[error.name]}") from None


def read_settings(cls: type, name: str, settings: list[str]) -> dict[str, Any]:
    """NAME=VALUE settings of a class of options."""
    known = {entry.name: (entry, hint) for entry, hint in options(cls)}
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near and key not in known else ""
            raise OptionError(
                f"--set {setting}: expected NAME=VALUE with a setting of {name!r}: "
                f"{', '.join(known) or 'it has none'}.{hint}"
            )
        try:
            given[key] = parse(text, *known[key])
        except OptionError as error:
            raise OptionError(error.problem, f"--set {setting}") from None
    return given

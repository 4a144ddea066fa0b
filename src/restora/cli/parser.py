"""argparse, with errors of one line and a guess at what a misspelt option was meant to be."""

from __future__ import annotations

import argparse
import difflib
import itertools
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from restora.errors import OptionError, UnknownNameError


class Parser(argparse.ArgumentParser):
    """Raises OptionError where argparse would print its usage and exit; options are never abbreviated."""

    def __init__(self, **options: Any):
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        stop = "" if message.endswith("?") else "."
        raise OptionError(f"{message}{stop} See '{self.prog} --help'")

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            noun = action.option_strings[-1] if action.option_strings else action.dest
            kind = (
                "a whole number" if action.type is int else "a number" if action.type is float else "another"
            )
            raise OptionError(f"{noun}: expected {kind}, got {arg_string!r}") from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            noun = action.option_strings[-1] if action.option_strings else action.dest
            words = getattr(action, "synonyms", None)
            raise UnknownNameError(noun, str(value), map(str, action.choices), words)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        self._check_options(words)
        return super().parse_known_args(words, namespace)

    def _check_options(self, words: Sequence[str]) -> None:
        """Refuse an unknown option before argparse complains of what is missing because of it."""
        if self._subparsers is not None:  # from the subcommand on, the words are those of its parser
            words = list(itertools.takewhile(lambda word: word.startswith("-"), words))
        for word in itertools.takewhile(lambda word: word != "--", words):
            name, known = word.partition("=")[0], self._option_string_actions
            if name.startswith("--") and name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
                self.error(f"unknown option {name!r}" + (f"; did you mean {near[0]}?" if near else ""))

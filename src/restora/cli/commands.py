"""The commands, and what became of one: its exit code.

A command's module is imported when it is run, since several take a second or more.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

from restora import __version__
from restora.cli.parser import Parser
from restora.errors import OptionError, RestoraError

COMMANDS = (
    "demo",
    "inspect",
    "degrade",
    "restore",
    "serve",
    "bench",
    "train",
    "methods",
    "tasks",
    "priors",
)
EXIT_CODES = """
exit codes: 0 success, perhaps with warnings; 1 some files failed; 2 wrong usage, or the run could not start;
130 stopped by Ctrl-C; 141 the program that read the output was closed. Errors are one line on stderr.
"""


def build_parser(names: Sequence[str] = COMMANDS) -> Parser:
    """names: of the commands that it knows."""
    parser = Parser(
        prog="restora",
        description="Repair images: noise, blur, holes, JPEG blocks and more, with one generative prior.",
    )
    parser.add_argument("--version", action="version", version=f"restora {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        module = import_module(f"restora.cli.{name}")
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary.rstrip("."), description=module.__doc__)
        module.add_arguments(command)
        command.epilog = f"{command.epilog or ''}{EXIT_CODES}"
        command.set_defaults(run=module.run)
    if len(names) > 1:
        commands.synonyms = _synonyms()  # type: ignore[attr-defined]
    return parser


def _synonyms() -> dict[str, list[str]]:
    """What people may have meant by a command that there is not."""
    from restora.degradations import degradations

    return {f"restore --task {task}": [task, *cls.synonyms.split(", ")] for task, cls in degradations}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code, as EXIT_CODES says."""
    try:
        code = _run(argv)
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except BrokenPipeError:  # whoever read stdout or stderr, such as head, has left
        for stream in filter(None, (sys.stdout, sys.stderr)):
            _hush(stream)
        code = 141
    except OSError as error:  # stdout is a file on a full disk, say
        where = error.filename or "the output"
        print(
            f"restora: error: {where}: cannot be read or written ({error.strerror or error})", file=sys.stderr
        )
        _hush(sys.stdout)
        code = 2
    return code


def _hush(stream: TextIO) -> None:
    """Keep Python quiet about a stream that nobody reads."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(argv: Sequence[str] | None) -> int:
    args = argparse.Namespace()
    try:
        words = sys.argv[1:] if argv is None else argv
        known = words[:1] if words and words[0] in COMMANDS else COMMANDS
        args, extra = build_parser(known).parse_known_args(words)
        if extra:
            raise OptionError(f"unexpected argument {extra[0]!r}; give all inputs one after the other")
        return args.run(args)
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except RestoraError as error:
        from restora.cli.options import spoken

        print(f"restora: error: {spoken(error, args)}", file=sys.stderr)
        return 2
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and type(error).__name__ != "OutOfMemoryError":  # that of torch
            raise
        reason = str(error).partition(". ")[0]
        print(
            f"restora: error: out of memory ({reason}); try --batch-size auto, or a smaller one",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("restora: interrupted; what was finished is kept", file=sys.stderr)
        return 130

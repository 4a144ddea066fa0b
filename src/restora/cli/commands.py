"""The commands, and what became of one: its exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import torch

from restora import __version__
from restora.cli import bench, degrade, demo, inspect, methods, priors, restore, serve, tasks, train
from restora.cli.options import spoken
from restora.cli.parser import Parser
from restora.degradations import degradations
from restora.errors import OptionError, RestoraError

COMMANDS = (demo, inspect, degrade, restore, serve, bench, train, methods, tasks, priors)
EXIT_CODES = """
exit codes: 0 success, perhaps with warnings; 1 some files failed; 2 wrong usage, or nothing could be started;
130 stopped by Ctrl-C; 141 the reader of the output closed it. Errors are one line on stderr.
"""


def build_parser() -> Parser:
    parser = Parser(
        prog="restora",
        description="Repair images: noise, blur, holes, JPEG blocks and more, with one generative prior.",
    )
    parser.add_argument("--version", action="version", version=f"restora {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary.rstrip("."), description=module.__doc__)
        module.add_arguments(command)
        command.epilog = f"{command.epilog or ''}{EXIT_CODES}"
        command.set_defaults(run=module.run)
    tasks = {task: [task, *cls.synonyms.split(", ")] for task, cls in degradations}
    commands.synonyms = {f"restore --task {t}": own for t, own in tasks.items()}  # type: ignore[attr-defined]
    return parser


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
        args, extra = build_parser().parse_known_args(argv)
        if extra:
            raise OptionError(f"unexpected argument {extra[0]!r}; give all inputs one after the other")
        return args.run(args)
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except RestoraError as error:
        print(f"restora: error: {spoken(error, args)}", file=sys.stderr)
        return 2
    except (torch.OutOfMemoryError, MemoryError) as error:
        reason = str(error).partition(". ")[0]
        print(f"restora: error: out of memory ({reason}); try a smaller batch", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("restora: interrupted; what was finished is kept", file=sys.stderr)
        return 130

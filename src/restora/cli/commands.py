"""The commands, and what became of one: its exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import torch

from restora import __version__
from restora.cli import bench, degrade, demo, methods, priors, restore, train
from restora.cli.options import spoken
from restora.cli.parser import Parser
from restora.errors import OptionError, RestoraError

COMMANDS = (demo, degrade, restore, bench, train, methods, priors)


def build_parser() -> Parser:
    parser = Parser(
        prog="restora", description="Restore images from any known degradation with one generative prior."
    )
    parser.add_argument("--version", action="version", version=f"restora {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary.rstrip("."), description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, or 1 if some files failed, or 2 if nothing could be done."""
    try:
        code = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read stdout, such as head, has left; keep Python quiet about it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    return code


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
    except torch.OutOfMemoryError as error:
        reason = str(error).partition(". ")[0]
        print(f"restora: error: out of memory ({reason}); try a smaller batch", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("restora: interrupted; what was finished is kept", file=sys.stderr)
        return 130

"""The command line: `restora demo | degrade | restore | train | priors`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from restora import __version__
from restora.cli import degrade, demo, priors, restore, train
from restora.cli.options import nearest
from restora.errors import RestoraError

COMMANDS = (demo, degrade, restore, train, priors)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest option for one that does not exist."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message}. See '{self.prog} --help'", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> Parser:
    parser = Parser(prog="restora", description="Restore images from any known degradation with one prior.")
    parser.add_argument("--version", action="version", version=f"restora {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        lines = (module.__doc__ or "").strip().partition("\n")
        command = commands.add_parser(
            name,
            help=lines[0],
            description=module.__doc__,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, or 1 if some files failed, or 2 if nothing could be done."""
    args, unknown = build_parser().parse_known_args(argv)
    try:
        if unknown:
            args.parser.error(nearest(unknown[0], args.parser))
        return args.run(args)
    except RestoraError as error:
        print(f"restora: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("restora: interrupted; what was finished is kept", file=sys.stderr)
        return 130

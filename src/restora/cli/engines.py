"""The options that say where a run is done."""

from __future__ import annotations

import argparse
from dataclasses import fields

from restora.cli.options import flag
from restora.errors import OptionError
from restora.options import options
from restora.runs.engines import Engine, engines


def add_engine(parser: argparse.ArgumentParser) -> None:
    """--engine, and the options of all engines."""
    known = f"where images are restored: {' or '.join(engines.names())}, a Ray cluster (local)"
    parser.add_argument("--engine", default="local", metavar="NAME", help=known)
    for name, engine in engines:
        for entry, hint in options(engine):
            kind = int if "int" in str(hint) else str
            text = f"{entry.metadata['help']} (with --engine {name})"
            parser.add_argument(
                flag(entry.name), type=kind, metavar="N" if kind is int else "TEXT", help=text
            )


def make_engine(args: argparse.Namespace) -> Engine:
    """The one that the arguments name; OptionError for an option of another one."""
    chosen = engines.get(args.engine)
    for name, engine in engines:
        for entry in fields(engine):
            if getattr(args, entry.name) is not None and engine is not chosen:
                raise OptionError(f"{flag(entry.name)} is an option of --engine {name}")
    if args.trace and not chosen.steps:
        raise OptionError(
            f"--trace does not work with --engine {args.engine}, which does not report single steps"
        )
    return chosen(**{entry.name: getattr(args, entry.name) for entry in fields(chosen)})

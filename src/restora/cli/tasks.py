"""List the tasks of 'restora restore' and 'restora degrade', or show the options of one."""

from __future__ import annotations

import argparse
import json

from restora.cli.options import task_options
from restora.cli.pages import entry, summary
from restora.degradations import degradations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="show the options of this task")
    parser.add_argument("--json", action="store_true", help="print as JSON")


def run(args: argparse.Namespace) -> int:
    names = [args.name] if args.name else degradations.names()
    found = {name: degradations.get(name) for name in names}
    if args.json:
        facts = {n: {"summary": summary(cls), "options": dict(task_options(n))} for n, cls in found.items()}
        print(json.dumps(facts, indent=1))
    elif args.name:
        print(f"{args.name}: {summary(found[args.name])}\n")
        for head, text in task_options(args.name):
            print(entry(head, text))
    else:
        for name, cls in found.items():
            print(f"{name:{max(map(len, found))}}  {summary(cls)}")
    return 0

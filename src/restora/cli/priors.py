"""List the priors that ship, or show the card of one."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from restora.priors import Prior, load_prior, store

JSON_HELP = "print facts as JSON"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    actions = parser.add_subparsers(dest="action", metavar="list|show")
    shipped = actions.add_parser("list", help="the priors that ship (what happens without an action)")
    show = actions.add_parser("show", help="the card of one", description="Print the card of one prior.")
    show.add_argument("name", metavar="NAME|DIR", help="a prior that ships, or a folder that has one")
    for action in (shipped, show):  # SUPPRESS: or its default would undo a --json before the action
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    if args.action == "show":
        return _show(args.name, args.json)
    shipped = [load_prior(name) for name in store.names()]
    if args.json:
        print(json.dumps({prior.name: _facts(prior) for prior in shipped}, indent=1))
        return 0
    for prior in shipped:
        print(f"{prior.name}: {_kind(prior)}. {prior.card.get('summary', '')}".rstrip())
    return 0


def _kind(prior: Prior) -> str:
    channels, height, width = prior.image_shape
    return f"{type(prior).__name__}, {width}x{height}, {channels} channel{'s' if channels > 1 else ''}"


def _facts(prior: Prior) -> dict[str, object]:
    return {"name": prior.name, "kind": prior.kind, "image_shape": prior.image_shape, **prior.card}


def _show(name: str, as_json: bool) -> int:
    prior, card = load_prior(name), Path(store.folder(name)) / "README.md"
    if as_json or not card.exists():
        print(json.dumps(_facts(prior), indent=1))
    else:
        print(card.read_text(encoding="utf-8"), end="")
    return 0

"""List the priors that ship, or show the card of one."""

from __future__ import annotations

import argparse
import json

from restora.priors import load_prior, store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="list|show")
    actions.add_parser("list", help="the priors that ship (what happens without an action)")
    show = actions.add_parser("show", help="the card of one")
    show.add_argument("name", metavar="NAME|DIR")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")


def run(args: argparse.Namespace) -> int:
    if args.action == "show":
        return _show(args.name, args.json)
    shipped = [load_prior(name) for name in store.names()]
    if args.json:
        print(json.dumps({prior.name: prior.card for prior in shipped}, indent=1))
        return 0
    for prior in shipped:
        channels, height, width = prior.image_shape
        kind = f"{type(prior).__name__}, {width}x{height}, {channels} channels"
        print(f"{prior.name}: {kind}. {prior.card.get('summary', '')}")
    return 0


def _show(name: str, as_json: bool) -> int:
    prior = load_prior(name)
    card = store.folder(name) / "README.md"
    if as_json or not card.exists():
        print(json.dumps({"name": prior.name, "kind": prior.kind, **prior.card}, indent=1))
    else:
        print(card.read_text(), end="")
    return 0

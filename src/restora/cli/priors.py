"""List the installed priors, show a card, download a prior, or import a network."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from restora.cli import importing
from restora.priors import Prior, load_prior, store
from restora.priors.hub import pull

JSON_HELP = "print as JSON"
PULL = """Download a prior from the Hugging Face Hub into its local cache, and verify its checksums. An
interrupted download is resumed; complete files are kept. The variables HF_ENDPOINT, HF_TOKEN and HF_HOME have
the same meaning as for huggingface_hub."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    actions = parser.add_subparsers(dest="action", metavar="list|show|pull|import|conventions")
    listed = actions.add_parser("list", help="list the installed priors (the default)")
    show = actions.add_parser(
        "show", help="show the card of a prior", description="Print the card of a prior."
    )
    show.add_argument("name", metavar="NAME|DIR", help="an installed prior, or the folder of a prior")
    download = actions.add_parser("pull", help="download a prior from the Hub", description=PULL)
    download.add_argument("name", metavar="OWNER/NAME", help="a repository on the Hub that contains a prior")
    foreign = actions.add_parser("import", help=importing.SUMMARY, description=importing.__doc__)
    importing.add_arguments(foreign)
    text = "list the conventions for inputs and outputs of networks, for import"
    known = actions.add_parser("conventions", help=text, description=f"{text.capitalize()}.")
    known.add_argument("name", nargs="?", metavar="NAME", help="show the settings of this convention")
    every = (listed, show, download, foreign, known)
    for action in every:  # SUPPRESS: or its default would undo a --json before the action
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    if args.action == "show":
        return _show(args.name, args.json)
    if args.action == "pull":
        return _pull(args.name, args.json)
    if args.action == "import":
        return importing.run(args)
    if args.action == "conventions":
        return importing.list_conventions(args.name, args.json)
    found = [load_prior(name) for name in store.names()]
    if args.json:
        print(json.dumps({prior.name: _facts(prior) for prior in found}, indent=1))
        return 0
    for prior in found:
        print(f"{prior.name}: {_kind(prior)}. {prior.card.get('summary', '')}{_licence(prior)}".rstrip())
    return 0


def _licence(prior: Prior) -> str:
    licence, terms = prior.card.get("license"), prior.card.get("terms", "")
    return "" if licence is None else f" {terms}" if licence == "other" else f" Weights: {licence}."


def _pull(name: str, as_json: bool) -> int:
    folder = pull(name)
    if as_json:
        print(json.dumps({"name": name, "folder": str(folder)}))
    else:
        print(f"{name}: {_kind(load_prior(folder))}, in {folder}. Use it as --prior {name}.")
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

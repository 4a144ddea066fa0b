"""Put a trained prior into the package: weights, samples, and a card with more facts than training knows.

python benchmarks/ship_prior.py runs/faces64-dcgan faces64-dcgan --fact "license=other"
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from restora import load_prior
from restora.priors import places, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, metavar="DIR", help="what `restora train -o DIR` wrote")
    parser.add_argument("name")
    parser.add_argument("--fact", action="append", default=[], metavar="NAME=TEXT", help="for the card")
    args = parser.parse_args()
    prior, target = load_prior(args.run), places.EMBEDDED / args.name
    facts = {**prior.card, **dict(fact.split("=", 1) for fact in args.fact)}
    store.save(target, prior, facts)
    shutil.copy(args.run / "samples.png", target)
    print((target / "README.md").read_text())


if __name__ == "__main__":
    main()

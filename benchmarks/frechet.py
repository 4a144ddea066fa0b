"""Frechet distance of a prior's samples to real images, in the features of EfficientNet-Lite0.

    pip install 'restora[bench]'
    python benchmarks/frechet.py faces64-dcgan ../shared/faces/test

See restora.bench.frechet for what is measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from restora import load_prior
from restora.bench.frechet import backbone, features, frechet
from restora.random import generators
from restora.training.data import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("prior", metavar="NAME|DIR", help="a prior that can draw samples")
    parser.add_argument("real", type=Path, nargs="+", metavar="DATA", help="folders or zips of real images")
    parser.add_argument("--other", type=Path, metavar="DATA", help="real images in place of samples")
    args = parser.parse_args()
    prior, network = load_prior(args.prior), backbone()
    channels, size, _ = prior.image_shape
    real, _ = load(args.real, size, channels)
    count = len(real)
    if args.other:
        found, _ = load([args.other], size, channels)
        samples = found[torch.randperm(len(found), generator=generators(0, 1)[0])[:count]].float() / 255
        name = args.other.name
    else:
        samples, name = prior.sample(count, generators(0, count)), f"samples of {prior.name}"
    distance = frechet(features(network, real.float() / 255), features(network, samples))
    print(f"Frechet distance in EfficientNet-Lite0 features, {count} {name} to {count} real: {distance:.2f}")


if __name__ == "__main__":
    main()

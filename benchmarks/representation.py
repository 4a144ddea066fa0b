"""What a generator can draw at best: the latent searched with the whole clean image in view.

    python benchmarks/representation.py ../shared/faces/test --prior faces64-dcgan

PSNR of G(z) over the whole image, and over the central hole: what no method that ends with G(z) can beat,
and what one that corrects G(z) by the rest of the image starts from. That of methods is in the
table of `restora bench`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from restora import load_prior, metrics
from restora.degradations import AdditiveNoise, Mask
from restora.priors import GANPrior
from restora.random import generators
from restora.solvers import LatentMAP
from restora.training.data import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--prior", default="faces64-dcgan")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=150)
    args = parser.parse_args()
    prior = load_prior(args.prior)
    assert isinstance(prior, GANPrior)
    images, _ = load(args.data, prior.image_shape[-1], prior.image_shape[0])
    x = images[torch.arange(args.limit) * len(images) // args.limit].float() / 255
    solver = LatentMAP(iterations=args.iterations, finish="none", lambda_d=0, lambda_z=0.01, rate=0.1)
    *_, last = solver.steps(x, AdditiveNoise(0.0), prior, generators(0, len(x)))
    drawn, truth = metrics.rounded(last.x, x)
    hole = 1 - Mask.center((x.shape[2], x.shape[3])).mask
    print(f"whole image: {metrics.mean(metrics.peak_ratio(drawn, truth).tolist())} dB")
    print(f"hole: {metrics.mean(metrics.peak_ratio(drawn, truth, hole).tolist())} dB")


if __name__ == "__main__":
    main()

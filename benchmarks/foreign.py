"""A network of others by itself, and as a prior: photographs with white noise, PSNR.

    python benchmarks/foreign.py PRIOR PHOTOS [--limit N] [--sigma 0.1]

PRIOR is a folder that `restora priors import` wrote from a denoiser that is told sigma, such as FFDNet or
DRUNet. By itself it sees the noisy photograph once; `restore` takes the default method with this prior.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from restora import AdditiveNoise, restore
from restora.metrics import psnr
from restora.pictures import colour, image
from restora.priors import FlowPrior, load_prior


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prior", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--sigma", type=float, default=0.1)
    args = parser.parse_args()
    prior = load_prior(args.prior)
    assert isinstance(prior, FlowPrior)
    files = sorted(path for path in args.photos.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    count = min(args.limit, len(files))
    files = [files[len(files) * i // count] for i in range(count)]
    degradation, found = AdditiveNoise(args.sigma), []
    for i, file in enumerate(files):
        x = image.read(file)[None]
        y = colour.rounded(degradation(x, torch.Generator().manual_seed(i)))
        with torch.no_grad():
            alone = prior.network(y, torch.tensor([args.sigma]))
        best = restore(y, degradation, prior=prior).image
        found.append([psnr(value, x).item() for value in (y, alone, best)])
    noisy, alone, best = torch.tensor(found).mean(0).tolist()
    print(f"{count} photographs: noisy {noisy:.2f}, the network {alone:.2f}, restore {best:.2f} dB")


if __name__ == "__main__":
    main()

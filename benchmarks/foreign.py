"""A prior made of a network of others beside the one that ships, on photographs: PSNR in dB.

    python benchmarks/foreign.py PRIOR PHOTOS [--limit 20] [--crop 128] [--tasks T,..]

PRIOR is a folder that `restora priors import` wrote from a denoiser that is told sigma, such as FFDNet or
DRUNet. For noise of 0.1 the network by itself is measured too: it sees the noisy photograph once. Everything
else is the default method, on the central squares of evenly spaced photographs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from restora import restore
from restora.degradations import named
from restora.metrics import psnr
from restora.pictures import image
from restora.priors import FlowPrior, load_prior
from restora.random import generators

TASKS = ("denoise", "deblur", "superres:scale=2", "superres:scale=4", "inpaint:hole=pixels", "jpeg")
SIGMA = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prior", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--tasks", default=",".join(TASKS))
    args = parser.parse_args()
    prior, natural = load_prior(args.prior), load_prior("natural")
    assert isinstance(prior, FlowPrior)
    files = sorted(path for path in args.photos.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    count = min(args.limit, len(files))
    x = torch.stack(
        [centre(image.read(files[len(files) * i // count], 3).pixels, args.crop) for i in range(count)]
    )
    for text in args.tasks.split(","):
        task, options = named.words(text)
        degradation = named.build(task, x.shape[-2:], options)
        y = degradation(x, generators(0, count))
        found = {"natural": restore(y, degradation, prior=natural).image}
        found[prior.name] = restore(y, degradation, prior=prior).image
        if text == "denoise":
            with torch.no_grad():
                found["the network by itself"] = prior.network(y, torch.full((count,), SIGMA))
        values = ", ".join(f"{name} {psnr(value, x).mean():.2f}" for name, value in found.items())
        print(f"{text}: {values}", flush=True)


def centre(x: torch.Tensor, size: int) -> torch.Tensor:
    """The central square of an image (C, H, W)."""
    top, left = (x.shape[-2] - size) // 2, (x.shape[-1] - size) // 2
    return x[:, top : top + size, left : left + size]


if __name__ == "__main__":
    main()

"""A prior made of a network of others, and the one that ships, on photographs: PSNR in dB.

    python benchmarks/foreign.py PHOTOS --priors ffdnet,natural [--limit 100] [--crop 128] [--tasks T,..]

A prior is a name, or a folder that `restora priors import` wrote; each is measured by itself, so that
--priors natural repeats one column. Everything is restored by the default method, or by --method. Of a
network that is told sigma, such as FFDNet or DRUNet, denoising by itself is measured too: it sees the noisy
photograph once. The pictures are the central squares of evenly spaced photographs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from restora import restore
from restora.degradations import Degradation, named
from restora.metrics import psnr
from restora.pictures import image
from restora.priors import FlowPrior, load_prior
from restora.priors.conventions import VarianceExploding
from restora.random import generators

TASKS = ("denoise", "deblur", "superres:scale=2", "superres:scale=4", "inpaint:hole=pixels", "jpeg")
SIGMA = 0.1
BATCH = 10


def main() -> None:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--priors", default="natural", help="names or folders, with commas")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--tasks", default=",".join(TASKS))
    args = parser.parse_args()
    files = sorted(path for path in args.photos.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    count = min(args.limit, len(files))
    x = torch.stack(
        [centre(image.read(files[len(files) * i // count], 3).pixels, args.crop) for i in range(count)]
    )
    for text, name in ((text, name) for text in args.tasks.split(",") for name in args.priors.split(",")):
        task, options = named.words(text)
        degradation, prior = named.build(task, x.shape[-2:], options), load_prior(name)
        assert isinstance(prior, FlowPrior)
        y = degradation(x, generators(0, count))
        start = time.process_time()
        found = restored(y, degradation, prior, args.method)
        seconds = (time.process_time() - start) / count
        print(f"{text}, {prior.name}: {psnr(found, x).mean():.3f} dB, {seconds:.2f} s each", flush=True)
        if text == "denoise" and isinstance(prior.convention, VarianceExploding):
            with torch.no_grad():
                alone = torch.cat([prior.network(part, part.new_full((1,), SIGMA)) for part in y.split(1)])
            print(f"{text}, {prior.name} by itself: {psnr(alone, x).mean():.3f} dB", flush=True)


def restored(y: Tensor, degradation: Degradation, prior: FlowPrior, method: str) -> Tensor:
    """The images (B, 3, H, W), with the seeds that one batch of them all would have."""
    found = []
    for rows in torch.arange(len(y)).split(BATCH):
        part = degradation.take(rows)
        found.append(restore(y[rows], part, prior=prior, method=method, seed=rows.tolist()).image)
    return torch.cat(found)


def centre(x: Tensor, size: int) -> Tensor:
    """The central square of an image (C, H, W)."""
    top, left = (x.shape[-2] - size) // 2, (x.shape[-1] - size) // 2
    return x[:, top : top + size, left : left + size]


if __name__ == "__main__":
    main()

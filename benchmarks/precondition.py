"""What a flow learns in the same time about different Gaussians: denoising PSNR at every level of noise.

    python benchmarks/precondition.py ../shared/faces/{celeba,utkface,lfw}-train.zip \\
        --validation ../shared/faces/val --gaussian faces64 --minutes 10 -o runs/precondition

stationary  the Gaussian as it is: principal directions and a stationary rest
isotropic   its rest replaced by white noise of the same variance
none        no Gaussian: the network learns the velocity

A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from restora import load_prior, metrics
from restora.gaussian.wiener import Wiener
from restora.priors import FlowPrior
from restora.priors.conventions import SCALE
from restora.priors.gaussian import GaussianPrior
from restora.random import generators, randn
from restora.runs.items import make_folder
from restora.training import loop
from restora.training.data import load
from restora.training.flow import FlowConfig, FlowTrainer

SIGMAS = (0.5, 0.25, 0.125, 0.06, 0.03)


def isotropic(gaussian: GaussianPrior) -> GaussianPrior:
    """With a white rest of the same mean variance."""
    variance = gaussian.spread.square().sum((0, 1)).mean() / len(gaussian.spread)
    white = variance.sqrt() * torch.eye(len(gaussian.spread))[..., None, None]
    return GaussianPrior(gaussian.mean, gaussian.factors, white.expand_as(gaussian.spread).contiguous())


def train(
    images: torch.Tensor, gaussian: GaussianPrior, args: argparse.Namespace, form: str, folder: Path
) -> tuple[FlowPrior, int]:
    """The prior, and how many images it saw."""

    class Trainer(FlowTrainer):
        def _fit(self) -> GaussianPrior:
            return gaussian

    config = FlowConfig(size=images.shape[-1], validation=str(args.validation), precondition=form)
    trainer = Trainer(config, images)
    if not (folder / "prior.safetensors").exists():
        budget, begun = loop.Budget(minutes=args.minutes), (folder / loop.CHECKPOINT).exists()
        make_folder(folder)
        for report in loop.run(trainer, folder, budget, resume=begun):
            print(f"\r{folder.name}: {report.done:.0%}, {report.images} images", end="", file=sys.stderr)
        print(file=sys.stderr)
    seen = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["images"]
    return load_prior(folder), seen


@torch.no_grad()
def denoised(prior: FlowPrior | Wiener, x: torch.Tensor) -> list[float]:
    """PSNR in dB at each of SIGMAS."""
    found = []
    for sigma in SIGMAS:
        t = 1 / (1 + sigma / SCALE)
        w = t * (x + sigma * randn(x.shape, generators(0, len(x)), like=x))
        y = prior(w, torch.full((len(x),), t))[0] if isinstance(prior, Wiener) else prior.denoise(w, t)
        found.append(metrics.psnr(y, x).mean().item())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path, help="folders or zips of images to train on")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--gaussian", default="faces64", help="the prior whose Gaussian it is")
    parser.add_argument("--minutes", type=float, default=10, help="for each of them")
    parser.add_argument("--count", type=int, default=128, help="validation images")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/precondition"))
    args = parser.parse_args()
    stored = load_prior(args.gaussian)
    gaussian: GaussianPrior = getattr(stored, "gaussian", stored)
    size = gaussian.image_shape[-1]
    images, _ = load(args.data, size)
    held_out, _ = load([args.validation], size)
    x = held_out[:: max(len(held_out) // args.count, 1)].float() / 255
    lines = [("linear", 0, denoised(Wiener(gaussian.mean, gaussian.covariance, SCALE), x))]
    for name, form, used in (
        ("stationary", "gaussian", gaussian),
        ("isotropic", "gaussian", isotropic(gaussian)),
        ("none", "none", gaussian),
    ):
        prior, seen = train(images, used, args, form, args.output / name)
        lines.append((name, seen, denoised(prior, x)))
    print("| rest | images |" + "".join(f" {sigma} |" for sigma in SIGMAS))
    print("| --- | ---: |" + " ---: |" * len(SIGMAS))
    for name, seen, values in lines:
        print(f"| {name} | {seen} |" + "".join(f" {value:.2f} |" for value in values))


if __name__ == "__main__":
    main()

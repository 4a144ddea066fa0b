"""PSNR of methods around their settings, for tuning; on held-out pictures, never on test ones.

    python benchmarks/tune.py ../shared/faces/val --methods tv --set rounding=0,0.01 weight=0.9,1.1
    python benchmarks/tune.py ../shared/faces/val --methods mmse --tasks colorize --set first=0.4,0.5 last=0.8

Without --set it is each method as it is. With it, all combinations of the values, one a line.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from restora import load_prior, metrics
from restora.degradations import Degradation, named
from restora.random import generators
from restora.solvers import solvers
from restora.training.data import load


def line(method: str, settings: dict[str, float], degradation: Degradation, truth: Tensor, batch: int) -> str:
    solver = solvers.get(method)(**settings)
    prior = load_prior(solver.needs.shipped[0]) if solver.needs else None
    y = degradation(truth, generators(0, len(truth)))
    start, found = time.perf_counter(), []
    for part in y.split(batch):
        with torch.no_grad():
            *_, last = solver.steps(part, degradation, prior, generators(0, len(part)))
        found.append(last.x)
    seconds, x = (time.perf_counter() - start) / len(y), torch.cat(found)
    psnr, ssim = metrics.psnr(x, truth).mean(), metrics.ssim(x, truth).mean()
    return f"{psnr:.3f} dB  {ssim:.4f}  {seconds:.3f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=32, metavar="N", help="evenly spaced images")
    parser.add_argument("--tasks", nargs="+", default=["inpaint", "superres", "denoise", "dequantize"])
    parser.add_argument("--methods", nargs="+", default=["tv", "lowrank", "sparse"])
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=V,V,...")
    parser.add_argument("--sigma", type=float, default=0.1, help="of the noise of denoise")
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    images, _ = load([args.data], 64)
    truth = images[torch.arange(args.count) * len(images) // args.count].float() / 255
    axes = {name: values.split(",") for name, _, values in (s.partition("=") for s in args.set)}
    for name, method in itertools.product(args.tasks, args.methods):
        noise = {"sigma": args.sigma} if name == "denoise" else {}
        degradation = named.build(name, truth.shape[2:], noise)
        if not solvers.get(method)().handles(degradation):
            continue
        whole = {item.name for item in fields(solvers.get(method)) if item.type == "int"}
        for values in itertools.product(*axes.values()):
            settings = {k: int(v) if k in whole else float(v) for k, v in zip(axes, values, strict=True)}
            print(
                f"{name:10} {method:10} {line(method, settings, degradation, truth, args.batch)}  {settings}",
                flush=True,
            )


if __name__ == "__main__":
    main()

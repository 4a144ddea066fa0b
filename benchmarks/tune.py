"""PSNR of methods around their settings, for tuning; on held-out pictures, never on test ones.

    python benchmarks/tune.py ../shared/faces/val --methods tv --set rounding=0,0.01 weight=0.9,1.1
    python benchmarks/tune.py ../shared/faces/val --methods mmse --tasks colorize --set first=0.4,0.5 last=0.8
    python benchmarks/tune.py ../shared/natural/val --crop 192 --count 8 --methods mmse \\
        --tasks superres:scale=2 jpeg inpaint:hole=pixels --set last=0.8,0.9

Without --set it is each method as it is. With it, all combinations of the values, one a line.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from restora import metrics
from restora.bench.protocol import Clean
from restora.degradations import Degradation
from restora.options import options, parse
from restora.plan import decide
from restora.priors import Prior
from restora.random import generators
from restora.solvers import Solver
from restora.training.data import load, load_whole
from restora.training.squares import grid

CLEAN = Clean()


def line(
    solver: Solver, prior: Prior | None, y: Tensor, degradation: Degradation, truth: Tensor, batch: int
) -> str:
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
    parser.add_argument("--crop", type=int, metavar="N", help="the middle NxN pixels, of any images")
    parser.add_argument("--prior", help="in place of the one that ships for such images")
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    images = (
        grid(load_whole([args.data], args.crop)[0], args.crop, 1) if args.crop else load([args.data], 64)[0]
    )
    truth = images[torch.arange(args.count) * len(images) // args.count].float() / 255
    shape = tuple(truth.shape[1:])
    axes = {name: values.split(",") for name, _, values in (s.partition("=") for s in args.set)}
    for task, method in itertools.product(args.tasks, args.methods):
        degradation = CLEAN.degradation(task, shape[1:])
        y = CLEAN.observe(degradation, truth, generators(0, len(truth)))
        plan = decide(method, args.prior, device="cpu", images=shape)
        solver, prior = plan.solver, plan.prior
        if not solver.handles(degradation, prior):
            continue
        model = prior.sized(*shape[1:]) if prior else None
        known = {entry.name: (entry, hint) for entry, hint in options(type(solver))}
        for values in itertools.product(*axes.values()):
            settings = {k: parse(v, *known[k]) for k, v in zip(axes, values, strict=True)}
            found = line(replace(solver, **settings), model, y, degradation, truth, args.batch)
            print(f"{task:24} {method:10} {found}  {settings}", flush=True)


if __name__ == "__main__":
    main()

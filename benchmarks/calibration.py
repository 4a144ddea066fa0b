"""Whether the standard deviations that a method predicts are the size of its errors.

    python benchmarks/calibration.py ../shared/faces/val --prior faces64-gaussian --limit 32 -o calibration

Every task damages the images as in the protocol `clean`. Restorations are drawn from the posterior, unless
the method predicts its deviation itself.
calibration.md, calibration.csv and calibration.png come into DIR; see restora.bench.calibration.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from restora.bench.calibration import Calibration, plot, to_csv, to_markdown
from restora.bench.data import Images, read_images
from restora.bench.protocol import TASKS, Clean, check_tasks
from restora.cli.settings import make_solver
from restora.degradations import Mask
from restora.errors import RestoraError
from restora.pictures.atomic import atomic
from restora.plan import Plan, decide
from restora.random import generators
from restora.result import finish
from restora.runs.items import make_folder


def measure(images: Images, task: str, plan: Plan, runs: int, batch: int) -> Calibration:
    protocol, found = Clean(), Calibration()
    for rows in images.batches(batch):
        truth, seeds = images.stack(rows), images.seeds(rows, 0)
        degradation = protocol.degradation(task, (truth.shape[2], truth.shape[3]))
        missing = 1 - degradation.mask if isinstance(degradation, Mask) else None
        y = protocol.observe(degradation, truth, generators(seeds, len(rows)))
        if plan.solver.predicts:
            found.judge(finish(plan.run(y, degradation, seeds)), truth, missing)
            continue
        *_, last = plan.run(y, degradation, seeds)
        assert last.samples is not None
        found.add(last.samples[:, -runs:].cpu(), truth, missing)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help="folders or zips of clean images")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--prior", required=True, metavar="NAME|DIR")
    parser.add_argument("--method", default="auto", metavar="NAME")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--as-set", action="store_true", help="the method's usual runs, not those for a std")
    parser.add_argument("--tasks", default=",".join(TASKS), metavar="T,..")
    parser.add_argument("--limit", type=int, metavar="N", help="evenly spaced images")
    parser.add_argument("--multiple", type=int, default=1, metavar="N", help="sides are cut to multiples")
    parser.add_argument("--runs", type=int, default=8, metavar="K", help="draws of each image")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="images restored together")
    args = parser.parse_args()
    images = read_images(args.data, args.limit, multiple=args.multiple)
    plan = decide(
        args.method,
        args.prior,
        samples=args.runs + 1 if args.as_set else args.runs,
        uncertainty=not args.as_set,
        make=lambda name: make_solver(name, args.settings),
    )
    tasks, found = args.tasks.split(","), {}
    check_tasks(Clean(), tasks, images.shapes)
    for task in tasks:
        plan.check(Clean().degradation(task, images.shapes[0][1:]))
    make_folder(args.output)
    for task in tasks:
        start = time.perf_counter()
        found[task] = measure(images, task, plan, args.runs, args.batch)
        print(f"{task}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        for suffix, text in (("md", to_markdown(found)), ("csv", to_csv(found))):
            with atomic(args.output / f"calibration.{suffix}") as part:
                part.write_text(text)
        plot(args.output / "calibration.png", found)
    print(to_markdown(found))


if __name__ == "__main__":
    try:
        with torch.no_grad():
            main()
    except RestoraError as error:
        sys.exit(f"calibration: {error}")

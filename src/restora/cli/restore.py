"""Restore observations: pictures with a hole, without colour, too small, noisy or posterised.

Each result is DIR/STEM.png, further samples are DIR/STEM-2.png and so on, best first, and DIR/restora.json
says how each was made. A second run skips what is done.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from restora import batch, files
from restora.cli.options import add_input, add_solver, add_task, make_solver, make_task
from restora.cli.report import progress, summary
from restora.device import pick
from restora.errors import OptionError
from restora.files import Item
from restora.priors import load_prior, store
from restora.restore import DEFAULT_PRIOR, choose
from restora.solvers import Step
from restora.trace import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser, "INPUT", "observations: files, folders or globs")
    add_task(parser)
    add_solver(parser)
    parser.add_argument("--prior", default=DEFAULT_PRIOR, metavar="NAME|DIR", help=f"({DEFAULT_PRIOR})")
    parser.add_argument("--samples", type=int, default=1, metavar="K", help="restorations of each picture (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random starts (0)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="(auto)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="pictures at a time (64)")
    parser.add_argument("--overwrite", action="store_true", help="do again what an earlier run did")
    parser.add_argument("--trace", action="store_true", help="also write STEM-trace.webp: the search, animated")
    parser.add_argument("--json", action="store_true", help="print the manifest")


def run(args: argparse.Namespace) -> int:
    for name in ("samples", "batch_size"):
        if getattr(args, name) < 1:
            raise OptionError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(args, name)}")
    task, prior, device = make_task(args), load_prior(args.prior), str(pick(args.device))
    name, solver = choose(args.method, prior)
    solver = make_solver(name, args.settings).for_samples(args.samples)
    items = files.collect(args.inputs, args.output, args.seed)
    settings = {
        "command": "restore",
        **task.facts(),
        "method": name,
        "method settings": vars(solver),
        "prior": prior.name,
        "prior sha256": files.digest(store.folder(args.prior) / store.WEIGHTS),
        "samples": args.samples,
        "seed": args.seed,
        "device": device,
    }
    manifest = files.Manifest(args.output, settings, args.overwrite)
    todo = manifest.keep_done(items)
    trace = Trace() if args.trace else None
    with progress() as bar:
        line = bar.add_task(f"{name}: {task.name}", total=len(todo))

        def watch(batch_items: Sequence[Item], step: Step) -> None:
            bar.update(line, completed=finished + len(batch_items) * step.i / step.total)
            if trace is not None:
                trace.watch(batch_items, step)

        finished = 0
        options = {"samples": args.samples, "batch_size": args.batch_size, "device": device}
        for chunk in batch.restore(todo, task, prior, solver, **options, watch=watch):
            if trace is not None:
                trace.write(chunk)
            manifest.record(chunk)
            finished += len(chunk)
            bar.update(line, completed=finished)
    return summary(items, manifest, args.json)

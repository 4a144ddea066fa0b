"""Make observations from clean pictures, as a benchmark or a test needs them.

Each result is DIR/STEM.png, of the depth of its input (8 or 16 bits): a 16x16 picture for x4, a grey one for
colorize, a black hole for inpaint. Noise depends on --seed and the file's name only.
"""

from __future__ import annotations

import argparse

from restora import batch, files
from restora.cli.options import add_input, add_task, make_task
from restora.cli.report import progress, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser, "INPUT", "clean pictures: files, folders or globs")
    add_task(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the noise (0)")
    parser.add_argument("--overwrite", action="store_true", help="do again what an earlier run did")
    parser.add_argument("--json", action="store_true", help="print the manifest")


def run(args: argparse.Namespace) -> int:
    task = make_task(args)
    items = files.collect(args.inputs, args.output, args.seed)
    settings = {"command": "degrade", **task.facts(), "seed": args.seed}
    manifest = files.Manifest(args.output, settings, args.overwrite)
    todo = manifest.keep_done(items)
    with progress() as bar:
        line = bar.add_task(f"degrade: {task.name}", total=len(todo))
        for _ in batch.degrade(todo, task):
            bar.advance(line)
    manifest.record(todo)
    return summary(items, manifest, args.json)

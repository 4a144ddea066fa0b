"""Damage clean images, to make test data.

Each result is DIR/STEM with the suffix of its input (.png if that format is lossy) and the bit depth of its
input: a 16x16 image for superres by 4, a grey one for colorize, a black hole for inpaint. Noise depends on
--seed and the file name only. DIR/restora.json records how each was made. Rerunning a command skips files
that were already made. Defaults are in parentheses.
"""

from __future__ import annotations

import argparse

from restora.cli.options import add_input, add_task, make_task
from restora.cli.report import Report
from restora.cli.watch import Watch
from restora.cli.writing import add_writing, make_writing, written
from restora.degradations.named import AUTO
from restora.errors import OptionError
from restora.runs.batch import degrade, opened, opening
from restora.runs.items import Inputs
from restora.runs.manifest import Manifest

EXAMPLES = """examples:
  restora degrade photos/ -o small --task superres
  restora degrade face.png -o grey --task colorize
  restora degrade 'photos/*.jpg' -o holes --task inpaint --hole center
  restora degrade photos/ -o sparse --task inpaint --hole pixels --missing 0.8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "restora degrade INPUT... -o DIR --task TASK [options of the task] [options]"
    parser.epilog = EXAMPLES
    add_input(parser, "clean images: files, folders, globs, zips or URLs")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed of the noise (0)")
    add_writing(parser)
    parser.add_argument("--overwrite", action="store_true", help="make files again that were already made")
    parser.add_argument("--json", action="store_true", help="print the manifest to stdout")
    add_task(parser)


def run(args: argparse.Namespace) -> int:
    task = make_task(args)
    if task.auto:
        name = next(name for name, value in task.options.items() if value == AUTO)
        raise OptionError(
            f"--{name} auto only works with restore, which estimates it from an image; give a number here"
        )
    notes: list[str] = []
    writing, format = make_writing(args, task)
    found = {"recursive": args.recursive, "partners": task.partners, "note": notes.append}
    inputs = Inputs(args.inputs, args.output, args.seed, **found, format=format, exact=True)
    settings = {"command": "degrade", **task.facts(), "seed": args.seed, **written(writing, format)}
    report = Report()
    with Manifest(args.output, settings, args.overwrite) as manifest:
        manifest.begin(inputs)
        stream = opening(inputs, manifest, task.max_pixels, lambda item: opened(item, task, writing))
        with Watch(f"degrade: {task.name}", len(inputs)) as watch:
            for item in degrade(stream, lambda item: manifest.record([item])):
                watch.ended([item])
                manifest.record([item])
                report.add([item])
    return report.summary(manifest, notes, args)

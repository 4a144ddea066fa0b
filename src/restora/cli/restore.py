"""Restore damaged images: noise, blur, holes, too few pixels, JPEG blocks, banding, missing colour.

Each result is DIR/STEM with the suffix of its input. DIR/restora.json records how each was made. Further
samples are DIR/STEM-2 and so on. All frames of an animation and all planes of a TIFF are restored. GIFs
become PNGs; so do JPEGs with --task jpeg. Inputs of the same name in several folders keep their folders
(DIR/FOLDER/STEM); a.png and a.gif in one folder become a-png.png and a-gif.png.

Without --task, each image is inspected and repaired as 'restora inspect' suggests. An image in which
nothing is wrong is copied.

With --uncertainty, DIR/STEM-std.png shows how far off each pixel of the first plane may be.
DIR/STEM-std.tiff has the numbers for all planes: 16 bits per channel, where 65535 means the full intensity
range.

A prior of one size, such as 64x64 faces, needs inputs of that size (16x16 for superres by 4).

Rerunning a command skips files that were already restored. Defaults are in parentheses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from restora import restoration
from restora.cli.arguments import max_pixels
from restora.cli.options import add_input, add_task, make_task, needs_no_task
from restora.cli.report import summary
from restora.cli.settings import add_solver, make_solver
from restora.cli.telling import tell
from restora.cli.watch import Watch
from restora.cli.writing import add_writing, make_writing, written
from restora.errors import OptionError
from restora.operators.base import Shape
from restora.pictures.formats import Format
from restora.plan import Plan
from restora.priors import FlowPrior, store
from restora.runs import batch
from restora.runs import items as files
from restora.runs.beforehand import beforehand, licences
from restora.runs.items import Item
from restora.runs.job import Writing
from restora.runs.manifest import Manifest
from restora.runs.suggested import Suggested, keep
from restora.runs.task import Task, images_of
from restora.tiles import OVERLAP, TILE

EXAMPLES = """examples:
  restora restore photo.jpg -o out
  restora restore small/ -o out --task superres --scale 4 --samples 3
  restora restore photos/ -o out --task inpaint --mask masks/
  restora restore noisy/ -o out --task denoise --sigma auto
  restora restore old/ -o out --task deblur+superres+jpeg --width 1 --scale 2 --quality auto
  restora restore group.jpg -o out --task jpeg --faces
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "restora restore INPUT... -o DIR [--task TASK [options of the task]] [options]"
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add_input(parser, "damaged images: files, folders or globs", needs_task=False)
    add_solver(parser)
    own = " or ".join(FlowPrior.shipped)
    prior = f"an installed prior, OWNER/NAME after 'restora priors pull', or a folder ({own}, by the size)"
    add("--prior", metavar="NAME|DIR", help=prior)
    faces = "restore faces in photos with a prior of faces, if that is likely to help"
    add("--faces", action="store_true", help=faces)
    add_writing(parser)
    add("--samples", type=int, default=1, metavar="K", help="results per image, best first (1)")
    uncertainty = "also write STEM-std.png and .tiff: the standard deviation of --samples, or 8, draws"
    add("--uncertainty", action="store_true", help=uncertainty)
    add("--seed", type=int, default=0, metavar="N", help="random seed (0)")
    add("--device", default="auto", metavar="NAME", help="auto, cpu or cuda (auto)")
    together = "images per batch; fewer if they are large (64)"
    add("--batch-size", type=int, default=64, metavar="N", help=together)
    tile = f"restore larger images in tiles of N pixels per side ({TILE})"
    add("--tile", type=int, default=TILE, metavar="N", help=tile)
    add("--overwrite", action="store_true", help="restore again what was already restored")
    add("--trace", action="store_true", help="also write STEM-trace.webp, an animation of the progress")
    add("--json", action="store_true", help="print the manifest to stdout")
    add_task(parser, experiments=False)


def run(args: argparse.Namespace) -> int:
    for name, least in {"samples": 1, "batch_size": 1, "tile": 2 * OVERLAP}.items():
        if getattr(args, name) < least:
            flag = f"--{name.replace('_', '-')}"
            raise OptionError(f"{flag} must be at least {least}, got {getattr(args, name)}")
    return _as_inspected(args) if args.task is None else _as_told(args)


def _as_told(args: argparse.Namespace) -> int:
    """One task for all pictures."""
    task = make_task(args, restoring=True)
    notes: list[str] = []
    writing, format = make_writing(args, task)
    items = _collect(args, notes, format=format, partners=task.partners, exact=task.of_file)
    images = task.images(item.file for item in items)
    plan = make_plan(args, images)
    task.check(plan, images)
    manifest = Manifest(args.output, _settings(args, task.facts(), plan, writing, format), args.overwrite)
    todo = manifest.todo(items)
    for text in beforehand(plan, task) if todo else ():
        tell(f"note: {text}")
    _restore(args, todo, task, plan, writing, manifest)
    return summary(items, manifest, notes, args)


def _as_inspected(args: argparse.Namespace) -> int:
    """Each picture as `inspect` suggests."""
    needs_no_task(args)
    suggested = Suggested(max_pixels(args))
    notes: list[str] = []
    writing, format = make_writing(args, None)
    items = _collect(args, notes, format=format, exact=suggested.exact)
    plan = make_plan(args, images_of(item.file for item in items))
    manifest = Manifest(args.output, _settings(args, {"task": None}, plan, writing, format), args.overwrite)
    todo = manifest.todo(items)
    groups = suggested.tasks(todo, tell)
    for text in licences(plan) if groups else ():
        tell(f"note: {text}")
    wanted = [item for _, group in groups for item in group]
    for item in (item for item in todo if item.status == "waiting" and item not in wanted):
        keep(item, writing, suggested.max_pixels)
    manifest.record([item for item in todo if item.status != "waiting"])
    for task, group in groups:
        task.check(plan)
        _restore(args, group, task, plan, writing, manifest)
    return summary(items, manifest, notes, args)


def _collect(args: argparse.Namespace, notes: list[str], **found: Any) -> list[Item]:
    wanted = {"samples": args.samples, "trace": args.trace, "uncertainty": args.uncertainty}
    more = {"recursive": args.recursive, "note": notes.append}
    return files.collect(args.inputs, args.output, args.seed, **wanted, **more, **found)


def _settings(
    args: argparse.Namespace, facts: dict[str, Any], plan: Plan, writing: Writing, format: Format | None
) -> dict[str, Any]:
    """What the manifest says of the run."""
    return {
        "command": "restore",
        **facts,
        "method": plan.method,
        "method settings": plan.settings,
        **store.facts(plan.prior, args.prior),
        **(plan.then.facts() if plan.then else {}),
        "samples": args.samples,
        "seed": args.seed,
        "device": str(plan.device),
        **written(writing, format),
        **({"tile": args.tile} if plan.prior is not None and plan.prior.any_size else {}),
    }


def _restore(
    args: argparse.Namespace,
    todo: Sequence[Item],
    task: Task,
    plan: Plan,
    writing: Writing,
    manifest: Manifest,
) -> None:
    options = {"batch_size": args.batch_size, "writing": writing}
    with Watch(f"{plan.method}: {task.name}", todo, args.trace) as watch:
        for chunk in batch.restore_items(todo, task, plan, **options, watch=watch.step):
            watch.finished()
            manifest.record(chunk)


def make_plan(args: argparse.Namespace, images: Shape | None) -> Plan:
    """With what pictures of the shape `images` are restored, and the faces in them, if they are to be."""
    return restoration.make_plan(
        args.method,
        args.prior,
        faces=args.faces,
        images=images,
        samples=args.samples,
        uncertainty=args.uncertainty,
        device=args.device,
        tile=args.tile,
        make=lambda name: make_solver(name, args.settings),
    )

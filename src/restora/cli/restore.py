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
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from restora import restoration
from restora.cli.arguments import a_batch_size, max_pixels
from restora.cli.options import add_input, add_task, make_task, needs_no_task
from restora.cli.report import Report
from restora.cli.settings import add_solver, make_solver
from restora.cli.telling import tell
from restora.cli.watch import Watch
from restora.cli.writing import add_writing, make_writing, written
from restora.errors import OptionError
from restora.operators.base import Shape
from restora.pictures.formats import Format
from restora.plan import Plan
from restora.priors import FlowPrior, store
from restora.runs.batch import Opened, opened, opening, restore
from restora.runs.beforehand import beforehand, licences
from restora.runs.items import Inputs, Item
from restora.runs.job import Writing
from restora.runs.manifest import Manifest
from restora.runs.shapes import images_of
from restora.runs.sizes import Auto, Fixed
from restora.runs.suggested import Suggested, keep
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
    add_input(parser, "damaged images: files, folders, globs, zips or URLs", needs_task=False)
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
    together = "images per batch, fewer if they are large; auto finds how many fit in memory (64)"
    add("--batch-size", type=a_batch_size, default=64, metavar="N|auto", help=together)
    tile = f"restore larger images in tiles of N pixels per side ({TILE})"
    add("--tile", type=int, default=TILE, metavar="N", help=tile)
    add("--overwrite", action="store_true", help="restore again what was already restored")
    add("--trace", action="store_true", help="also write STEM-trace.webp, an animation of the progress")
    add("--json", action="store_true", help="print the manifest to stdout")
    add_task(parser, experiments=False)


def run(args: argparse.Namespace) -> int:
    for name, least in {"samples": 1, "tile": 2 * OVERLAP}.items():
        if getattr(args, name) < least:
            flag = f"--{name.replace('_', '-')}"
            raise OptionError(f"{flag} must be at least {least}, got {getattr(args, name)}")
    return _as_inspected(args) if args.task is None else _as_told(args)


def _as_told(args: argparse.Namespace) -> int:
    """One task for all pictures."""
    task = make_task(args, restoring=True)
    notes: list[str] = []
    writing, format = make_writing(args, task)
    inputs = _inputs(args, notes, format=format, partners=task.partners, exact=task.of_file)
    images = task.images(inputs.files())
    plan = make_plan(args, images)
    task.check(plan, images)
    settings = _settings(args, task.facts(), plan, writing, format)
    told = beforehand(plan, task)
    return _run(
        args, inputs, plan, settings, notes, told, task.name, lambda item: opened(item, task, writing)
    )


def _as_inspected(args: argparse.Namespace) -> int:
    """Each picture as `inspect` suggests."""
    needs_no_task(args)
    suggested = Suggested(max_pixels(args))
    notes: list[str] = []
    writing, format = make_writing(args, None)
    inputs = _inputs(args, notes, format=format, exact=suggested.exact)
    plan = make_plan(args, images_of(inputs.files()))
    settings = _settings(args, {"task": None}, plan, writing, format)

    def begin(item: Item) -> Opened:
        task = suggested.task(item, plan)
        if task is not None:
            return opened(item, task, writing)
        if item.status == "waiting":
            keep(item, writing, suggested.max_pixels)
        return item, None

    return _run(args, inputs, plan, settings, notes, licences(plan), "as inspected", begin)


def _inputs(args: argparse.Namespace, notes: list[str], **found: Any) -> Inputs:
    wanted = {"samples": args.samples, "trace": args.trace, "uncertainty": args.uncertainty}
    more = {"recursive": args.recursive, "note": notes.append}
    return Inputs(args.inputs, args.output, args.seed, **wanted, **more, **found)


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


def _run(
    args: argparse.Namespace,
    inputs: Inputs,
    plan: Plan,
    settings: dict[str, Any],
    notes: list[str],
    told: Sequence[str],
    name: str,
    begin: Callable[[Item], Opened],
) -> int:
    """Restore the inputs, one after the other. told: of the run, before the first is restored. begin: what is
    done with one that no earlier run has done."""
    report = Report()
    size = Auto(plan.device) if args.batch_size is None else Fixed(args.batch_size)
    with Manifest(args.output, settings, args.overwrite) as manifest:
        manifest.begin(inputs)
        with Watch(f"{plan.method}: {name}", len(inputs), args.trace) as watch:
            stream = _told(opening(inputs, manifest, max_pixels(args), begin), told)

            def done(item: Item) -> None:
                watch.written(item)
                manifest.record([item])

            for ended in restore(stream, plan, size=size, watch=watch.step, done=done):
                watch.ended(ended)
                manifest.record(ended)
                report.add(ended)
    return report.summary(manifest, notes, args)


def _told(stream: Iterable[Opened], before: Sequence[str]) -> Iterator[Opened]:
    """Tells what there is to tell of each item, and of all before the first that is restored."""
    for item, job in stream:
        if item.line:
            tell(item.line)
        if job is not None:
            for text in before:
                tell(f"note: {text}")
            before = ()
        yield item, job


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

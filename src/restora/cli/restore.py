"""Restore damaged images: noise, blur, holes, too few pixels, JPEG blocks, banding, missing colour.

Each result is DIR/STEM with the suffix of its input. DIR/restora.json records how each was made. Further
samples are DIR/STEM-2 and so on. All frames of an animation and all planes of a TIFF are restored. GIFs
become PNGs; so do JPEGs with --task jpeg. Inputs of the same name in several folders keep their folders
(DIR/FOLDER/STEM); a.png and a.gif in one folder become a-png.png and a-gif.png.

Without --task, each image is inspected and repaired as 'restora inspect' suggests. An image without damage is
copied.

With --uncertainty, DIR/STEM-std.png is a colour map of the standard deviation of each pixel of the first
plane. DIR/STEM-std.tiff has the values of all planes: 16 bits per channel, where 65535 means the full
intensity range.

A prior of a fixed size, such as 64x64 faces, needs inputs of that size (16x16 for superres by 4).

Rerunning a command skips files that were already restored. Defaults are in parentheses.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from restora import restoration
from restora.cli.arguments import a_batch_size, max_pixels
from restora.cli.engines import add_engine, make_engine
from restora.cli.options import add_input, add_task
from restora.cli.report import Report
from restora.cli.settings import add_solver, make_solver
from restora.cli.telling import tell
from restora.cli.watch import Watch
from restora.cli.ways import Inspected, Told, way_of
from restora.cli.writing import add_writing, written
from restora.errors import OptionError
from restora.operators.base import Shape
from restora.plan import Plan
from restora.priors import FlowPrior, store
from restora.runs.engines import Following
from restora.runs.item import Item
from restora.runs.items import Inputs, maker
from restora.runs.manifest import Manifest
from restora.runs.work import Call, Work
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
    uncertainty = "also write STEM-std.png and .tiff: the standard deviation of each pixel"
    add("--uncertainty", action="store_true", help=uncertainty)
    add("--seed", type=int, default=0, metavar="N", help="random seed (0)")
    add("--device", default="auto", metavar="NAME", help="auto, cpu or cuda (auto)")
    together = "images per batch, fewer if they are large; auto: as many as are fast and fit in memory (64)"
    add("--batch-size", type=a_batch_size, default=64, metavar="N|auto", help=together)
    tile = f"restore larger images in tiles of N pixels per side ({TILE})"
    add("--tile", type=int, default=TILE, metavar="N", help=tile)
    add_engine(parser)
    add("--overwrite", action="store_true", help="restore images again that were already restored")
    add("--trace", action="store_true", help="also write STEM-trace.webp, an animation of the progress")
    add("--json", action="store_true", help="print the manifest to stdout")
    add_task(parser, experiments=False)


def run(args: argparse.Namespace) -> int:
    for name, least in {"samples": 1, "tile": 2 * OVERLAP}.items():
        if getattr(args, name) < least:
            flag = f"--{name.replace('_', '-')}"
            raise OptionError(f"{flag} must be at least {least}, got {getattr(args, name)}")
    engine = make_engine(args)
    way = way_of(args)
    notes: list[str] = []
    inputs = Inputs(
        args.inputs, args.output, recursive=args.recursive, note=notes.append, **_wanted(args, way)
    )
    images = way.images(inputs.files())
    work = _work(args, way, images)
    report, before = Report(), way.before(work.plan)

    def told(item: Item, restored: bool) -> None:
        """Tells what there is to tell of each item, and of all before the first that is restored."""
        if item.line:
            tell(item.line)
        while restored and before:
            tell(f"note: {before.pop(0)}")

    with Manifest(args.output, work.settings, args.overwrite) as manifest:
        manifest.begin(inputs)
        calls = (
            Call(i, source, inputs.name(i), manifest.known(source.path))
            for i, source in enumerate(inputs.sources)
        )
        with Watch(f"{work.plan.method}: {way.name}", len(inputs), args.trace) as watch:

            def done(item: Item) -> None:
                watch.written(item)
                manifest.record([item])

            make = partial(make_work, argparse.Namespace(**{**vars(args), "inputs": []}), images)
            for ended in engine.run(work, make, calls, Following(told, watch.step, done)):
                watch.ended(ended)
                manifest.record(ended)
                report.add(ended)
    return report.summary(manifest, notes, args)


def make_work(args: argparse.Namespace, images: Shape | None) -> Work:
    """What is to be done with the inputs, in any process. images: the shape of those behind the pictures."""
    return _work(args, way_of(args), images)


def _work(args: argparse.Namespace, way: Told | Inspected, images: Shape | None) -> Work:
    plan = make_plan(args, images)
    way.check(plan, images)
    settings = {
        "command": "restore",
        **way.facts(),
        "method": plan.method,
        "method settings": plan.settings,
        **store.facts(plan.prior, args.prior),
        **(plan.then.facts() if plan.then else {}),
        "samples": args.samples,
        "seed": args.seed,
        "device": str(plan.device),
        **written(way.writing, way.format),
        **({"tile": args.tile} if plan.prior is not None and plan.prior.any_size else {}),
    }
    make = maker(args.output, **_wanted(args, way))
    return Work(plan, settings, make, way.begin(plan), args.batch_size, max_pixels(args))


def _wanted(args: argparse.Namespace, way: Told | Inspected) -> dict[str, Any]:
    """Which results there are to be of each input."""
    wanted = {"seed": args.seed, "samples": args.samples, "trace": args.trace}
    return {**wanted, "uncertainty": args.uncertainty, **way.found}


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

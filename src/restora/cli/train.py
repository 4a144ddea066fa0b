"""Train a prior on your own clean images.

DIR gets samples.png, log.jsonl and, every few minutes, a checkpoint, from which --resume continues exactly.
After training, DIR contains the prior: use it with 'restora restore ... --prior DIR'.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, TextColumn

from restora import __version__
from restora.cli.arguments import a_path
from restora.cli.options import as_options
from restora.cli.progress import Bar
from restora.cli.settings import add_settings, make_settings
from restora.cli.telling import tell
from restora.device import pick
from restora.runs.items import make_folder
from restora.training import loop, trainings
from restora.training.data import reader
from restora.training.workers import ALONE, launch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for name, training in trainings:
        summary = (training.__doc__ or "").partition("\n")[0]
        kind = kinds.add_parser(name, help=summary.rstrip("."), description=summary)
        many = "+" if training.needs_data else "*"
        text = "images, folders or zips; each plane of a stack counts as one image"
        kind.add_argument("data", nargs=many, type=a_path, metavar="DATA", help=text)
        kind.add_argument(
            "-o",
            "--output",
            type=a_path,
            required=True,
            metavar="DIR",
            help="output folder for the run and its prior",
        )
        if training.needs_budget:
            budget = kind.add_mutually_exclusive_group(required=True)
            budget.add_argument("--minutes", type=float, metavar="M", help="train for M minutes in total")
            budget.add_argument("--images", type=int, metavar="N", help="train on N images in total")
        kind.add_argument("--resume", action="store_true", help="continue from the checkpoint in DIR")
        kind.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu or cuda (auto)")
        if training.parallel:
            kind.add_argument(
                "--devices",
                type=int,
                default=1,
                metavar="N",
                help="number of GPUs, or processes on the CPU (1)",
            )
        kind.add_argument("--json", action="store_true", help="print the facts of the run as JSON")
        add_settings(kind, training.Config)


def run(args: argparse.Namespace) -> int:
    training = trainings.get(args.kind)
    config = make_settings(args, training.Config)
    budget = loop.Budget(args.minutes, args.images) if training.needs_budget else None
    make_folder(args.output)
    loop.check_folder(args.output, args.resume)
    empty = torch.empty(0, config.channels, config.size, config.size, dtype=torch.uint8)
    read = reader(getattr(config, "crop", False))
    images, errors = read(args.data, config.size, config.channels) if args.data else (empty, [])
    workers, device, more = ALONE, pick(args.device), []
    if training.parallel:
        workers, device = launch(args.devices, device, config.batch)
        more = [workers]
    trainer = training(config, images, device, *more)
    facts = {
        "data": [source.name for source in args.data],
        "training_images": len(images),
        "settings": settings(config),
        "restora": __version__,
    }
    budget = budget or loop.Budget(images=trainer.length)
    reports = loop.run(trainer, args.output, budget, args.resume, facts, workers=workers)
    if not workers.leads:
        follow(reports)
        return 0
    for error in errors:
        tell(f"left out: {as_options(error, args)}")
    where = f"{workers.count} times {device.type}" if workers.count > 1 else device
    print(f"{told(images, config.size)}, training on {where}", file=sys.stderr)
    show_progress(reports)
    facts["images_seen"] = trainer.images_seen
    print(
        json.dumps(facts)
        if args.json
        else f"{args.output}: {training.makes}, after {trainer.images_seen} images"
    )
    return 0


def told(images: Any, size: int) -> str:
    """What was found: images of one size (N, C, size, size), or a list of whole ones."""
    what = f"{len(images)} image{'s' * (len(images) != 1)}"
    return (
        f"{what}, {size}x{size} squares cut from them"
        if isinstance(images, list)
        else f"{what} of {size}x{size}"
    )


def settings(config: Any) -> dict[str, Any]:
    """For the card: of files and folders their names alone, which mean something elsewhere too."""
    places = {"validation", "init", "prior", "teacher"}
    return {k: Path(v).name if k in places else v for k, v in asdict(config).items()}


def follow(reports: Generator[loop.Report]) -> None:
    """Go on until the first process stops, also when Ctrl-C reaches all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for _ in reports:
        pass


def show_progress(reports: Generator[loop.Report]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.1f} %"))
    with Bar(*columns, line=lambda task: f"{task.percentage:.0f} % {task.description}") as bar:
        line = bar.add_task("starting", total=1.0)
        for report in stoppable(reports):
            scalars = " ".join(f"{k} {v:.3f}" for k, v in report.scalars.items())
            text = f"{report.images} images, {report.rate:.0f}/s, {report.left / 60:.1f} min left, {scalars}"
            bar.update(line, completed=report.done, description=text)


def stoppable(run: Generator[loop.Report]) -> Iterator[loop.Report]:
    """The reports of a run. Ctrl-C lets the step at work finish, keeps a checkpoint, and then interrupts."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        for report in run:
            if asked:
                run.close()
                raise KeyboardInterrupt
            yield report
    finally:
        signal.signal(signal.SIGINT, before)

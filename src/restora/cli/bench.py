"""Compare methods on your images: quality, time and memory for each task and method.

DATA are clean images of any size. Each task damages them, each method restores them, and the results are
scored against the originals. The table goes to stdout. DIR gets table.md, table.csv, results.json (all scores
of every image), figure.png (results side by side), scatter.png (quality against time) and the restored
images. If a run was stopped, the same command continues it. You can add tasks and methods later.
Defaults are in parentheses.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Task, TextColumn

from restora.bench import figure, method, perceptual, table
from restora.bench.data import read_images
from restora.bench.environment import environment
from restora.bench.protocol import TASKS, check_tasks, protocols
from restora.bench.run import Benchmark, Cell
from restora.bench.store import Store
from restora.cli.arguments import a_path, add_limit, max_pixels
from restora.cli.options import as_options
from restora.cli.progress import Bar, minutes
from restora.cli.telling import tell
from restora.degradations import degradations, named
from restora.device import pick
from restora.errors import OptionError
from restora.solvers import solvers

OPTIONAL = {"channels": 3, "multiple": 1}  # settings that are on record where they are not these
EXAMPLES = """protocols:
  clean  observations and results are rounded to 8 bits, or to 16 bits for 16-bit images
  deck   the protocol of the table of Yeh et al. (ICASSP 2018), to compare with its numbers

examples:
  restora bench photos/ --limit 50 --tasks denoise,superres
  restora bench photos/ --multiple 8 --tasks denoise:sigma=0.05,superres:scale=2:kernel=bicubic
  restora bench faces.zip -o out --methods map,map@runs/my-prior,lmmse@runs/my-gaussian
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "restora bench DATA... [-o DIR] [options]"
    parser.epilog = EXAMPLES
    add = parser.add_argument
    all_methods = f"(all except {', '.join(method.LEFT_OUT)})"
    shown = ", ".join(perceptual.columns.names())
    add("data", nargs="+", type=a_path, metavar="DATA", help="folders or zips of clean images")
    add(
        "-o",
        "--output",
        type=a_path,
        default=Path("bench"),
        metavar="DIR",
        help="output folder (bench)",
    )
    published = f"({','.join(TASKS)}; without colorize unless --channels is 3)"
    tasks = f"TASK or TASK:OPTION=VALUE:..., of {', '.join(degradations.names())} {published}"
    add("--tasks", metavar="T,..", help=tasks)
    add(
        "--methods",
        metavar="M,..",
        help=f"METHOD or METHOD@PRIOR, of {', '.join(solvers.names())} {all_methods}",
    )
    add("--limit", type=int, metavar="N", help="use N files, evenly spaced in name order (all)")
    add(
        "--multiple",
        type=int,
        default=1,
        metavar="N",
        help="crop images to sides that are multiples of N (1)",
    )
    add(
        "--channels",
        type=int,
        default=3,
        metavar="N",
        help="channels: 3 for colour, 1 for grey, up to 16 (3)",
    )
    add_limit(parser)
    add(
        "--protocol",
        default="clean",
        choices=protocols.names(),
        help="how observations are made and scored; see below (clean)",
    )
    add(
        "--perceptual",
        metavar="C,..",
        help=f"extra columns: {shown}, or none (those that are installed; identity only for faces)",
    )
    add("--seed", type=int, default=0, metavar="N", help="random seed (0)")
    together = "images per batch; fewer if they are large (64)"
    add("--batch-size", type=int, default=64, metavar="N", help=together)
    add("--device", default="auto", metavar="NAME", help="auto, cpu or cuda (auto)")
    add("--overwrite", action="store_true", help="repeat measurements that already exist")
    add("--json", action="store_true", help="print results.json instead of the table")


def run(args: argparse.Namespace) -> int:
    if args.batch_size < 1:
        raise OptionError(f"--batch-size must be at least 1, got {args.batch_size}")
    device = pick(args.device)
    usual = [task for task in TASKS if args.channels == 3 or task != "colorize"]
    tasks = list(dict.fromkeys(_names(args.tasks, "--tasks") or usual))
    for task in tasks:
        named.words(task)
    wanted = _names(args.methods, "--methods")
    for text in wanted or []:
        solvers.get(text.partition("@")[0])
    wanted_shape = args.channels, args.multiple
    images = read_images(args.data, args.limit, args.output, *wanted_shape, max_pixels(args))
    protocol = protocols.get(args.protocol)(images.bits)
    check_tasks(protocol, tasks, images.shapes)
    on = images.shapes, args.device
    methods, left_out = (method.named(wanted, *on), []) if wanted else method.all_usable(*on)
    columns: dict[str, type[perceptual.Column]] = {}
    if args.perceptual != "none":
        columns, without = perceptual.choose(_names(args.perceptual, "--perceptual"), images.truth)
        left_out += without
    settings = {
        "protocol": protocol.name,
        "images": len(images),
        "size": images.size,
        "images sha256": images.digest(),
        "names": images.names,
        **({"bits": images.bits} if images.bits != 8 else {}),
        **{name: getattr(args, name) for name, usual in OPTIONAL.items() if getattr(args, name) != usual},
        "seed": args.seed,
        "batch size": args.batch_size,
        "device": str(device),
        **environment(device),
    }
    store = Store(args.output, settings, args.overwrite)
    benchmark = Benchmark(images, protocol, tasks, methods, store, args.seed, args.batch_size)
    for line in (*left_out, *images.errors):
        tell(f"left out: {as_options(line, args)}")
    _fill(benchmark, perceptual.Perceptual(columns, images.truth, images.names))
    _write(benchmark, columns, args.json)
    failed = [(cell, row) for cell in benchmark.cells for row in cell.failed]
    for cell, row in failed:
        tell(f"failed: {cell.task}, {cell.method.label}: {row['name']}: {row['error']}")
    return 1 if failed or images.errors else 0


def _names(text: str | None, option: str) -> list[str] | None:
    """The words of a comma-separated list."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise OptionError(f"{option}: expected names separated by commas, got {text!r}")
    return words


def _fill(benchmark: Benchmark, extra: perceptual.Perceptual) -> None:
    """Run what is left to do, with progress on stderr: a bar, or a line a cell where that is no terminal."""
    progress = _Progress(benchmark.cells, benchmark)
    with progress.bar:
        for cell, images, seconds in benchmark.run():
            progress.advance(cell, images, seconds)
            if not cell.todo:
                progress.describe(f"{cell.task}, {cell.method.label}: perceptual columns")
                start = time.monotonic()
                extra.add(cell)
                progress.finished(cell, time.monotonic() - start)
        for cell in benchmark.cells:
            progress.describe(f"{cell.task}, {cell.method.label}: perceptual columns")
            extra.add(cell)


class _Progress:
    """Images done, and the time left: of each method at its own pace, as far as that is known."""

    def __init__(self, cells: list[Cell], benchmark: Benchmark):
        self.cells, self.benchmark = cells, benchmark
        self.spent: dict[str, list[float]] = {}
        self.perceptual = 0.0  # seconds an image
        for cell in cells:
            for row in cell.good:
                self._note(cell, 1, row["seconds"])
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
        self.bar = Bar(*columns, line=self._line, transient=True)
        self.line = self.bar.add_task("starting", total=self._left_images() or 1)

    def _note(self, cell: Cell, images: int, seconds: float) -> None:
        total = self.spent.setdefault(cell.method.label, [0.0, 0.0])
        total[0] += seconds
        total[1] += images

    def _left_images(self, label: str | None = None) -> int:
        cells = [cell for cell in self.cells if label in (None, cell.method.label)]
        return sum(len(self.benchmark.batches[number]) for cell in cells for number in cell.todo)

    def seconds_left(self) -> float:
        rates = {label: seconds / images for label, (seconds, images) in self.spent.items()}
        usual = sum(rates.values()) / max(1, len(rates))
        labels = {cell.method.label for cell in self.cells}
        restoring = sum(self._left_images(label) * rates.get(label, usual) for label in labels)
        unfinished = sum(bool(cell.todo) for cell in self.cells) * len(self.benchmark.images)
        return restoring + unfinished * self.perceptual

    def advance(self, cell: Cell, images: int, seconds: float) -> None:
        self._note(cell, images, seconds)
        self.bar.advance(self.line, images)
        self.describe(f"{cell.task}, {cell.method.label}: {self._left()}")

    def finished(self, cell: Cell, perceptual: float) -> None:
        self.perceptual = perceptual / len(self.benchmark.images)
        if self.bar.disable:
            summary = table.summarize(cell)
            psnr = f"PSNR {summary.means['psnr']} dB" if cell.good else "all failed"
            possible = [c for c in self.cells if c.file]
            done = sum(not c.todo for c in possible)
            tell(f"{done} of {len(possible)}: {cell.task}, {cell.method.label}: {psnr}; {self._left()}")

    def describe(self, text: str) -> None:
        self.bar.update(self.line, description=text)

    def _left(self) -> str:
        return f"{minutes(self.seconds_left())} left"

    def _line(self, task: Task) -> str:
        return (
            f"{task.description}; {task.completed:.0f} of {task.total:.0f} images ({task.percentage:.0f} %)"
        )


def _write(benchmark: Benchmark, columns: dict[str, Any], as_json: bool) -> None:
    """The files, and the table or results.json on stdout."""
    summaries = [table.summarize(cell) for cell in benchmark.cells]
    store = benchmark.store
    text = json.dumps(table.results(benchmark, summaries, columns), indent=1) + "\n"
    markdown = table.to_markdown(benchmark, summaries, columns)
    store.write_text("results.json", text)
    store.write_text("table.csv", table.to_csv(summaries, columns))
    store.write_text("table.md", markdown)
    figure.sheet(store.folder / "figure.png", benchmark)
    figure.scatter(store.folder / "scatter.png", summaries)
    sys.stdout.write(text if as_json else f"{markdown}\nwritten to {store.folder}\n")

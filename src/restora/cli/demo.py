"""Degrade a photo in five ways, restore it with one prior, and write a contact sheet.

The photo is scikit-image's astronaut (Eileen Collins, NASA), her face aligned to the 64x64 template.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from torch import Tensor

from restora import metrics, random
from restora.align import astronaut
from restora.cli.report import progress
from restora.degradations import Degradation, Mask, degradations
from restora.errors import PairingError
from restora.figure import Panel, contact_sheet
from restora.files import make_folder
from restora.image import to_uint8
from restora.priors import load_prior
from restora.restore import DEFAULT_PRIOR, stream

TASKS = ("inpaint", "colorize", "superres", "denoise", "dequantize")
COLUMNS = ("observed", "restored", "sample 2", "sample 3", "truth")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo"), metavar="DIR", help="folder for demo.png (demo)"
    )
    parser.add_argument(
        "--prior",
        default=DEFAULT_PRIOR,
        metavar="NAME|DIR",
        help=f"a prior for 64x64 faces ({DEFAULT_PRIOR})",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the noise and the random starts (0)"
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def run(args: argparse.Namespace) -> int:
    make_folder(args.output)
    prior = load_prior(args.prior)
    channels, height, width = prior.image_shape
    if channels != 3 or height != width:
        raise PairingError(
            f"the demo needs a prior of square colour images; {prior.name!r} makes {prior.image_shape}"
        )
    truth = astronaut(height)[None]
    rows: list[tuple[str, list[Panel]]] = []
    table: list[dict[str, str | float]] = []
    with progress() as bar:
        line = bar.add_task("demo", total=len(TASKS))
        for task in TASKS:
            degradation = make_degradation(task, truth)
            y = to_uint8(degradation(truth, random.generators(args.seed, 1))).float() / 255
            search = stream(y, degradation, prior=prior, samples=3, seed=args.seed)
            while True:
                try:
                    bar.advance(line, 1 / next(search).total)
                except StopIteration as stop:
                    result = stop.value
                    break
            bar.update(line, completed=len(table) + 1)
            panels = [Panel(y[0], ""), *(panel(x, truth) for x in result.samples[0]), Panel(truth[0], "")]
            rows.append((task, panels))
            table.append({"task": task, **score(result.image, truth), "seconds": round(result.seconds, 2)})
    path = args.output / "demo.png"
    contact_sheet(path, rows, COLUMNS)
    _tell(table, path, args.json)
    return 0


def make_degradation(task: str, truth: Tensor) -> Degradation:
    """The published setting of a task: the defaults, and for inpainting the central hole."""
    cls = degradations.get(task)
    return cls.center((truth.shape[-2], truth.shape[-1])) if issubclass(cls, Mask) else cls()


def score(x: Tensor, truth: Tensor) -> dict[str, float]:
    return {"psnr": round(metrics.psnr(x, truth).item(), 2), "ssim": round(metrics.ssim(x, truth).item(), 3)}


def panel(x: Tensor, truth: Tensor) -> Panel:
    values = score(x[None], truth)
    return Panel(x.cpu(), f"{values['psnr']:.2f} dB / {values['ssim']:.3f}")


def _tell(table: list[dict[str, str | float]], path: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"sheet": str(path), "tasks": table}))
        return
    print(f"{'task':<12}{'PSNR dB':>8}{'SSIM':>8}{'seconds':>9}")
    for row in table:
        print(f"{row['task']:<12}{row['psnr']:>8.2f}{row['ssim']:>8.3f}{row['seconds']:>9.2f}")
    print(f"\ncontact sheet: {path}")

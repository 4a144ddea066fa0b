"""Degrade a photo in five ways, restore it with each prior, and write a contact sheet.

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
from restora.pictures.colour import rounded
from restora.priors import Prior, load_prior
from restora.restoration import restore
from restora.runs.items import make_folder

TASKS = ("inpaint", "colorize", "superres", "denoise", "dequantize")
PRIORS = ("faces64", "faces64-dcgan")
DRAWS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo"), metavar="DIR", help="folder for demo.png (demo)"
    )
    parser.add_argument(
        "--prior",
        nargs="+",
        default=PRIORS,
        metavar="NAME|DIR",
        help=f"priors of 64x64 faces, a column each ({' '.join(PRIORS)})",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the noise and the random starts (0)"
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def run(args: argparse.Namespace) -> int:
    make_folder(args.output)
    priors = [_prior(name) for name in args.prior]
    truth = astronaut(priors[0].image_shape[1])[None]
    rows: list[tuple[str, list[Panel]]] = []
    table: list[dict[str, str | float]] = []
    with progress() as bar:
        line = bar.add_task("demo", total=len(TASKS))
        for task in TASKS:
            degradation = make_degradation(task, truth)
            y = rounded(degradation(truth, random.generators(args.seed, 1)))
            panels = [Panel(y[0], "")]
            for prior in priors:
                result = restore(y, degradation, prior=prior, seed=args.seed)
                panels.append(panel(result.image[0], truth))
                facts: dict[str, str | float] = {"task": task, "prior": prior.name, "method": result.method}
                scores = score(result.image, truth)
                table.append({**facts, **scores, "seconds": round(result.seconds, 2)})
            draws = restore(y, degradation, prior=priors[0], samples=1 + DRAWS, seed=args.seed).samples[0, 1:]
            panels += [panel(x, truth) for x in draws]
            rows.append((task, [*panels, Panel(truth[0], "")]))
            bar.advance(line)
    path = args.output / "demo.png"
    names = [prior.name for prior in priors]
    contact_sheet(path, rows, ("observed", *names, *["a sample"] * DRAWS, "truth"))
    _tell(table, path, args.json)
    return 0


def _prior(name: str) -> Prior:
    prior = load_prior(name)
    channels, height, width = prior.image_shape
    if channels != 3 or height != width:
        raise PairingError(
            f"the demo needs priors of square colour images; {prior.name!r} makes {prior.image_shape}"
        )
    return prior


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
    print(f"{'task':<12}{'prior':<16}{'method':<8}{'PSNR dB':>8}{'SSIM':>8}{'seconds':>9}")
    for row in table:
        names = f"{row['task']:<12}{row['prior']:<16}{row['method']:<8}"
        print(f"{names}{row['psnr']:>8.2f}{row['ssim']:>8.3f}{row['seconds']:>9.2f}")
    print(f"\ncontact sheet: {path}")

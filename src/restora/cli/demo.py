"""Damage a photo in five ways, restore it with each prior, and write a contact sheet.

The photo is scikit-image's astronaut (Eileen Collins, NASA), her face aligned to the 64x64 template.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from torch import Tensor

from restora import metrics, random
from restora.align import astronaut
from restora.cli.arguments import a_path
from restora.cli.progress import progress
from restora.degradations import named
from restora.errors import PairingError
from restora.figure import Panel, contact_sheet
from restora.pictures.colour import rounded
from restora.plan import decide, finish
from restora.priors import Prior, load_prior
from restora.runs.items import make_folder

TASKS = ("inpaint", "colorize", "superres", "denoise", "dequantize")
PRIORS = ("faces64", "faces64-dcgan")
DRAWS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=a_path,
        default=Path("demo"),
        metavar="DIR",
        help="output folder for demo.png (demo)",
    )
    parser.add_argument(
        "--prior",
        nargs="+",
        default=PRIORS,
        metavar="NAME|DIR",
        help=f"priors of 64x64 faces, one column each ({' '.join(PRIORS)})",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (0)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def run(args: argparse.Namespace) -> int:
    make_folder(args.output)
    priors = [_prior(name) for name in args.prior]
    names = [prior.name for prior in priors]
    plans = [decide(prior=prior) for prior in priors]
    draws = decide(prior=plans[0].prior, samples=1 + DRAWS)
    truth = astronaut(priors[0].image_shape[1])[None]
    rows: list[tuple[str, list[Panel]]] = []
    table: list[dict[str, str | float]] = []
    with progress() as bar:
        line = bar.add_task("demo", total=len(TASKS))
        for task in TASKS:
            degradation = named.build(task, truth.shape[-2:])
            y = rounded(degradation(truth, random.generators(args.seed, 1)))
            panels = [Panel(y[0], "")]
            for name, plan in zip(names, plans, strict=True):
                result = finish(plan.run(y, degradation, args.seed))
                panels.append(panel(result.image[0], truth))
                facts: dict[str, str | float] = {"task": task, "prior": name, "method": result.method}
                scores = score(result.image, truth)
                table.append({**facts, **scores, "seconds": round(result.seconds, 2)})
            drawn = finish(draws.run(y, degradation, args.seed))
            panels += [panel(x, truth) for x in drawn.samples[0, 1:]]
            rows.append((task, [*panels, Panel(truth[0], "")]))
            bar.advance(line)
    path = args.output / "demo.png"
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

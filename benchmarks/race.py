"""Latent methods of one GAN against the clock: the same images, one method after the other.

    python benchmarks/race.py ../shared/faces/test --prior faces64-dcgan --table runs/lookup -o runs/race

reference   the authors' settings: gradient descent with momentum from a random latent
adam        their objective by Adam, from a random latent
lookup      the best entry of a table, and no search      (with --table)
encoder     the default: the encoder's latent             (with a prior that has one)
search      from the encoder, or else from random latents, with a search of 30 steps
adapt       search, and then a generator adapted to each image, 100 steps
csgm        deepinv's latent search, an image at a time   (if deepinv can be imported)

Every method but `reference`, `adam` and `csgm` ends with its correction of what the generator cannot draw.
Times are seconds an image in this run, without loading; the objective is the authors', of whatever image a
method has at that time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from restora import load_prior, metrics
from restora.degradations import Degradation, Quantize, named
from restora.priors import GANPrior
from restora.random import generators
from restora.runs.items import make_folder
from restora.solvers import LatentMAP, Solver, solvers
from restora.solvers.reference import released
from restora.training.data import load

TASKS = ("inpaint", "colorize", "superres", "denoise", "dequantize")


@dataclass(frozen=True)
class Point:
    """Where a method stands: seconds an image, the authors' objective, PSNR in dB; means over the images."""

    seconds: float
    objective: float
    psnr: float


def methods(degradation: Degradation, prior: GANPrior, table: str) -> Iterator[tuple[str, Solver]]:
    authors = released(degradation)
    yield "reference", solvers.get("reference")()
    yield "adam", replace(authors, optimizer="adam", rate=0.05, schedule="cosine", iterations=300)
    if table:
        yield "lookup", LatentMAP(table=table, iterations=0)
    if prior.encoder is not None:
        yield "encoder", LatentMAP(iterations=0)
    yield "search", LatentMAP(iterations=30)
    yield "adapt", LatentMAP(iterations=30, adapt=100)


def run(
    solver: Solver, y: Tensor, degradation: Degradation, prior: GANPrior
) -> Iterator[tuple[float, Tensor]]:
    """(seconds, x) at steps 1, 2, 3, 5, 7, 10, 14, ... and at the end; only the solver's own time counts."""
    spent, due = 0.0, 1.0
    steps = solver.steps(y, degradation, prior, generators(0, len(y), "restore"))
    count = 0
    while True:
        begun = time.perf_counter()
        try:
            step = next(steps)
        except StopIteration:
            break
        spent += time.perf_counter() - begun
        count += 1
        if count >= due:
            due = max(count + 1, 1.4 * due)
            yield spent, step.x.clone()
    yield spent, step.x


def csgm(y: Tensor, degradation: Degradation, prior: GANPrior) -> Iterator[tuple[float, Tensor]]:
    """deepinv's CSGM, an image at a time as it works; nothing where it cannot be imported."""
    try:
        from deepinv.models.gan import CSGMGenerator
    except ImportError:
        return

    class Backbone(torch.nn.Module):
        nz = prior.latent_shape[0]

        def forward(self, z: Tensor) -> Tensor:
            return prior.generate(z.flatten(1))

    model = CSGMGenerator(Backbone()).eval()
    begun, found = time.perf_counter(), []
    for i in range(len(y)):
        found.append(model(y[i : i + 1], degradation.take(torch.tensor([i]))))
    yield time.perf_counter() - begun, torch.cat(found)


def points(
    states: Iterator[tuple[float, Tensor]], y: Tensor, x: Tensor, degradation: Degradation, prior: GANPrior
) -> list[Point]:
    authors = released(degradation)
    taken = replace(degradation, distance="identity") if isinstance(degradation, Quantize) else degradation
    found = []
    for seconds, image in states:
        with torch.no_grad():
            fidelity = taken.fidelity(image, y, 1)
            objective = authors.objective(image, torch.empty(0), fidelity, prior).mean().item()
        psnr = metrics.psnr(image.clamp(0, 1), x).mean().item()
        found.append(Point(seconds / len(y), objective, psnr))
    return found


def table(results: dict[str, dict[str, list[Point]]]) -> str:
    lines = [
        "| task | method | s/image | of reference | objective | PSNR dB |",
        "| --- | --- |" + " ---: |" * 4,
    ]
    for task, found in results.items():
        whole = found["reference"][-1].seconds
        for name, way in found.items():
            last = way[-1]
            ratio = f"1/{whole / last.seconds:.0f}" if last.seconds < whole else f"{last.seconds / whole:.1f}"
            lines.append(
                f"| {task} | {name} | {last.seconds:.2g} | {ratio} | {last.objective:.0f} | {last.psnr:.2f} |"
            )
    return "\n".join(lines)


def figure(path: Path, results: dict[str, dict[str, list[Point]]]) -> None:
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(4 * len(results), 7), layout="constrained")
    axes = drawing.subplots(2, len(results), squeeze=False)
    for column, (task, found) in enumerate(results.items()):
        for row, (name, label) in enumerate(
            (("psnr", "PSNR, dB"), ("objective", "objective of the authors"))
        ):
            axis = axes[row, column]
            for method, way in found.items():
                seconds, values = [p.seconds for p in way], [getattr(p, name) for p in way]
                axis.plot(seconds, values, marker=".", label=method)
            axis.set(xscale="log", xlabel="seconds an image", ylabel=label, title=task)
            if name == "objective":
                axis.set_yscale("log")
            axis.grid(alpha=0.3)
    drawing.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=7)
    drawing.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--prior", default="faces64-dcgan")
    parser.add_argument("--table", default="", help="folder that 'restora train lookup' wrote")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/race"))
    args = parser.parse_args()
    prior = load_prior(args.prior)
    assert isinstance(prior, GANPrior)
    images, _ = load(args.data, prior.image_shape[-1], prior.image_shape[0])
    x = images[torch.arange(args.limit) * len(images) // args.limit].float() / 255
    make_folder(args.output)
    results: dict[str, dict[str, list[Point]]] = {}
    for task in args.tasks:
        degradation = named.build(task, x.shape[2:])
        y = (255 * degradation(x, generators(0, len(x)))).round().clamp(0, 255) / 255
        found = results.setdefault(task, {})
        for first in (
            LatentMAP(iterations=2),
            LatentMAP(),
        ):  # not counted: what is made when it is first used
            list(first.steps(y, degradation, prior, generators(0, len(y))))
        for name, solver in methods(degradation, prior, args.table):
            found[name] = points(run(solver, y, degradation, prior), y, x, degradation, prior)
            print(task, name, found[name][-1], flush=True)
        if other := points(csgm(y, degradation, prior), y, x, degradation, prior):
            found["csgm"] = other
        write(args.output, results)
    print(table(results))


def write(folder: Path, results: dict[str, dict[str, list[Point]]]) -> None:
    """All there is so far: race.json, race.md and race.png."""
    text = {task: {m: [vars(p) for p in way] for m, way in found.items()} for task, found in results.items()}
    (folder / "race.json").write_text(json.dumps(text))
    (folder / "race.md").write_text(table(results) + "\n")
    figure(folder / "race.png", results)


if __name__ == "__main__":
    main()

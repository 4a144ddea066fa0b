"""Two pictures of a benchmark: restorations side by side, and quality against time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from restora.bench.run import Benchmark, Cell
from restora.bench.table import Summary
from restora.figure import Panel, contact_sheet, write_figure

MARKERS = "osD^vP*Xhp<>"
SHORTEST = 1e-6  # seconds: a logarithm needs some


def sheet(path: Path, benchmark: Benchmark, count: int = 2) -> None:
    """figure.png: `count` evenly spaced images a task; the observation, every method, the truth."""
    total = len(benchmark.images)
    chosen = [i * total // min(count, total) for i in range(min(count, total))]
    methods = [cell.method for cell in benchmark.cells]
    labels = list(dict.fromkeys(method.label for method in methods if method.name != "observed"))
    tasks = list(dict.fromkeys(cell.task for cell in benchmark.cells))
    rows = [(task.replace(":", "\n"), _panels(benchmark, task, labels, i)) for task in tasks for i in chosen]
    headings = [label.replace("@", "\n@") for label in labels]
    contact_sheet(path, rows, ["observed", *headings, "truth"])


def _panels(benchmark: Benchmark, task: str, labels: Sequence[str], i: int) -> list[Panel]:
    cells = {cell.method.label: cell for cell in benchmark.cells if cell.task == task}
    y, _ = benchmark.observe(task, [i])
    restored = [_restored(cells[label], benchmark.images.names[i]) for label in labels]
    return [Panel(y[0], ""), *restored, Panel(benchmark.images.truth[i], "")]


def _restored(cell: Cell, name: str) -> Panel:
    """A restoration with its scores; white where there is none."""
    row = next((row for row in cell.rows if row["name"] == name), None)
    if cell.file is None or row is None or "error" in row:
        return Panel(torch.ones(3, 1, 1), "—" if cell.file is None else "failed")
    return Panel(cell.file.read_picture(name), f"{float(row['psnr']):.2f} dB / {float(row['ssim']):.3f}")


def scatter(path: Path, summaries: Sequence[Summary]) -> None:
    """scatter.png: a panel a task, a point a method with its 95 % interval; seconds are logarithmic.

    The observations themselves are left out: they are no method, and too bad for a scale.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    tasks = list(dict.fromkeys(s.cell.task for s in summaries))
    summaries = [s for s in summaries if s.cell.method.name != "observed"]
    labels = list(dict.fromkeys(s.cell.method.label for s in summaries))
    columns = min(3, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = Figure(figsize=(3.6 * columns + 1.8, 3.2 * rows), dpi=110, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, task in zip(axes, tasks, strict=False):
        for s in (s for s in summaries if s.cell.task == task and _is_finite(s)):
            _point(axis, s, labels.index(s.cell.method.label))
        axis.set(title=task.replace(":", "\n"), xscale="log", xlabel="time, s per image", ylabel="PSNR, dB")
        axis.set_xlim(*_decades([s.means["seconds"].value for s in summaries if "seconds" in s.means]))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
        axis.margins(y=0.15)
    for axis in axes[len(tasks) :]:
        axis.set_visible(False)
    handles: dict[str, Any] = {}
    for axis in axes:
        handles |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    known = [label for label in labels if label in handles]
    if known:
        points = [handles[k] for k in known]
        figure.legend(handles=points, labels=known, loc="outside right upper", title="method")
    write_figure(path, figure)


def _decades(seconds: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around them all, so that every panel has the same axis."""
    low, high = (math.log10(max(SHORTEST, f(seconds, default=1.0))) for f in (min, max))
    return 10 ** (math.floor(low) - 0.1), 10 ** (math.floor(high) + 1.1)


def _is_finite(s: Summary) -> bool:
    return "psnr" in s.means and math.isfinite(s.means["psnr"].value)


def _point(axis: Any, s: Summary, i: int) -> None:
    mean, seconds = s.means["psnr"], s.means["seconds"].value
    width = 0.0 if math.isnan(mean.half_width) else mean.half_width
    axis.errorbar(
        max(seconds, SHORTEST),
        mean.value,
        yerr=width,
        fmt=MARKERS[i % len(MARKERS)],
        color=f"C{i % 10}",
        markersize=7,
        capsize=3,
        label=s.cell.method.label,
    )

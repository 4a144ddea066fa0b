"""The results of a benchmark as numbers: a summary a cell, results.json, table.csv and table.md."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from restora import metrics
from restora.bench.perceptual import Column
from restora.bench.run import Benchmark, Cell
from restora.bench.store import number
from restora.degradations import named

DASH = "—"
PER_IMAGE = ("psnr", "hole_psnr", "ssim", "seconds", "residual")
MIB = 2**20
PACE = "seconds_per_megapixel"
LARGE = 0.1  # megapixels, from which on their seconds are told


@dataclass(frozen=True)
class Summary:
    """One cell: the means of its values, those over all images at once, and how many images failed."""

    cell: Cell
    means: dict[str, metrics.Mean]
    single: dict[str, float]

    @property
    def is_possible(self) -> bool:
        return self.cell.file is not None


def summarize(cell: Cell) -> Summary:
    rows = cell.good
    values = {key: [float(row[key]) for row in rows if key in row] for key in PER_IMAGE}
    lists = {k: v for k, v in cell.perceptual.items() if isinstance(v, list)}
    single = {k: float(v) for k, v in cell.perceptual.items() if isinstance(v, int | float)}
    if cell.peak_memory is not None and rows:
        single["peak_memory_mib"] = cell.peak_memory / MIB
    area = dict(zip(cell.images.names, cell.images.megapixels, strict=True))
    if rows and sum(area.values()) >= LARGE * len(area):
        single[PACE] = sum(values["seconds"]) / sum(area[row["name"]] for row in rows)
    means = {key: metrics.mean(found) for key, found in {**values, **lists}.items() if found}
    return Summary(cell, means, single)


def results(
    benchmark: Benchmark, summaries: Sequence[Summary], columns: dict[str, type[Column]]
) -> dict[str, Any]:
    """All there is: settings, versions, machine, and every value of every cell."""
    methods = {s.cell.method.label: s.cell.method.facts() for s in summaries}
    size = benchmark.images.shapes[0][1:]
    tasks = {s.cell.task: named.options(benchmark.degradation(s.cell.task, size)) for s in summaries}
    return {
        **benchmark.store.settings,
        "tasks": tasks,
        "methods": methods,
        "perceptual": {name: cls.meaning for name, cls in columns.items()},
        "cells": [_cell(s) for s in summaries],
    }


def _cell(s: Summary) -> dict[str, Any]:
    head: dict[str, Any] = {"task": s.cell.task, "method": s.cell.method.label, "possible": s.is_possible}
    lists = {k: v for k, v in s.cell.perceptual.items() if isinstance(v, list)}
    rows = [
        {**row, **{key: number(values[i]) for key, values in lists.items()}}
        for i, row in enumerate(s.cell.good)
    ]
    means = {k: {"mean": number(m.value), "half_width": number(m.half_width)} for k, m in s.means.items()}
    single = {key: number(value) for key, value in s.single.items()}
    return {**head, "summary": {**means, **single}, "images": rows, "failed": s.cell.failed}


def to_csv(summaries: Sequence[Summary], columns: dict[str, type[Column]]) -> str:
    """A line a cell; means and half widths of their 95 % intervals, not rounded; else empty."""
    names = [*PER_IMAGE, *([PACE] if _has_pace(summaries) else []), "peak_memory_mib", *columns]
    averaged = [n for n in names if any(n in s.means for s in summaries)]
    header = ["task", "method", "images", "failed"]
    for name in names:
        header += [name, f"{name}_half_width"] if name in averaged else [name]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for s in summaries:
        row: list[object] = [s.cell.task, s.cell.method.label, len(s.cell.good), len(s.cell.failed)]
        for name in names:
            mean = s.means.get(name)
            row += [mean.value if mean else s.single.get(name, "")]
            row += [mean.half_width if mean else ""] * (name in averaged)
        writer.writerow(row)
    return stream.getvalue()


@dataclass(frozen=True)
class Heading:
    """A column of table.md: its title, and what stands in it."""

    title: str
    text: Callable[[Summary], str]
    is_wanted: Callable[[Sequence[Summary]], bool] = lambda summaries: True


def to_markdown(benchmark: Benchmark, summaries: Sequence[Summary], columns: dict[str, type[Column]]) -> str:
    """The table as people read it, aligned also in a terminal: all tasks, then a part for each."""
    parts = [_head(benchmark), f"PSNR dB / SSIM:\n\n{_overview(summaries)}"]
    for task in dict.fromkeys(s.cell.task for s in summaries):
        rows = [s for s in summaries if s.cell.task == task]
        wanted = [h for h in _headings(columns) if h.is_wanted(rows)]
        lines = [[h.title for h in wanted], *([h.text(s) for h in wanted] for s in rows)]
        parts.append(f"## {task}\n\n{_aligned(lines)}")
    notes = [f"{cls.title}: {cls.meaning}." for cls in columns.values()]
    return "\n\n".join([*parts, *notes]) + "\n"


def _overview(summaries: Sequence[Summary]) -> str:
    """Methods down, tasks across."""
    tasks = list(dict.fromkeys(s.cell.task for s in summaries))
    methods = list(dict.fromkeys(s.cell.method.label for s in summaries))
    found = {(s.cell.task, s.cell.method.label): s for s in summaries}
    rows = [[method, *(_quality(found[task, method]) for task in tasks)] for method in methods]
    return _aligned([["method", *tasks], *rows])


def _quality(s: Summary) -> str:
    if "psnr" not in s.means:
        return "failed" if s.is_possible else DASH
    failed = f" ({_failed(s)} failed)" if s.cell.failed else ""
    return f"{s.means['psnr'].value:.2f} / {s.means['ssim'].value:.3f}{failed}"


def _head(benchmark: Benchmark) -> str:
    s = benchmark.store.settings
    machine, versions = s["machine"], s["versions"]
    return (
        f"# {len(benchmark.images)} images, protocol {s['protocol']}\n\n"
        f"{s['size']} pixels, seed {s['seed']}, batches of "
        f"{s['batch size']}, {machine['processor']} with {machine['threads']} threads on {s['device']}, "
        f"torch {versions['torch']}, restora {versions['restora']}. Means with their 95 % intervals."
    )


def _headings(columns: dict[str, type[Column]]) -> list[Heading]:
    fixed = [
        Heading("method", lambda s: s.cell.method.label),
        Heading("PSNR dB", _mean("psnr", 2)),
        Heading("hole PSNR dB", _mean("hole_psnr", 2), _has_hole),
        Heading("SSIM", _mean("ssim", 3)),
    ]
    perceptual = [Heading(cls.title, _mean(name, cls.decimals)) for name, cls in columns.items()]
    return [
        *fixed,
        *perceptual,
        Heading("s/image", lambda s: _text(s, "seconds", significant)),
        Heading("s/MP", lambda s: _text(s, PACE, significant), _has_pace),
        Heading("peak MiB", lambda s: _text(s, "peak_memory_mib", lambda v: f"{v:.0f}")),
        Heading("residual", lambda s: _text(s, "residual", lambda v: f"{v:.4f}")),
        Heading("failed", _failed, lambda rows: any(s.cell.failed for s in rows)),
    ]


def _has_hole(summaries: Sequence[Summary]) -> bool:
    return any("hole_psnr" in s.means for s in summaries)


def _has_pace(summaries: Sequence[Summary]) -> bool:
    return any(PACE in s.single for s in summaries)


def _mean(key: str, decimals: int) -> Callable[[Summary], str]:
    def text(s: Summary) -> str:
        mean = s.means.get(key)
        if mean is None:
            return _text(s, key, lambda v: f"{v:.{decimals}f}")
        width = "" if math.isnan(mean.half_width) else f" ± {mean.half_width:.{decimals}f}"
        return f"{mean.value:.{decimals}f}{width}"

    return text


def _text(s: Summary, key: str, form: Callable[[float], str]) -> str:
    value = s.means[key].value if key in s.means else s.single.get(key)
    return (DASH if not s.is_possible else "") if value is None else form(value)


def _failed(s: Summary) -> str:
    total = len(s.cell.good) + len(s.cell.failed)
    return f"{len(s.cell.failed)} of {total}" if s.cell.failed else ""


def significant(value: float) -> str:
    """Two significant digits: 0.0012, 0.35, 12."""
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; first column to the left, numbers to the right."""
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
    aligned = [
        [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        for line in lines
    ]
    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (aligned[0], rule, *aligned[1:]))

"""Whether a predicted standard deviation is the size of the actual error.

    ratio = sqrt(mean s^2) / sqrt(mean (x_K - x*)^2 / (1 + 1/K))

x_K is the mean of K draws from the posterior, s^2 their variance (over K - 1), x* the truth; the means go
over values, of pixels and channels. If x* is one more draw of the same, E (x_K - x*)^2 = (1 + 1/K) var, so
that the ratio is 1 for any K: above it the errors are smaller than was said, below it larger.

The tenths must not be made by the s^2 that they are to judge: of K draws, some values have a large s^2 by
chance, and not a large error. So values are sorted by the spread of the first half of the draws, and s^2 of a
group is that of the second half. Where a network predicts s, there are no draws: x_K is its image, and the
error is taken as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from restora.errors import OptionError
from restora.figure import write_figure
from restora.result import Restoration

KNOWN = 1e-3  # full scale 1
TENTHS = 10
LEVEL = 0.9
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class Group:
    """`count` values; the root mean squares of what was predicted and of the actual error, full scale 1."""

    name: str
    count: int
    predicted: float
    actual: float

    @property
    def ratio(self) -> float:
        return self.predicted / self.actual if self.actual > 0 else float("nan")


class Calibration:
    """Of one method on one task: `add` batches, and read `groups`.

    `known` counts the values that were left out, with a standard deviation below `KNOWN`.
    """

    def __init__(self) -> None:
        self.known = 0
        self._columns: list[Tensor] = []
        self._inside: list[Tensor] = []

    def add(self, draws: Tensor, truth: Tensor, missing: Tensor | None = None) -> None:
        """draws: (B, K, C, H, W), from the posterior. truth: (B, C, H, W). missing: broadcastable to it, 1
        where nothing was observed. OptionError for fewer than 4 draws."""
        runs = draws.shape[1]
        if runs < 4:
            raise OptionError(f"calibration needs at least 4 samples per image, got {runs}")
        draws, half = draws.double(), runs // 2
        variance, error = draws.var(1), (draws.mean(1) - truth).square() / (1 + 1 / runs)
        self._add(variance, error, missing, draws[:, :half].var(1), draws[:, half:].var(1))

    def judge(self, found: Restoration, truth: Tensor, missing: Tensor | None = None) -> None:
        """Of restorations whose std (B, C, H, W) a network predicted; otherwise as `add`."""
        assert found.std is not None
        low, high = found.interval(LEVEL)
        inside, variance = (low <= truth) & (truth <= high), found.std.double().square()
        self._inside.append(inside[variance >= KNOWN**2].cpu())
        self._add(variance, (found.image - truth).double().square(), missing, variance, variance)

    @property
    def coverage(self) -> float | None:
        """The part of the values that are not known that lies in the interval of LEVEL, of predictions."""
        return torch.cat(self._inside).float().mean().item() if self._inside else None

    def _add(self, variance: Tensor, error: Tensor, missing: Tensor | None, *halves: Tensor) -> None:
        hidden = torch.zeros_like(error) if missing is None else missing.to(error).expand_as(error)
        columns = torch.stack([variance, error, hidden, *halves])
        certain = variance < KNOWN**2
        self.known += int(certain.sum())
        self._columns.append(columns[:, ~certain | (hidden > 0)].cpu())

    def groups(self) -> list[Group]:
        """All values that are not known, the missing ones, known or not, if there are any, and the tenths of
        the first by what is predicted."""
        variance, error, hidden, first, second = torch.cat(self._columns, 1)
        rest = variance >= KNOWN**2
        found = [_group("all", variance[rest], error[rest])]
        if hidden.any():
            found.append(_group("missing", variance[hidden > 0], error[hidden > 0]))
        tenths = first[rest].argsort().tensor_split(TENTHS)
        return found + [_group(str(i), second[rest][k], error[rest][k]) for i, k in enumerate(tenths, 1)]


def _group(name: str, variance: Tensor, error: Tensor) -> Group:
    return Group(name, len(error), variance.mean().sqrt().item(), error.mean().sqrt().item())


def to_csv(found: Mapping[str, Calibration]) -> str:
    """A line a task and group."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["task", "group", "values", "predicted", "actual", "ratio"])
    for task, calibration in found.items():
        writer.writerow([task, "known", calibration.known, "", "", ""])
        writer.writerows([task, *vars(g).values(), g.ratio] for g in calibration.groups())
    return stream.getvalue()


def to_markdown(found: Mapping[str, Calibration]) -> str:
    """Two tables with a line a task: over all values, and the ratio in each tenth."""
    head: Sequence[str] = (
        *("task", "values", "known", "predicted", "actual", "ratio"),
        *("missing pixels", "in the 90 % interval"),
    )
    lines, tenths = [_line(head), _line(["---:"] * len(head))], []
    for task, calibration in found.items():
        groups = {g.name: g for g in calibration.groups()}
        whole, missing = groups.pop("all"), groups.pop("missing", None)
        numbers = [f"{value:.4f}" for value in (whole.predicted, whole.actual)]
        ratios = [f"{g.ratio:.2f}" if g else "—" for g in (whole, missing)]
        ratios.append("—" if calibration.coverage is None else f"{100 * calibration.coverage:.1f} %")
        lines.append(_line([task, str(whole.count), str(calibration.known), *numbers, *ratios]))
        tenths.append(_line([task, *(f"{g.ratio:.2f}" for g in groups.values())]))
    head = ("ratio by tenth", *map(str, range(1, TENTHS + 1)))
    return "\n".join([*lines, "", _line(head), _line(["---:"] * len(head)), *tenths, ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plot(path: Path, found: Mapping[str, Calibration]) -> None:
    """Actual against predicted error of each tenth, a curve a task; on the diagonal they are equal."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure((5.2, 5), dpi=110, layout="constrained")
    axis, values = figure.subplots(), []
    for i, (task, calibration) in enumerate(found.items()):
        tenths = calibration.groups()[-TENTHS:]
        points = [g.predicted for g in tenths], [g.actual for g in tenths]
        values += [*points[0], *points[1]]
        axis.plot(*points, marker="osD^vP*X"[i % 8], markersize=5, label=task)
    ends = (min(values) / 1.2, max(values) * 1.2)
    axis.plot(ends, ends, color="grey", linestyle="--", label="equal")
    axis.set(xlabel="predicted standard deviation, full scale = 1", ylabel="actual error, root mean square")
    axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axis.set(xticks=(ticks := [v for v in TICKS if ends[0] < v < ends[1]]), yticks=ticks)
    for line in (axis.xaxis, axis.yaxis):
        line.set_major_formatter("{x:g}")
        line.set_minor_locator(NullLocator())
    axis.grid(alpha=0.3)
    axis.legend()
    write_figure(path, figure)

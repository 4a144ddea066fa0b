"""Run the cells of a benchmark, batch by batch; one image that fails stops nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from torch import Tensor

from restora.bench.data import Images
from restora.bench.memory import peak_memory
from restora.bench.method import Method
from restora.bench.protocol import Protocol
from restora.bench.store import CellFile, Store, number
from restora.degradations import Degradation, named
from restora.plan import finish
from restora.random import generators


@dataclass
class Cell:
    """One method on one task. `file` is None where the method has no answer to the task."""

    task: str
    method: Method
    images: Images
    file: CellFile | None
    todo: list[int] = field(default_factory=list)
    perceptual: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is known of the images, in their order: with `error` where the method failed."""
        batches = self.file.batches.values() if self.file else ()
        found = {row["name"]: row for batch in batches for row in batch["images"]}
        return [found[name] for name in self.images.names if name in found]

    @property
    def good(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if "error" not in row]

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if "error" in row]

    @property
    def peak_memory(self) -> int | None:
        peaks = [batch["peak_memory"] for batch in (self.file.batches if self.file else {}).values()]
        return max((peak for peak in peaks if peak is not None), default=None)


class Benchmark:
    """All cells (task and method) of a benchmark. `run` computes those that the folder does not contain yet.

    The batches of a cell always contain the same images, so an interrupted run gives the same results as a
    complete one.
    """

    def __init__(
        self,
        images: Images,
        protocol: Protocol,
        tasks: Sequence[str],
        methods: Sequence[Method],
        store: Store,
        seed: int = 0,
        batch_size: int = 64,
    ):
        self.images, self.protocol, self.store, self.seed = images, protocol, store, seed
        self.batches = images.batches(batch_size)
        self.degradation = lru_cache(maxsize=4)(protocol.degradation)  # batches of one size follow each other
        self.cells = [self._cell(task, method) for task in tasks for method in methods]

    def run(self) -> Iterator[tuple[Cell, int, float]]:
        """Do the cells; yields (cell, images, seconds) of each batch when it is kept."""
        for cell in self.cells:
            for place in list(cell.todo):
                batch = self.batches[place]
                results, seconds = self._restore(cell, batch)
                peaks = [found.peak for found in results if isinstance(found, _Found)]
                peak = max((peak for peak in peaks if peak is not None), default=None)
                rows = [self._row(cell, i, found) for i, found in zip(batch, results, strict=True)]
                assert cell.file is not None
                cell.file.append({"batch": place, "peak_memory": peak, "images": rows})
                cell.todo.remove(place)
                yield cell, len(rows), seconds

    def observe(self, task: str, rows: Sequence[int]) -> tuple[Tensor, Degradation]:
        """The observations of some images of one size, the same for every method, and what made them."""
        truth = self.images.stack(rows)
        degradation = self.degradation(task, (truth.shape[2], truth.shape[3]))
        noise = generators(self.images.seeds(rows, self.seed), len(rows))
        return self.protocol.observe(degradation, truth, noise), degradation

    def _cell(self, task: str, method: Method) -> Cell:
        sizes = [(shape[1], shape[2]) for shape in self.images.shapes]
        plan, examples = method.plan, (named.seen(self.degradation(task, size), size) for size in sizes)
        if not all(plan.solver.handles(example, plan.prior) for example in examples):
            return Cell(task, method, self.images, None)
        settings = {"task": named.options(self.degradation(task, sizes[0])), **method.facts()}
        file = self.store.cell(task, method.label, settings)
        file.keep([[self.images.names[i] for i in rows] for rows in self.batches])
        todo = [place for place in range(len(self.batches)) if not _is_done(file.batches.get(place))]
        return Cell(task, method, self.images, file, todo)

    def _restore(self, cell: Cell, rows: Sequence[int]) -> tuple[list[_Found | Exception], float]:
        """Each image, or what went wrong: if the batch does, its images are done one by one."""
        start = time.monotonic()
        try:
            found: list[_Found | Exception] = list(self._restore_batch(cell, rows))
        except Exception as error:  # whatever a method raises, it is the method's
            found = [error]
            if len(rows) > 1:
                found = [one for i in rows for one in self._restore(cell, [i])[0]]
        return found, time.monotonic() - start

    def _restore_batch(self, cell: Cell, rows: Sequence[int]) -> list[_Found]:
        (y, degradation), seeds = self.observe(cell.task, rows), self.images.seeds(rows, self.seed)
        plan = cell.method.plan
        with peak_memory(plan.device) as peak:
            start = time.monotonic()
            result = finish(plan.run(y, degradation, seeds))
            seconds = (time.monotonic() - start) / len(rows)
        x, residual = result.image, result.residual
        if plan.method == "observed":
            x = self.protocol.unrestored(degradation, y, x)
        return [_Found(x[k : k + 1], residual[k].item(), seconds, peak.bytes) for k in range(len(rows))]

    def _row(self, cell: Cell, i: int, found: _Found | Exception) -> dict[str, Any]:
        """Score image i, and keep its picture."""
        name = self.images.names[i]
        if isinstance(found, Exception):
            text = " ".join(str(found).split()) or type(found).__name__
            return {"name": name, "error": text}
        assert cell.file is not None
        truth = self.images.truth[i]
        degradation = self.degradation(cell.task, (truth.shape[1], truth.shape[2]))
        scores = self.protocol.score(degradation, found.image, truth[None])
        cell.file.write_picture(name, found.image[0], self.protocol.bits)
        values = {"psnr": scores.psnr, "ssim": scores.ssim, "hole_psnr": scores.hole_psnr}
        row = {key: number(value.item()) for key, value in values.items() if value is not None}
        return {"name": name, **row, "residual": number(found.residual), "seconds": found.seconds}


@dataclass(frozen=True)
class _Found:
    """A restoration (1, C, H, W), its residual, its share of the seconds of its batch, the batch's memory."""

    image: Tensor
    residual: float
    seconds: float
    peak: int | None


def _is_done(batch: dict[str, Any] | None) -> bool:
    return batch is not None and not any("error" in row for row in batch["images"])

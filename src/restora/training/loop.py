"""The loop that every kind of training shares: budget, checkpoints, exact resume, pictures, scalars."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from restora.errors import OptionError, OutputError
from restora.figure import visible
from restora.pictures import image
from restora.pictures.atomic import remove_parts
from restora.training import checkpoint
from restora.training.workers import ALONE, Workers

CHECKPOINT = "checkpoint.safetensors"


class Trainer(Protocol):
    """One kind of training. `images_seen` grows by the batch at each `step`."""

    Config: ClassVar[Any]  # the dataclass of its settings
    makes: ClassVar[str] = "a prior"
    needs_data: ClassVar[bool] = True  # else it can do without images
    needs_budget: ClassVar[bool] = True  # the user says when to stop; else `length`, in images, does
    parallel: ClassVar[bool] = False  # it takes `workers`, after `device`
    images_seen: int

    def __init__(self, config: Any, images: Tensor, device: torch.device): ...
    def step(self, done: float) -> dict[str, float]: ...  # done: fraction of the budget, in [0, 1]
    def check(self) -> dict[str, float]: ...  # health numbers; TrainingError if diverged
    def picture(self) -> Tensor: ...  # (C, H, W) in [0, 1]
    def state(self) -> dict[str, Any]: ...
    def load_state(self, state: dict[str, Any]) -> None: ...
    def export(self, folder: Path, facts: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Budget:
    """When to stop: after `minutes` of training or `images` seen, in all runs together."""

    minutes: float | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.images is None):
            raise OptionError("expected a budget, either minutes or images")
        for name, value in vars(self).items():
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"expected a positive number, got {value}", name)

    def fraction(self, seconds: float, images: int) -> float:
        done = images / self.images if self.images else seconds / 60 / (self.minutes or 1)
        return min(done, 1.0)


@dataclass(frozen=True)
class Report:
    """State of a run, yielded after each step. `rate` is images a second, `left` seconds to go."""

    images: int
    done: float
    rate: float
    left: float
    scalars: dict[str, float]


def run(
    trainer: Trainer,
    folder: Path,
    budget: Budget,
    resume: bool = False,
    facts: dict[str, Any] | None = None,
    every: float = 300.0,
    workers: Workers = ALONE,
) -> Generator[Report]:
    """Train until the budget is spent; checkpoint every `every` seconds and at the end; then export
    the prior with `facts` on its card.

    Writes `checkpoint.safetensors`, `samples.png`, `log.jsonl` and the prior into `folder`. With
    `resume` it continues from the checkpoint; without, a folder that has one is refused. A run that is
    closed before its end keeps a checkpoint of its last whole step. Of several workers only the first writes;
    when it stops, so do the others.
    """
    check_folder(folder, resume)
    journal = _Journal(trainer, folder, workers.leads)
    earlier = journal.resume() if resume else 0.0
    try:
        seconds = yield from _steps(trainer, journal, budget, earlier, every, workers)
    except BaseException:
        if workers.leads:
            workers.agree(1.0)  # the others wait to hear how much is done
        raise
    journal.keep(seconds, {})
    spent = {"images_seen": trainer.images_seen, "training_minutes": round(seconds / 60, 1)}
    if workers.leads:
        trainer.export(folder, {**(facts or {}), **spent})


def _steps(
    trainer: Trainer, journal: _Journal, budget: Budget, earlier: float, every: float, workers: Workers
) -> Generator[Report, None, float]:
    """The steps of a run; the seconds spent on it, `earlier` ones included."""
    start = last = time.monotonic()
    first = trainer.images_seen

    def done() -> float:
        return workers.agree(budget.fraction(earlier + time.monotonic() - start, trainer.images_seen))

    while (part := done()) < 1:
        scalars = trainer.step(part)
        now = time.monotonic()
        seconds, rate = earlier + now - start, (trainer.images_seen - first) / (now - start)
        try:
            yield Report(trainer.images_seen, part, rate, _left(part, seconds, budget, rate), scalars)
        except GeneratorExit:
            journal.keep(seconds, scalars)
            raise
        if now - last > every:
            last = now
            journal.keep(seconds, scalars)
    return earlier + time.monotonic() - start


def check_folder(folder: Path, resume: bool) -> None:
    """OutputError unless there is a checkpoint to resume from, or none that a new run would replace."""
    path = folder / CHECKPOINT
    if path.exists() and not resume:
        raise OutputError(f"{path} exists; add resume=True to continue that run, or choose another folder")
    if resume and not path.exists():
        raise OutputError(
            f"{path} does not exist, so there is nothing to continue; start without resume=True"
        )


def _left(done: float, seconds: float, budget: Budget, rate: float) -> float:
    if budget.images:
        return (1 - done) * budget.images / max(rate, 1e-9)
    return max((budget.minutes or 0) * 60 - seconds, 0.0)


class _Journal:
    """What a run leaves behind: its checkpoint, its samples, its log, and TensorBoard's if installed."""

    def __init__(self, trainer: Trainer, folder: Path, writes: bool = True):
        self.trainer, self.folder, self.writes = trainer, folder, writes
        self.writer = _tensorboard(folder) if writes else None
        if writes:
            remove_parts(folder, (path.name for path in folder.glob("*.part")))

    def resume(self) -> float:
        """Take up the run at its checkpoint; the seconds spent on it so far."""
        state = checkpoint.load(self.folder / CHECKPOINT)
        self.trainer.load_state(state["trainer"])
        return state["seconds"]

    def keep(self, seconds: float, scalars: dict[str, float]) -> None:
        """Check first: a diverged state must not replace the last good checkpoint."""
        if not self.writes:
            return
        scalars, seen = {**scalars, **self.trainer.check()}, self.trainer.images_seen
        checkpoint.save(self.folder / CHECKPOINT, {"trainer": self.trainer.state(), "seconds": seconds})
        image.write(self.folder / "samples.png", visible(self.trainer.picture()))
        with open(self.folder / "log.jsonl", "a") as log:
            log.write(json.dumps({"images": seen, "seconds": round(seconds), **scalars}) + "\n")
        if self.writer is not None:
            for name, value in scalars.items():
                self.writer.add_scalar(name, value, seen)
            self.writer.flush()


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))

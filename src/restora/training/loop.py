"""The loop that every kind of training shares: budget, checkpoints, exact resume, pictures, scalars."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from restora import image
from restora.errors import OptionError, OutputError
from restora.training import checkpoint


class Trainer(Protocol):
    """One kind of training. `images_seen` grows by the batch at each `step`."""

    Config: ClassVar[Any]  # the dataclass of its settings
    images_seen: int

    def __init__(self, config: Any, images: Tensor, device: torch.device): ...
    def step(self, done: float) -> dict[str, float]: ...  # done: fraction of the budget, in [0, 1]
    def check(self) -> dict[str, float]: ...  # health numbers; TrainingError if diverged
    def picture(self) -> Tensor: ...  # (3, H, W) in [0, 1]
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def export(self, folder: Path, facts: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Budget:
    """When to stop: after `minutes` of training or `images` seen, in all runs together."""

    minutes: float | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.images is None):
            raise OptionError("give a budget: either --minutes M or --images N")
        if (self.minutes or self.images or 0) <= 0:
            raise OptionError(f"a budget must be positive, got {self.minutes or self.images}")

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
    every: float = 180.0,
) -> Iterator[Report]:
    """Train until the budget is spent; checkpoint every `every` seconds and at the end; then export
    the prior with `facts` on its card.

    Writes `checkpoint.safetensors`, `samples.png`, `log.jsonl` and the prior into `folder`. With
    `resume` it continues from the checkpoint; without, a folder that has one is refused.
    """
    path = folder / "checkpoint.safetensors"
    earlier = _start(trainer, path, resume)
    writer = _tensorboard(folder)
    start = last = time.monotonic()
    first = trainer.images_seen
    while (done := budget.fraction(earlier + time.monotonic() - start, trainer.images_seen)) < 1:
        scalars = trainer.step(done)
        now = time.monotonic()
        rate = (trainer.images_seen - first) / (now - start)
        yield Report(
            trainer.images_seen, done, rate, _left(done, earlier + now - start, budget, rate), scalars
        )
        if now - last > every:
            last = now
            _keep(trainer, folder, path, earlier + now - start, scalars, writer)
    seconds = earlier + time.monotonic() - start
    _keep(trainer, folder, path, seconds, {}, writer)
    spent = {"images_seen": trainer.images_seen, "training_minutes": round(seconds / 60, 1)}
    trainer.export(folder, {**(facts or {}), **spent})


def _start(trainer: Trainer, path: Path, resume: bool) -> float:
    """Seconds already spent on this run."""
    if not path.exists():
        return 0.0
    if not resume:
        raise OutputError(f"{path} exists: add --resume to continue that run, or choose another folder")
    state = checkpoint.load(path)
    trainer.restore(state["trainer"])
    return state["seconds"]


def _left(done: float, seconds: float, budget: Budget, rate: float) -> float:
    if budget.images:
        return (1 - done) * budget.images / max(rate, 1e-9)
    return max((budget.minutes or 0) * 60 - seconds, 0.0)


def _keep(
    trainer: Trainer, folder: Path, path: Path, seconds: float, scalars: dict[str, float], writer: Any
) -> None:
    """Check first: a diverged state must not replace the last good checkpoint."""
    scalars = {**scalars, **trainer.check()}
    checkpoint.save(path, {"trainer": trainer.state(), "seconds": seconds})
    image.write(folder / "samples.png", trainer.picture())
    with open(folder / "log.jsonl", "a") as log:
        log.write(json.dumps({"images": trainer.images_seen, "seconds": round(seconds), **scalars}) + "\n")
    if writer is not None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, trainer.images_seen)
        writer.flush()


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))

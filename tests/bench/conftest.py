"""Tiny solvers with known answers, and pictures for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from restora.bench import figure, perceptual
from restora.degradations import Degradation, Grayscale
from restora.pictures import image
from restora.priors import Prior
from restora.random import Stream
from restora.registry import Registry
from restora.solvers import Solver, Step, solvers

SIZE = 16
Command = Callable[..., Any]


@dataclass(frozen=True)
class Copy(Solver):
    """What was observed, as an image; no answer to colorize."""

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        return not isinstance(degradation, Grayscale)

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        x = degradation.A_dagger(y)
        yield Step(1, 1, x, degradation.fidelity(x, y))


@dataclass(frozen=True)
class Moody(Copy):
    """As Copy, but it fails on a batch with a dark picture."""

    def steps(self, y: Tensor, *rest: object) -> Iterator[Step]:
        if (y.flatten(1).mean(1) < 0.1).any():
            raise RuntimeError("too dark\nfor me")
        return super().steps(y, *rest)


@dataclass(frozen=True)
class Root(Copy):
    """As Copy, but a dark picture has no root."""

    def steps(self, y: Tensor, *rest: Any) -> Iterator[Step]:
        x = y - 0.1 * (y.flatten(1).mean(1) < 0.1).view(-1, 1, 1, 1)
        yield Step(1, 1, x.sqrt(), torch.zeros(len(y)))


@dataclass(frozen=True)
class Random(Copy):
    """Noise of the image's own stream: what a solver with random starts does."""

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        shape = degradation.operator.image_shape(tuple(y.shape[1:]))
        x = torch.stack([torch.rand(shape, generator=g.generator) for g in generator])
        yield Step(1, 1, x, degradation.fidelity(x, y))


class Brightness(perceptual.Column):
    title, meaning, needs, one_size = "bright", "mean of the restoration less that of the truth", (), False

    def __init__(self, truth: Sequence[Tensor]):
        self.truth = truth

    def __call__(self, x: Sequence[Tensor], index: Sequence[int]) -> list[float]:
        return [(a - self.truth[i]).mean().item() for a, i in zip(x, index, strict=True)]


@pytest.fixture(autouse=True)
def small_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tiny solvers, and no perceptual column, whatever is installed."""
    for name, cls in {"copy": Copy, "moody": Moody, "root": Root, "random": Random}.items():
        monkeypatch.setitem(solvers._entries, name, cls)
    monkeypatch.setattr(perceptual, "columns", Registry("perceptual column"))


@pytest.fixture
def brightness() -> None:
    perceptual.columns.register("brightness", Brightness)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of six 16x16 pictures, a.png to f.png."""
    generator = torch.Generator().manual_seed(1)
    for name in "abcdef":
        pixels = 0.2 + 0.6 * torch.rand(3, SIZE, SIZE, generator=generator)
        image.write(tmp_path / "data" / f"{name}.png", pixels)
    return tmp_path / "data"


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take more time than all the rest."""
    for name in ("sheet", "scatter"):
        monkeypatch.setattr(figure, name, lambda *_: None)


@pytest.fixture
def bench(restora: Command, data: Path, tmp_path: Path) -> Command:
    """bench(options...) runs `restora bench` on the six pictures, into out/."""
    return lambda *words: restora("bench", data, "-o", tmp_path / "out", "--device", "cpu", *words)

"""A plan: with what observations are to be restored, decided once, and then held for any number of them.

plan = decide(method, prior)                    name -> solver, images -> prior, on which device
plan.fit(degradation, observed) -> shape        do the parts fit each other?
plan.run(y, degradation, seeds)                 yields each Step, and returns the Restoration
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeVar

import torch
from torch import Tensor, nn

from restora import random, tiles
from restora.degradations import Degradation
from restora.device import pick
from restora.errors import OptionError, PairingError, ResultError
from restora.operators.base import Shape
from restora.pairing import Named, behind, name_of, pair
from restora.priors import Prior
from restora.solvers import Solver, Step, solvers

Seeds = int | Sequence[int]
T = TypeVar("T")
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Restoration:
    """What `restore` returns, for B observations; its tensors are on their device.

    image: (B, C, H, W) in [0, 1], the best restoration of each.
    samples: (B, K, C, H, W), K restorations of each, best first; samples[:, 0] is `image`.
    std: (B, C, H, W), the posterior's standard deviation, full scale 1; of solvers that draw from it, if they
        were asked for `uncertainty`, or for `samples`.
    residual: (B,), root mean square of y - A(image), of the quantiser the distance to the cells.
    degradation: what the observations were restored from; of a `blind` one, what it was found to be.
    history: (steps, B), the solver's loss; `seconds`: wall time for the whole batch.
    method, settings: the solver that ran, which solvers.get(method)(**settings) makes again.
    """

    image: Tensor
    samples: Tensor
    residual: Tensor
    history: Tensor
    seconds: float
    method: str
    degradation: Degradation
    std: Tensor | None = None
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """`method` is the name of `solver`, and `prior` is on `device`; made by `decide`.

    samples: how many restorations of each observation are returned. tile: images with more pixels a side are
    restored in pieces of so many, with a prior of any size.
    """

    method: str
    solver: Solver
    prior: Prior | None
    device: torch.device
    samples: int = 1
    tile: int = tiles.TILE

    @property
    def settings(self) -> dict[str, object]:
        """All settings of the solver."""
        return {entry.name: getattr(self.solver, entry.name) for entry in fields(self.solver) if entry.init}

    def check(self, degradation: Degradation) -> None:
        """PairingError unless the solver, with this prior, can do with such a degradation."""
        if not self.solver.handles(degradation, self.prior):
            raise PairingError(f"method {self.method!r} {self.solver.refusal(degradation, self.prior)}")

    def fit(self, degradation: Degradation, observed: Shape) -> Shape:
        """The shape (C, H, W) of the images behind observations of the shape `observed`, (C', H', W').

        ShapeError unless `degradation` makes such observations of images of the prior's size; of any size
        without a prior, or with one that takes any. PairingError as for `check`.
        """
        shape = behind(degradation, tuple(observed), self.prior)
        if not degradation.blind:
            self.check(degradation)
        return shape

    def run(
        self, y: Tensor, degradation: Degradation, seeds: Seeds = 0
    ) -> Generator[Step, None, Restoration]:
        """Restore the observations y (B, ...), step by step: yields each `Step`, and returns the Restoration.

        seeds: image i has seeds + i, or seeds[i]. OptionError for another number of them, ResultError for a
        result that is not finite.
        """
        start = time.monotonic()
        shape = self.fit(degradation, tuple(y.shape[1:]))
        if degradation.blind:
            degradation = degradation.given(y)
            self.check(degradation)
        if not isinstance(seeds, int) and len(seeds) != len(y):
            raise OptionError(f"expected one number, or {len(y)}, one an image; got {len(seeds)}", "seed")
        streams = random.generators(seeds, len(y), "restore")
        there, model = y.to(self.device), on(degradation, self.device)
        history, last = [], None
        for last in self._steps(there, model, streams, shape):
            history.append(last.loss)
            yield last
        assert last is not None
        found = last.samples if last.samples is not None else last.x.unsqueeze(1)
        found = self._finite(found[:, : self.samples], y).clamp(0, 1)
        squared = model.fidelity(found[:, 0], there) / y[0].numel()
        return Restoration(
            image=found[:, 0].to(y.device),
            samples=found.to(y.device),
            residual=squared.sqrt().to(y.device),
            history=torch.stack(history).to(y.device),
            seconds=time.monotonic() - start,
            method=self.method,
            degradation=degradation,
            std=None if last.std is None else self._finite(last.std, y).to(y.device),
            settings=self.settings,
        )

    def _steps(
        self, y: Tensor, degradation: Degradation, streams: Sequence[random.Stream], shape: Shape
    ) -> Iterator[Step]:
        prior = self.prior
        if prior is not None and prior.any_size and max(shape[1:]) > self.tile:
            return tiles.steps(self.solver, y, degradation, prior, streams, shape, self.tile)
        sized = None if prior is None else prior.sized(*shape[1:])
        return self.solver.steps(y, degradation, sized, streams)

    def _finite(self, found: Tensor, y: Tensor) -> Tensor:
        if not found.isfinite().all():
            cause = "try other settings of it, or another method"
            if not y.isfinite().all():
                cause = "so has the observation; expected finite numbers"
            raise ResultError(f"method {self.method!r}: the result has NaN or infinite values; {cause}")
        return found


def decide(
    method: str | Solver = "auto",
    prior: Named = None,
    *,
    samples: int = 1,
    uncertainty: bool = False,
    device: str = "auto",
    tile: int = tiles.TILE,
    images: Shape | None = None,
    make: Callable[[str], Solver] = lambda name: solvers.get(name)(),
) -> Plan:
    """The plan for what `restore` would do; its arguments mean the same. A RestoraError where they cannot.

    images: the shape (C, H, W) of those to be restored, as far as it is known: where no prior is given, it is
    the first that ships for them. make: the solver of a method that is given by name. A prior that is on
    another device is copied, and stays where it is.
    """
    if samples < 1:
        raise OptionError(f"samples must be at least 1, got {samples}")
    tiles.check(tile)
    place = pick(device)
    solver, model = pair(method, prior, images, make)
    solver = solver.for_samples(samples)
    if uncertainty:
        solver = solver.for_uncertainty(samples)
    return Plan(name_of(solver), solver, None if model is None else on(model, place), place, samples, tile)


def finish(run: Generator[Step, None, T]) -> T:
    """What a run returns, when all its steps are done."""
    while True:
        try:
            next(run)
        except StopIteration as done:
            return done.value


def on(module: Module, device: torch.device) -> Module:
    """The module on that device: itself where it is there, else a copy."""
    there = torch.empty(0, device=device).device  # cuda is cuda:0
    parts = (
        (*part._parameters.values(), *part._buffers.values(), *vars(part).values())
        for part in module.modules()
    )
    tensors = (value for part in parts for value in part if isinstance(value, Tensor))
    return module if all(x.device == there for x in tensors) else copy.deepcopy(module).to(there)

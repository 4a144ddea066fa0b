"""A plan: method, prior and device, decided once for any number of observations.

plan = decide(method, prior)                    the solver, the prior for the images, and the device
plan.fit(degradation, observed) -> shape        checks that everything fits together
plan.run(y, degradation, seeds)                 yields each Step, and returns the Restoration
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from restora import doubts, exposure, observation, random, tiles
from restora.degradations import Degradation
from restora.degradations.named import task_name
from restora.device import on, pick
from restora.errors import OptionError, PairingError, ResultError
from restora.isolation import isolated, naming, untouched
from restora.observation import Observation, Seeds
from restora.operators.base import Shape, verify
from restora.pairing import Named, behind, check_gradients, name_of, pair
from restora.priors import Prior
from restora.priors.calibration import Calibration
from restora.result import Restoration, finish
from restora.solvers import Solver, Step, solvers
from restora.then import Then

__all__ = ["Plan", "Restoration", "decide", "finish"]


@dataclass(frozen=True)
class Plan:
    """Method, prior and device for any number of restorations; made by `decide`.

    Attributes:
        method: the name of `solver`.
        solver: the solver, with its settings.
        prior: the prior, on `device`; None if the method uses none.
        device: the device of the computations.
        samples: number of restorations per observation.
        tile: images with a longer side are restored in tiles of this size.
        plain: the solver for a single restoration.
        differentiable: whether results keep the graph from y.
        then: steps after the restoration, such as faces; usually None.
    """

    method: str
    solver: Solver
    prior: Prior | None
    device: torch.device
    samples: int = 1
    tile: int = tiles.TILE
    plain: Solver | None = field(default=None, compare=False)
    differentiable: bool = False
    then: Then | None = None

    @property
    def settings(self) -> dict[str, object]:
        """All settings of the solver."""
        return {entry.name: getattr(self.solver, entry.name) for entry in fields(self.solver) if entry.init}

    def check(self, degradation: Degradation) -> None:
        """Raise PairingError if the solver, with this prior, cannot restore this degradation."""
        if not self.solver.handles(degradation, self.prior):
            raise PairingError(f"method {self.method!r} {self.solver.refusal(degradation, self.prior)}")

    def fit(self, degradation: Degradation, observed: Shape) -> Shape:
        """The shape (C, H, W) of the images behind observations of shape `observed`, (C', H', W').

        Raises:
            ShapeError: if `degradation` does not make such observations from images that the prior accepts.
            PairingError: as for `check`.
        """
        shape = behind(degradation, tuple(observed), self.prior)
        if not degradation.blind:
            self.check(degradation)
        return shape

    def run(self, y: Any, degradation: Degradation, seeds: Seeds = 0) -> Generator[Step, None, Restoration]:
        """Restore the observations y (B, ...) step by step: yields each `Step`, and returns the Restoration.

        `y` can be a tensor or a NumPy array, as for `restore`. Image i uses the seed seeds + i, or seeds[i].
        Raises OptionError for a wrong number of seeds, ResultError for a result that is not finite.
        """
        start = time.monotonic()
        kept = self.differentiable
        observation.check_degradation(degradation)
        with isolated(torch.float32, degradation, gradients=kept), naming(degradation=degradation):
            seen = observation.receive(y, degradation, lambda shape: self.fit(degradation, shape), kept)
            own = observation.seeds_of(seeds, len(seen.y))
            streams = random.generators(own, len(seen.y), "restore")
            if not len(seen.y):
                return self._nothing(seen, degradation, time.monotonic() - start)
            dtype = verify(degradation.operator, seen.shape, observation.precision(seen.y, self.prior))
            if degradation.blind:
                degradation = exposure.given(degradation, seen.y)
                self.check(degradation)
            observation.check(seen.y, degradation)
        there, model = seen.y.to(self.device, dtype), on(degradation, self.device)
        history, last = [], None
        steps = self._steps(there, model, streams, seen.shape)
        while True:
            with isolated(dtype, model, gradients=kept), naming(degradation=model, prior=self.prior):
                step = next(steps, None)
            if step is None:
                break
            last = step
            history.append(last.loss.detach())
            yield last
        assert last is not None
        with isolated(dtype, model, gradients=kept):
            found = self._result(seen, degradation, model, last, torch.stack(history), start)
        if self.then is not None:
            found = yield from self.then.run(self, found, seen, own)
        return replace(found, seconds=time.monotonic() - start)

    def _result(
        self,
        seen: Observation,
        degradation: Degradation,
        model: Degradation,
        last: Step,
        history: Tensor,
        start: float,
    ) -> Restoration:
        found = last.samples if last.samples is not None else last.x.unsqueeze(1)
        images = seen.images(self._finite(found[:, : self.samples]), degradation)
        first = images[:, 0].to(last.x)
        squared = model.fidelity(first, seen.y.to(last.x)) / seen.y[0].numel()
        std, calibration = self._deviation(last, degradation)
        return Restoration(
            image=seen.back(images[:, 0]),
            samples=seen.back(images),
            residual=seen.back(squared.sqrt()),
            history=seen.back(history),
            seconds=time.monotonic() - start,
            method=self.method,
            degradation=degradation,
            std=None if std is None else seen.back(std.to(seen.y.dtype)),
            calibration=calibration,
            settings=self.settings,
            warnings=self._warnings(first, seen.y.to(last.x), model, last),
        )

    def _deviation(self, last: Step, degradation: Degradation) -> tuple[Tensor | None, Calibration | None]:
        """The standard deviation, corrected where the solver predicts it, and by what."""
        if last.std is None:
            return None, None
        std, measured = self._finite(last.std), None
        if self.solver.predicts and self.prior is not None:
            measured = self.prior.calibration(task_name(degradation))
        return degradation.doubt(std if measured is None else measured.correct(std)), measured

    def _warnings(
        self, x: Tensor, y: Tensor, degradation: Degradation, last: Step
    ) -> tuple[tuple[str, ...], ...]:
        found = doubts.residual(x, y, degradation) if self.solver.explains else [None] * len(x)
        ended = doubts.unfinished(self.method, last.converged, len(x))
        kernel = [doubts.kernel(degradation)] * len(x)
        return tuple(tuple(filter(None, each)) for each in zip(kernel, found, ended, strict=True))

    def _nothing(self, seen: Observation, degradation: Degradation, seconds: float) -> Restoration:
        """Of a batch without images."""
        samples = seen.y.new_zeros(0, self.samples, *seen.shape)
        return Restoration(
            image=seen.back(samples[:, 0]),
            samples=seen.back(samples),
            residual=seen.back(seen.y.new_zeros(0)),
            history=seen.back(seen.y.new_zeros(0, 0)),
            seconds=seconds,
            method=self.method,
            degradation=degradation,
            settings=self.settings,
        )

    def _steps(
        self, y: Tensor, degradation: Degradation, streams: Sequence[random.Stream], shape: Shape
    ) -> Iterator[Step]:
        prior = None if self.prior is None else self.prior.with_channels(shape[0])
        bright = exposure.brightened(y, degradation, prior)
        if bright is not None:
            y, degradation, light = bright
            return exposure.dimmed(self._pieces(y, degradation, prior, streams, shape), light)
        return self._pieces(y, degradation, prior, streams, shape)

    def _pieces(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        streams: Sequence[random.Stream],
        shape: Shape,
    ) -> Iterator[Step]:
        if prior is not None and prior.any_size and not tiles.whole(degradation, shape, self.tile):
            return tiles.steps(self.solver, y, degradation, prior, streams, shape, self.tile)
        sized = None if prior is None else prior.sized(*shape[1:])
        return self.solver.steps(y, degradation, sized, streams)

    def _finite(self, found: Tensor) -> Tensor:
        if not found.isfinite().all():
            raise ResultError(
                f"method {self.method!r}: the result has NaN or infinite values; try other settings of it, "
                "or another method"
            )
        return found


def decide(
    method: str | Solver = "auto",
    prior: Named = None,
    *,
    samples: int = 1,
    uncertainty: bool = False,
    device: str = "auto",
    tile: int = tiles.TILE,
    differentiable: bool = False,
    images: Shape | None = None,
    make: Callable[[str], Solver] = lambda name: solvers.get(name)(),
) -> Plan:
    """Decide the method, prior and device for many calls. Arguments are those of `restore`, and:

    Args:
        images: the shape (C, H, W) of the images, as far as it is known; it selects the prior if none is
            given.
        make: creates the solver of a method that is given by name.

    Raises:
        RestoraError: if the arguments do not fit each other.
    """
    samples, tile = observation.whole("samples", samples), observation.whole("tile", tile)
    if samples < 1:
        raise OptionError(f"samples must be at least 1, got {samples}")
    tiles.check(tile)
    place = pick(device)
    with untouched():
        solver, model = pair(method, prior, images, make)
    plain, solver = solver, solver.for_samples(samples)
    if uncertainty:
        solver = solver.for_uncertainty(samples)
    if differentiable:
        check_gradients(solver)
    model = None if model is None else on(model, place)
    return Plan(name_of(solver), solver, model, place, samples, tile, plain, differentiable)

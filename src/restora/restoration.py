"""restore(y, degradation) -> Restoration: the whole story on one screen."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from restora import random
from restora.degradations import Degradation
from restora.degradations.base import Shape
from restora.degradations.named import task_name
from restora.device import pick
from restora.errors import OptionError, PairingError, RestoraError, ShapeError
from restora.priors import FlowPrior, Prior, load_prior, store
from restora.runs import tiles
from restora.solvers import Solver, Step, solvers

Named = str | Path | Prior | None


@dataclass(frozen=True)
class Restoration:
    """What `restore` returns, for B observations.

    image: (B, C, H, W) in [0, 1], the best restoration of each.
    samples: (B, K, C, H, W), K restorations of each, best first; samples[:, 0] is `image`.
    std: (B, C, H, W), the posterior's standard deviation, full scale 1; of solvers that draw from it, if they
        were asked for `uncertainty`, or for `samples`.
    residual: (B,), root mean square of y - A(image), of the quantiser the distance to the cells.
    degradation: what the observations were restored from; of a `blind` one, what it was found to be.
    history: (steps, B), the solver's loss; `seconds`: wall time for the whole batch.
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


def restore(
    y: Tensor,
    degradation: Degradation,
    *,
    method: str | Solver = "auto",
    prior: Named = None,
    samples: int = 1,
    uncertainty: bool = False,
    seed: int | Sequence[int] = 0,
    device: str = "auto",
    tile: int = tiles.TILE,
) -> Restoration:
    """Restore the observations y = A(x) + e, shape (B, ...) as `degradation` makes them.

    method: a registered name, `auto`, or a Solver with settings of your own.
    prior: a shipped name, a folder written by `restora train`, or a Prior; None is the one that ships for
        the method and the size. Methods without a prior, such as `tv`, restore images of any size.
    samples: how many restorations of each observation to return, best first. Where a method draws from the
        posterior, the first is its mean, and the others are draws.
    uncertainty: give `std`, as well as the method can: of 8 draws, or of as many as `samples`.
    seed: image i of the batch uses seed + i (or seed[i]), so its result does not depend on the batch.
    tile: images with more pixels a side are restored in pieces of so many, with a prior of any size.
    Raises a RestoraError when the parts do not fit each other.
    """
    run = stream(
        y,
        degradation,
        method=method,
        prior=prior,
        samples=samples,
        uncertainty=uncertainty,
        seed=seed,
        device=device,
        tile=tile,
    )
    while True:
        try:
            next(run)
        except StopIteration as done:
            return done.value


def stream(
    y: Tensor,
    degradation: Degradation,
    *,
    method: str | Solver = "auto",
    prior: Named = None,
    samples: int = 1,
    uncertainty: bool = False,
    seed: int | Sequence[int] = 0,
    device: str = "auto",
    tile: int = tiles.TILE,
) -> Generator[Step, None, Restoration]:
    """As `restore`, step by step: yields each `Step`, and returns the Restoration."""
    if samples < 1:
        raise OptionError(f"samples must be at least 1, got {samples}")
    tiles.check(tile)
    start, place = time.monotonic(), pick(device)
    name, solver, model = choose(method, prior, _behind(y, degradation))
    solver = solver.for_samples(samples)
    if uncertainty:
        solver = solver.for_uncertainty(samples)
    shape = check_shapes(y, degradation, model)
    degradation = degradation.given(y)
    check_task(name, solver, degradation, model)
    y, degradation, model = y.to(place), degradation.to(place), model.to(place) if model else None
    streams = random.generators(seed, len(y), "restore")
    if model is not None and model.any_size and max(shape[1:]) > tile:
        run = tiles.steps(solver, y, degradation, model, streams, shape, tile)
    else:
        run = solver.steps(y, degradation, model.sized(*shape[1:]) if model else None, streams)
    history, last = [], None
    for last in run:
        history.append(last.loss)
        yield last
    assert last is not None
    found = (last.samples if last.samples is not None else last.x.unsqueeze(1))[:, :samples].clamp(0, 1)
    squared = degradation.fidelity(found[:, 0], y) / y[0].numel()
    return Restoration(
        image=found[:, 0],
        samples=found,
        residual=squared.sqrt(),
        history=torch.stack(history),
        seconds=time.monotonic() - start,
        method=name,
        degradation=degradation,
        std=last.std,
        settings=dict(vars(solver)),
    )


def choose(
    method: str | Solver, prior: Named = None, shape: Shape | None = None
) -> tuple[str, Solver, Prior | None]:
    """The name of the method, its solver and its prior; `auto` is the best method for the kind of prior.

    Where no prior is given it is the first that ships for images of this shape (C, H, W), if there is one.
    """
    model = _load(prior)
    if method == "auto":
        model = model or _shipped(method, FlowPrior, shape)
        name = auto(model)
        return name, solvers.get(name)(), model
    if isinstance(method, str):
        name, solver = method, solvers.get(method)()
    else:
        solver = method
        name = next((n for n, c in solvers if c is type(method)), type(method).__name__)
    if solver.needs is None and prior is None:
        solver.check(name, None)
        return name, solver, None
    if solver.needs is None and isinstance(method, str):
        raise PairingError(f"method {name!r} uses no prior; leave the prior out, or try --method auto")
    if model is None and solver.needs is not None:
        model = _shipped(name, solver.needs, shape)
    solver.check(name, model)
    return name, solver, model


def _behind(y: Tensor, degradation: Degradation) -> Shape | None:
    """The shape (C, H, W) of the images behind y, in colour where y does not say; None where y is wrong."""
    try:
        return degradation.image_shape(tuple(y.shape[1:]))
    except (RestoraError, IndexError, ValueError):
        return None


def _shipped(method: str, kind: type[Prior], shape: Shape | None) -> Prior:
    """The first of this kind that ships for such images, else the first; PairingError where none does."""
    first: Prior | None = None
    for name in kind.shipped:
        if name in store.names():
            model = load_prior(name)
            if shape is None or model.fits(shape):
                return model
            first = first or model
    if first is None:
        raise PairingError(
            f"method {method!r} needs a {kind.__name__}, and none ships; train one and name it"
        )
    return first


def _load(prior: Named) -> Prior | None:
    return load_prior(prior) if isinstance(prior, str | Path) else prior


def auto(prior: Prior | None) -> str:
    """The first method that is registered for this kind of prior."""
    for name, cls in solvers:
        if cls.needs is not None and isinstance(prior, cls.needs):
            return name
    raise PairingError(f"no method is known for a {type(prior).__name__}; give one with --method")


def check_task(name: str, solver: Solver, degradation: Degradation, prior: Prior | None) -> None:
    """PairingError unless the solver called `name` can do with such a degradation and this prior."""
    if not solver.handles(degradation, prior):
        raise PairingError(f"method {name!r} {solver.refusal(degradation, prior)}")


def check_shapes(y: Tensor, degradation: Degradation, prior: Prior | None) -> Shape:
    """The shape (C, H, W) of the images behind y. ShapeError unless y is what `degradation` makes of images
    of the prior's size; of any size without a prior, or with one that takes any."""
    if y.ndim == 4 and (prior is None or prior.any_size):
        channels = y.shape[1] if prior is None else prior.image_shape[0]
        shape = degradation.image_shape(tuple(y.shape[1:]), channels)
        degradation.observed_shape(shape)
        if prior is None or shape[0] == channels:
            return shape
    if prior is None:
        raise ShapeError(f"the observation has shape {tuple(y.shape)}; expected (B, C, H, W)")
    if prior.any_size and y.ndim == 4:
        raise ShapeError(
            f"the observation is {describe(y.shape[-3:])}, but prior {prior.name!r} makes images with "
            f"{prior.image_shape[0]} channels; {task_name(degradation)} needs a prior of as many channels as "
            "the picture has"
        )
    expected = tuple(degradation.observed_shape(prior.image_shape))
    if y.ndim == 4 and tuple(y.shape[1:]) == expected:
        return prior.image_shape
    height, width = prior.image_shape[1:]
    raise ShapeError(
        f"the observation is {describe(y.shape[-3:])}, but prior {prior.name!r} makes {width}x{height} "
        f"images, so {task_name(degradation)} needs {describe(expected)}. "
        "Crop or scale it to that size"
    )


def describe(shape: Sequence[int]) -> str:
    """(C, H, W) as people say it: 64x48 (width x height) with 3 channels."""
    if len(shape) != 3:
        return f"of shape {tuple(shape)}"
    return f"{shape[2]}x{shape[1]} with {shape[0]} channel{'s' if shape[0] != 1 else ''}"

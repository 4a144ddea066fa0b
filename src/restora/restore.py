"""restore(y, degradation) -> Restoration: the whole story on one screen."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from restora import random
from restora.degradations import Degradation, degradations
from restora.device import pick
from restora.errors import PairingError, ShapeError
from restora.priors import GANPrior, GaussianPrior, Prior, load_prior
from restora.solvers import Solver, Step, solvers

DEFAULT_PRIOR = "faces64-dcgan"


@dataclass(frozen=True)
class Restoration:
    """What `restore` returns, for B observations.

    image: (B, C, H, W) in [0, 1], the best restoration of each.
    samples: (B, K, C, H, W), K restorations of each, best first; samples[:, 0] is `image`.
    std: (B, C, H, W), standard deviation over samples of the posterior, for solvers that draw them.
    residual: (B,), root mean square of y - A(image), of the quantiser the distance to the cells.
    history: (steps, B), the solver's loss; `seconds`: wall time for the whole batch.
    """

    image: Tensor
    samples: Tensor
    residual: Tensor
    history: Tensor
    seconds: float
    method: str
    std: Tensor | None = None
    settings: dict[str, object] = field(default_factory=dict)


def restore(
    y: Tensor,
    degradation: Degradation,
    *,
    method: str | Solver = "auto",
    prior: str | Path | Prior = DEFAULT_PRIOR,
    samples: int = 1,
    seed: int | Sequence[int] = 0,
    device: str = "auto",
) -> Restoration:
    """Restore the observations y = A(x) + e, shape (B, ...) as `degradation` makes them.

    method: a registered name, `auto`, or a Solver with settings of your own.
    prior: a shipped name, a folder written by `restora train`, or a Prior.
    samples: how many restorations of each observation to return, best first.
    seed: image i of the batch uses seed + i (or seed[i]), so its result does not depend on the batch.
    Raises a RestoraError when the parts do not fit each other.
    """
    run = stream(y, degradation, method=method, prior=prior, samples=samples, seed=seed, device=device)
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
    prior: str | Path | Prior = DEFAULT_PRIOR,
    samples: int = 1,
    seed: int | Sequence[int] = 0,
    device: str = "auto",
) -> Generator[Step, None, Restoration]:
    """As `restore`, step by step: yields each `Step`, and returns the Restoration."""
    start, place = time.monotonic(), pick(device)
    prior = load_prior(prior) if isinstance(prior, str | Path) else prior
    name, solver = choose(method, prior)
    solver = solver.for_samples(samples)
    check_shapes(y, degradation, prior)
    y, degradation, prior = y.to(place), degradation.to(place), prior.to(place)
    history, last = [], None
    for last in solver.steps(y, degradation, prior, random.generators(seed, len(y))):
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
        settings=dict(vars(solver)),
    )


def choose(method: str | Solver, prior: Prior) -> tuple[str, Solver]:
    """The solver for `method`; `auto` is the best one for this kind of prior."""
    if isinstance(method, Solver):
        name = next((n for n, c in solvers if c is type(method)), type(method).__name__)
        solver = method
    else:
        name = auto(prior) if method == "auto" else method
        solver = solvers.get(name)()
    solver.check(name, prior)
    return name, solver


def auto(prior: Prior) -> str:
    if isinstance(prior, GANPrior):
        return "map"
    if isinstance(prior, GaussianPrior):
        return "lmmse"
    raise PairingError(f"no method is known for a {type(prior).__name__}; give one with --method")


def check_shapes(y: Tensor, degradation: Degradation, prior: Prior) -> None:
    """ShapeError unless y is what `degradation` makes of images of the prior's size."""
    expected = tuple(degradation.observed_shape(prior.image_shape))
    if y.ndim == 4 and tuple(y.shape[1:]) == expected:
        return
    height, width = prior.image_shape[1:]
    raise ShapeError(
        f"the observation is {describe(y.shape[-3:])}, but prior {prior.name!r} makes {width}x{height} "
        f"images, so {task_name(degradation)} needs {describe(expected)}. "
        "Crop or scale it to that size"
    )


def task_name(degradation: Degradation) -> str:
    """The task that the degradation is registered as, or the name of its class."""
    return next((name for name, cls in degradations if cls is type(degradation)), type(degradation).__name__)


def describe(shape: Sequence[int]) -> str:
    """(C, H, W) as people say it: 64x48 (width x height) with 3 channels."""
    if len(shape) != 3:
        return f"of shape {tuple(shape)}"
    return f"{shape[2]}x{shape[1]} with {shape[0]} channel{'s' if shape[0] != 1 else ''}"

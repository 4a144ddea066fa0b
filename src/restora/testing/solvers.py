"""What every solver has to do with a degradation and a prior that it can work with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.priors import Prior
from restora.random import generators
from restora.solvers import Solver, Step
from restora.testing.compare import close, images, require


def check_solver(
    solver: Solver,
    prior: Prior | None,
    degradation: Degradation,
    image_shape: Sequence[int] | None = None,
    *,
    batch: int = 2,
    tolerance: float = 1e-4,
    seed: int = 0,
) -> None:
    """Check that a solver works. It does not check the quality of the results.

    It checks that the solver runs and counts its steps up to the total; that all results have the right shape
    and are finite; that a result depends only on the seed of its image, not on the rest of the batch; and
    that y, the prior and the degradation do not change.

    Args:
        solver: the solver to check; few iterations are enough.
        prior: a prior that it can use, or None.
        degradation: a degradation that it can restore.
        image_shape: (C, H, W); by default that of the prior.
        batch: number of images; that of the degradation, if it has for example one mask per image.
        tolerance: the largest difference between an image in a batch and alone that counts as rounding.
        seed: seed of the random images and streams.

    Raises:
        AssertionError: if a check fails; the message is one line.
    """
    shape = tuple(image_shape or (prior.image_shape if prior is not None else (3, 16, 16)))
    x = images(batch, shape, seed).float()
    y = degradation(x, generators(seed, batch))
    solver.check(type(solver).__name__, prior)
    known = degradation.given(y)
    require(solver.handles(known, prior), "handles: expected True for this degradation and this prior")
    before = _state(prior), _state(known), y.clone()
    steps = _steps(solver, y, known, prior, seed)
    _check_steps(steps, tuple(x.shape))
    require(torch.equal(y, before[2]), "steps: y was changed in place")
    require(_same(_state(prior), before[0]), "steps: the prior was changed in place")
    require(_same(_state(known), before[1]), "steps: the degradation was changed in place")
    last, again = steps[-1], _steps(solver, y, known, prior, seed)[-1]
    close(again.x, last.x, "a second run with the same seeds", 0)
    for i in range(batch):
        index = torch.tensor([i])
        alone = _steps(solver, y[index], known.take(index), prior, seed + i)[-1]
        close(alone.x, last.x[index], "x of an image by itself", tolerance)


def _steps(solver: Solver, y: Tensor, degradation: Degradation, prior: Prior | None, seed: int) -> list[Step]:
    return list(solver.steps(y, degradation, prior, generators(seed, len(y), "restore")))


def _check_steps(steps: list[Step], shape: tuple[int, ...]) -> None:
    require(steps, "steps: expected at least one")
    count, total = [step.i for step in steps], steps[-1].total
    require(count == sorted(set(count)), f"steps: expected i to count up, got {count}")
    require(count[-1] == total, f"the last step: expected i = total = {total}, got {count[-1]}")
    for step in steps:
        require(tuple(step.x.shape) == shape, f"x: expected shape {shape}, got {tuple(step.x.shape)}")
        require(step.loss.shape == shape[:1], f"loss: expected one per image, got {tuple(step.loss.shape)}")
        require(
            step.x.isfinite().all() and step.loss.isfinite().all(), f"step {step.i}: NaN or infinite values"
        )
    last = steps[-1]
    if last.samples is not None:
        found = tuple(last.samples.shape)
        require(found == (shape[0], found[1], *shape[1:]), f"samples: expected (B, K, C, H, W), got {found}")
        close(last.samples[:, 0], last.x, "samples: expected x to be the first", 0)
    if last.std is not None:
        require(tuple(last.std.shape) == shape, f"std: expected shape {shape}, got {tuple(last.std.shape)}")
        require((last.std >= 0).all(), "std: expected at least 0")


def _state(module: Prior | Degradation | None) -> dict[str, Tensor]:
    """What a file would keep: what a module has only derived from it may come later."""
    kept = {} if module is None else module.state_dict()
    return {name: value.detach().clone() for name, value in kept.items()}


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())

"""restore(y, degradation) -> Restoration: the whole story on one screen."""

from __future__ import annotations

import warnings
from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import RestorationWarning
from restora.isolation import isolated
from restora.observation import Seeds, shape_of
from restora.pairing import Named
from restora.plan import Plan, decide, finish
from restora.result import Restoration
from restora.solvers import Solver, Step
from restora.tiles import TILE

__all__ = ["Restoration", "restore", "stream"]


def restore(
    y: Tensor | np.ndarray,
    degradation: Degradation,
    *,
    method: str | Solver = "auto",
    prior: Named = None,
    samples: int = 1,
    uncertainty: bool = False,
    seed: Seeds = 0,
    device: str = "auto",
    tile: int = TILE,
) -> Restoration:
    """Restore the observations y = A(x) + e, shape (B, ...) as `degradation` makes them.

    y: a tensor of any float dtype, which results have too; or a NumPy array, and results are arrays. uint8
        and uint16 are scaled to [0, 1] where A gives pictures; one observation without a batch axis is a
        batch of one. What a mask hides may be NaN; with no noise, what it shows comes back exactly.
    method: a registered name, `auto`, or a Solver with settings of your own.
    prior: a shipped name, a folder written by `restora train`, or a Prior; None is the one that ships for
        the method and the size. Methods without a prior, such as `tv`, restore images of any size.
    samples: how many restorations of each observation to return, best first. Where a method draws from the
        posterior, the first is its mean, and the others are draws.
    uncertainty: give `std`, as well as the method can: of 8 draws, or of as many as `samples`.
    seed: image i of the batch uses seed + i (or seed[i]), so its result does not depend on the batch.
    device: where it is done. What is elsewhere is copied, and stays where it is; results are where y is.
    tile: images with more pixels a side are restored in pieces of so many, with a prior of any size.
    Warns with a RestorationWarning of what `warnings` of the result says.
    Raises a RestoraError when the parts do not fit each other, or the result is not finite. No gradients are
    kept; random streams, the default dtype and what is passed in stay as they are. Each call chooses and
    copies anew; a plan of `restora.plan.decide` serves any number of calls.
    """
    plan = _plan(y, degradation, method, prior, samples, uncertainty, device, tile)
    found = finish(plan.run(y, degradation, seed))
    for text in dict.fromkeys(text for texts in found.warnings for text in texts):
        warnings.warn(text, RestorationWarning, stacklevel=2)
    return found


def stream(
    y: Tensor | np.ndarray,
    degradation: Degradation,
    *,
    method: str | Solver = "auto",
    prior: Named = None,
    samples: int = 1,
    uncertainty: bool = False,
    seed: Seeds = 0,
    device: str = "auto",
    tile: int = TILE,
) -> Generator[Step, None, Restoration]:
    """As `restore`, step by step: yields each `Step`, and returns the Restoration."""
    plan = _plan(y, degradation, method, prior, samples, uncertainty, device, tile)
    return (yield from plan.run(y, degradation, seed))


def _plan(
    y: Tensor | np.ndarray,
    degradation: Degradation,
    method: str | Solver,
    prior: Named,
    samples: int,
    uncertainty: bool,
    device: str,
    tile: int,
) -> Plan:
    with isolated(torch.float32, degradation):
        images = shape_of(y, degradation)
    return decide(
        method, prior, samples=samples, uncertainty=uncertainty, device=device, tile=tile, images=images
    )

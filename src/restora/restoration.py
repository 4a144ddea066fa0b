"""restore(y, degradation) -> Restoration: the whole story on one screen."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import OptionError, RestorationWarning
from restora.faces import decide as with_faces
from restora.isolation import isolated
from restora.observation import Seeds, check_degradation, shape_of
from restora.operators.base import Shape
from restora.pairing import Named
from restora.plan import Plan, decide, finish
from restora.result import Restoration
from restora.solvers import Solver, Step
from restora.tiles import TILE

__all__ = ["Restoration", "make_plan", "restore", "stream"]


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
    differentiable: bool = False,
    faces: bool = False,
) -> Restoration:
    """Restore observations y = A(x) + e.

    Random streams, the default dtype and the arguments stay as they are. Each call
    chooses and copies anew; a plan of `restora.decide` serves any number of calls.

    Args:
        y: observations (B, ...), as `degradation` makes them: a tensor of any float dtype or a NumPy array;
            results are of the same kind. uint8 and uint16 are scaled to [0, 1] if A gives images. One
            observation without a batch axis is a batch of one. Values behind a mask may be NaN; without
            noise, the values that it shows come back exactly.
        degradation: the operator and the noise that made y.
        method: a name of `restora methods`, "auto", or a Solver with settings of your own.
        prior: the name of an installed prior, a folder that `restora train` wrote, or a Prior. None takes the
            one for the method and the size. Methods without a prior, such as "tv", restore any size.
        samples: restorations of each observation, best first. If the method draws from the posterior, the
            first is its mean and the others are draws.
        uncertainty: also return `std`: of 8 draws, or of as many as `samples`.
        seed: image i of the batch uses seed + i (or seed[i]), so its result does not depend on the batch.
        device: "auto", "cpu" or "cuda". Results are where y is.
        tile: images with a side of more pixels are restored in pieces of this size.
        differentiable: keep the graph from y to the results, for unrolled training. lmmse, mmse, hqs, flower
            and direct can do it; other methods are refused. Otherwise results carry no gradients.
        faces: restore the faces in photos from the same y by a prior of faces, where that is likely to help.
            `faces` and `notes` of the result say which. `prior` is that of the photo.

    Returns:
        The images, in [0, 1], and all that is known about them.

    Raises:
        RestoraError: if the parts do not fit each other, or the result is not finite. PackageError if
            `faces` needs the extra `faces`.

    Warns:
        RestorationWarning: for each of the result's `warnings`.
    """
    options: dict[str, Any] = {"samples": samples, "uncertainty": uncertainty, "device": device, "tile": tile}
    options["differentiable"] = differentiable
    plan = make_plan(method, prior, faces=faces, images=_images(y, degradation), **options)
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
    differentiable: bool = False,
    faces: bool = False,
) -> Generator[Step, None, Restoration]:
    """Restore step by step: yields each `Step`, and returns the Restoration. Arguments as for `restore`."""
    options: dict[str, Any] = {"samples": samples, "uncertainty": uncertainty, "device": device, "tile": tile}
    options["differentiable"] = differentiable
    plan = make_plan(method, prior, faces=faces, images=_images(y, degradation), **options)
    return (yield from plan.run(y, degradation, seed))


def make_plan(
    method: str | Solver, prior: Named, *, faces: bool, images: Shape | None, **options: Any
) -> Plan:
    """As `restora.plan.decide`; `faces`: with those in photos restored by a prior of their own."""
    if faces and options.pop("differentiable", False):
        raise OptionError("expected False with faces=True, which lets no gradients through", "differentiable")
    if faces:
        return with_faces(method, prior, **options)
    return decide(method, prior, images=images, **options)


def _images(y: Tensor | np.ndarray, degradation: Degradation) -> Shape | None:
    check_degradation(degradation)
    with isolated(torch.float32, degradation):
        return shape_of(y, degradation)

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
    """Restore observations y = A(x) + noise.

    The arguments, the global random state and the default dtype do not change. Each call selects the method
    and loads the prior; for many calls, make a plan with `restora.decide`.

    Args:
        y: observations (B, ...), as `degradation` makes them: a tensor of any float dtype or a NumPy array.
            Results have the same type. uint8 and uint16 are scaled to [0, 1] if A returns images. The batch
            axis can be omitted. Values behind a mask can be NaN; without noise, the other values do not
            change.
        degradation: the operator and the noise model of y.
        method: a name from `restora methods`, "auto", or a Solver with your own settings.
        prior: the name of an installed prior, a folder written by `restora train`, or a Prior. None selects
            the prior for the method and the image size. Methods without a prior, such as "tv", work for any
            size.
        samples: number of restorations per observation, best first. If the method samples from the posterior,
            the first is the posterior mean and the others are samples.
        uncertainty: also return `std`, from 8 samples or from as many as `samples`.
        seed: image i of the batch uses seed + i (or seed[i]), so its result does not depend on the batch.
        device: "auto", "cpu" or "cuda". Results are on the device of y.
        tile: images with a longer side are restored in tiles of this size.
        differentiable: keep the graph from y to the results, for unrolled training. Only lmmse, mmse, hqs,
            flower and direct support this; other methods raise an error. By default, results carry no
            gradients.
        faces: restore faces in photos with a prior of faces, if that is likely to help. `faces` and `notes`
            of the result say which. `prior` is the prior for the rest of the photo.

    Returns:
        The restored images, in [0, 1], with residuals, samples, standard deviations and settings.

    Raises:
        RestoraError: if the arguments do not fit each other, or the result is not finite. PackageError if
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
        raise OptionError(
            "expected False with faces=True, which does not support gradients", "differentiable"
        )
    if faces:
        return with_faces(method, prior, **options)
    return decide(method, prior, images=images, **options)


def _images(y: Tensor | np.ndarray, degradation: Degradation) -> Shape | None:
    check_degradation(degradation)
    with isolated(torch.float32, degradation):
        return shape_of(y, degradation)

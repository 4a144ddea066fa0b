"""How sure a trained network is, measured on images that were held out, for each kind of damage."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from restora.degradations import named
from restora.pictures.colour import rounded
from restora.priors.amortised import AmortisedPrior
from restora.priors.calibration import ALL, Calibration
from restora.random import generators, seed_of
from restora.solvers.onepass import OnePass
from restora.training.damage import KINDS, damage, kinds
from restora.training.observations import Observations

AT_ONCE = 16


@torch.no_grad()
def calibrate(prior: AmortisedPrior, images: Tensor, seed: int = 0) -> dict[str, Any]:
    """The facts of a `Calibration` by kind of damage, and for all together.

    images: (N, C, H, W) in [0, 1], of the prior's size, from no training image. Half of each kind has the
    default options, the rest such as are drawn at random.
    """
    pairs = {name: _errors(prior, images, name, seed) for name in kinds(prior.image_shape)}
    every = torch.cat(list(pairs.values()), 1)
    found = {name: Calibration.measured(*pair).facts() for name, pair in pairs.items()}
    return {**found, ALL: Calibration.measured(*every).facts()}


def _errors(prior: AmortisedPrior, images: Tensor, kind: str, seed: int) -> Tensor:
    """What was predicted and what was wrong of every value, (2, N)."""
    generator = torch.Generator().manual_seed(seed_of(f"calibrate {kind}", seed))
    found, solver = [], OnePass(deviation=True)
    for x in images.split(AT_ONCE):
        for usual in (True, False):
            first = 0
            for y, degradation in _observe(x, kind, usual, generator):
                truth, first = x[first : first + len(y)], first + len(y)
                *_, step = solver.steps(y, degradation, prior, generators(seed, len(y), kind))
                assert step.std is not None
                wrong = step.x.clamp(0, 1) - truth
                found.append(torch.stack([step.std.flatten(), wrong.flatten()]).cpu())
    return torch.cat(found, 1)


def _observe(x: Tensor, kind: str, usual: bool, generator: torch.Generator) -> Observations:
    if not usual:
        return damage(x, 2, generator, kind)
    if kind in KINDS:
        return []
    degradation = named.build(kind, tuple(x.shape[-2:])).to(x.device)
    return [(rounded(degradation(x, generator)), degradation)]

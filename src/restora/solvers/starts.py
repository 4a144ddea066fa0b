"""Where the search for a latent begins.

random    draws from p_z
encoder   the prior's encoder, one evaluation for any degradation; further starts are draws
lookup    the entries of a table (`restora.priors.lookup`) that explain y best
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import OptionError
from restora.priors.gan import GANPrior
from restora.priors.lookup import Lookup
from restora.random import Stream
from restora.solvers.latent_settings import LatentSettings

RANDOM = 3
"""Random starts where none are asked for; of good ones, one."""


def kind(solver: LatentSettings, prior: GANPrior) -> str:
    """`auto` is the table where one was given, else the encoder where there is one. OptionError for a start
    that cannot be had."""
    name, table = solver.start, solver.table
    if name == "auto":
        name = "lookup" if table else "encoder" if prior.encoder else "random"
    if name == "lookup" and not table:
        raise OptionError("start=lookup needs table=DIR, a folder written by 'restora train lookup'")
    if table and name != "lookup":
        raise OptionError(f"table={table} goes with start=lookup, not with start={name}")
    return name


def number(solver: LatentSettings, name: str) -> int:
    """How many of this kind an image gets: as the solver says, else as is usual, and all its survivors."""
    usual = RANDOM if name == "random" else 1
    return max(usual if solver.restarts == "auto" else solver.restarts, solver.survivors)


def starts(
    solver: LatentSettings,
    y: Tensor,
    degradation: Degradation,
    prior: GANPrior,
    generator: Sequence[Stream],
) -> Tensor:
    """Latents (B, K, *latent_shape), K their `number`."""
    name = kind(solver, prior)
    count = number(solver, name)
    if name == "lookup":
        return Lookup.load(solver.table, prior).nearest(y, degradation, prior, count)
    z = prior.latents(len(y) * count, [g for g in generator for _ in range(count)])
    z = z.view(len(y), count, *prior.latent_shape)
    if name == "encoder":
        with torch.no_grad():
            z[:, 0] = prior.encode(y, degradation)
    return z

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

RANDOM = 3
"""Random starts where none are asked for; of good ones, one."""


def resolve(name: str, table: str, prior: GANPrior) -> str:
    """`auto` is the table where one was given, else the encoder where there is one. OptionError for a start
    that cannot be had."""
    if name == "auto":
        name = "lookup" if table else "encoder" if prior.encoder else "random"
    if name == "lookup" and not table:
        raise OptionError("start=lookup needs table=DIR, a folder that 'restora train lookup' wrote")
    if table and name != "lookup":
        raise OptionError(f"table={table} goes with start=lookup, not with start={name}")
    return name


def starts(
    name: str,
    table: str,
    count: int,
    y: Tensor,
    degradation: Degradation,
    prior: GANPrior,
    generator: Sequence[torch.Generator],
) -> Tensor:
    """`count` latents an image, 0: as many as are usual; (B, K, *latent_shape)."""
    name = resolve(name, table, prior)
    count = count or (RANDOM if name == "random" else 1)
    if name == "lookup":
        return Lookup.load(table, prior).nearest(y, degradation, prior, count)
    z = prior.latents(len(y) * count, [g for g in generator for _ in range(count)])
    z = z.view(len(y), count, *prior.latent_shape)
    if name == "encoder":
        with torch.no_grad():
            z[:, 0] = prior.encode(y, degradation)
    return z

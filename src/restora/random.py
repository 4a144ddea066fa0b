"""One random stream an image, so that results do not depend on how images are batched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

Generators = Generator | Sequence[Generator] | None


def generators(seed: int | Sequence[int], count: int, purpose: str = "") -> list[Generator]:
    """`count` CPU generators: seeds `seed`, `seed + 1`, ... or the given sequence of seeds.

    Other purposes have other streams: a solver with the seed of a simulation does not draw its noise again.
    """
    seeds = range(seed, seed + count) if isinstance(seed, int) else seed
    if len(seeds) != count:
        raise ValueError(f"expected {count} seeds, one an image, got {len(seeds)}")
    return [Generator().manual_seed((seed_of(purpose, s) if purpose else s) % 2**63) for s in seeds]


def seed_of(name: str, seed: int) -> int:
    """A seed for the file called `name`: the same whatever other files are beside it."""
    digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big")


def randn(shape: Sequence[int], generator: Generators = None, like: Tensor | None = None) -> Tensor:
    """Standard normal tensor of `shape` (B, ...), drawn image by image on the generators' device.

    `generator` is one generator for the whole batch (images drawn in order), a sequence of B
    generators, or None for torch's global stream. The result has the dtype and device of `like`.
    """
    batch = shape[0]
    sources = generator if isinstance(generator, Sequence) else [generator] * batch
    if len(sources) != batch:
        raise ValueError(f"expected {batch} generators, one an image, got {len(sources)}")
    rows = [
        torch.randn(tuple(shape[1:]), generator=g, device=g.device if g is not None else None)
        for g in sources
    ]
    noise = torch.stack(rows) if rows else torch.empty(tuple(shape))
    return noise if like is None else noise.to(like)

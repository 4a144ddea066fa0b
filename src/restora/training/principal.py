"""Principal directions by a randomised decomposition (Halko, Martinsson and Tropp, SIAM Review 2011)."""

from __future__ import annotations

import torch
from torch import Tensor


def principal(images: Tensor, rank: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) about 0: their sums of squares along the first directions, and these, (k, C, H, W),
    k = rank or as many as there are. The same for the same seed; torch's global stream stays as it was."""
    rank = min(rank, len(images), images[0].numel())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _, values, rows = torch.svd_lowrank(images.flatten(1), rank, niter=4)
    return values.square(), rows.T.reshape(-1, *images.shape[1:])

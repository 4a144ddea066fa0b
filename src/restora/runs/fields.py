"""The per-image fields of degradations: stand-ins, those of a batch, and whether they are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


@lru_cache(maxsize=4)
def ones(height: int, width: int) -> Tensor:
    """A mask that hides nothing; not to be written to."""
    return torch.ones(1, 1, height, width)


def together(values: Sequence[Tensor]) -> Tensor:
    """Those of a batch; one for all where they are the same, since solvers then look at A but once."""
    same = all(value is values[0] or torch.equal(value, values[0]) for value in values[1:])
    return values[0] if same else torch.cat(list(values))


def same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two degradations of one task have the same fields: tensors that are one object, other values
    that are equal."""
    return a.keys() == b.keys() and all(
        a[k] is b[k] or (not isinstance(a[k], Tensor) and a[k] == b[k]) for k in a
    )

"""Turning and mirroring."""

from __future__ import annotations

import torch

from restora.orientation import ORIENTATIONS, lay, upright


def test_all_differ_and_each_comes_back() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    seen = {(tuple(lay(x, k).flatten().tolist()), lay(x, k).shape) for k in range(ORIENTATIONS)}
    assert len(seen) == ORIENTATIONS == 8
    for k in range(ORIENTATIONS):
        assert torch.equal(upright(lay(x, k), k), x)
    assert torch.equal(lay(x, 0), x)
    assert torch.equal(lay(x, 1), x.flip(-1))

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from restora.bench import memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_peak_is_of_the_block_alone() -> None:
    cpu = torch.device("cpu")
    earlier = np.ones(2**24)  # 128 MiB that were there before, and a higher peak that is over
    del earlier
    with memory.peak_memory(cpu) as peak:
        block = np.ones(2**23)  # 64 MiB, given back before the end
        del block
    if peak.bytes is None:
        pytest.skip("the high-water mark cannot be reset here")
    assert 60 * 2**20 < peak.bytes < 80 * 2**20


def test_unknown_where_the_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "RESET", tmp_path / "none" / "clear_refs")
    with memory.peak_memory(torch.device("cpu")) as peak:
        pass
    assert peak.bytes is None

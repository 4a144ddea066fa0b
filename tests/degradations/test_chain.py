from __future__ import annotations

import pytest

from restora.degradations import AdditiveNoise, Blur, Chain, Downsample, Quantize
from restora.errors import OptionError


def test_what_cannot_be_chained() -> None:
    for parts, message in (
        ((), "expected degradations, got none"),
        ((Downsample(2), Quantize(5)), "expected linear degradations, got Quantize"),
        ((Blur(), Downsample(2)), "got sigma=0.01 in Blur; set it to 0 there"),
    ):
        with pytest.raises(OptionError, match=message):
            Chain(*parts)
    assert Chain(Blur(sigma=0.0), AdditiveNoise(0.2)).sigma == 0.2

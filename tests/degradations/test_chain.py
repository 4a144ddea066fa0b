from __future__ import annotations

import pytest

from restora.degradations import AdditiveNoise, Blur, Chain, Downsample, Poisson, Quantize
from restora.errors import OptionError


def test_what_cannot_be_chained() -> None:
    for parts, message in (
        ((), "expected degradations, got none"),
        ((Quantize(5), Downsample(2)), "expected noise in the last part alone, got some in Quantize"),
        ((Poisson(), Downsample(2)), "expected noise in the last part alone, got some in Poisson"),
        ((Blur(), Downsample(2)), "got some in Blur .sigma=0.01.; set it to 0 there"),
    ):
        with pytest.raises(OptionError, match=message):
            Chain(*parts)
    assert Chain(Blur(sigma=0.0), AdditiveNoise(0.2)).sigma == 0.2

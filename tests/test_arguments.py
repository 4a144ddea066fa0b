"""Arguments of restore() as people give them: taken where their meaning is certain, else one line says no."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from restora import AdditiveNoise, Mask, restore
from restora.errors import MaskError, OptionError
from restora.plan import decide


@pytest.mark.parametrize("wrong", ["denoise", lambda x: x, None, 0.1])
def test_what_is_no_degradation_is_refused(wrong: Any) -> None:
    with pytest.raises(OptionError, match="degradation: expected a Degradation, such as"):
        restore(torch.rand(1, 3, 8, 8), wrong, method="tv")
    with pytest.raises(OptionError, match="degradation: expected a Degradation, such as"):
        next(decide("tv").run(torch.rand(1, 3, 8, 8), wrong))


def test_what_is_no_prior_is_refused() -> None:
    with pytest.raises(OptionError, match="prior: expected the name of a prior, its folder, or a Prior, got"):
        restore(torch.rand(1, 3, 8, 8), AdditiveNoise(0.1), prior=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_levels_of_the_images_may_be_a_list(kind: Any) -> None:
    y, levels = torch.rand(2, 3, 8, 8), [0.1, 0.02]
    expected = restore(y, AdditiveNoise(torch.tensor(levels)), method="tv").image
    assert torch.equal(restore(y, AdditiveNoise(kind(levels)), method="tv").image, expected)


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float64, ">f4"])
def test_a_mask_may_be_an_array(dtype: Any) -> None:
    mask = np.ones((8, 8))
    mask[2:4, 3:5] = 0
    y = torch.rand(1, 3, 8, 8)
    expected = restore(y, Mask(torch.from_numpy(mask)), method="tv").image
    assert torch.equal(restore(y, Mask(mask.astype(dtype)), method="tv").image, expected)
    with pytest.raises(MaskError, match="mask: expected a tensor or an array, got str"):
        Mask("mask.png")

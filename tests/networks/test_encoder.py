from __future__ import annotations

import pytest
import torch

from restora.networks.encoder import Encoder


@pytest.mark.parametrize("size", [8, 16, 64])
def test_one_latent_for_each_picture(size: int) -> None:
    encoder = Encoder(7, 5, width=4, size=size)
    x = torch.rand(3, 7, size, size)
    assert encoder(x).shape == (3, 5)
    assert encoder(x).abs().max() == 0  # the origin, before it is trained
    torch.nn.init.normal_(encoder.head.weight)
    torch.testing.assert_close(encoder(x)[1:2], encoder(x[1:2]), rtol=1e-4, atol=1e-4)
    assert (encoder(x)[0] - encoder(x)[1]).abs().max() > 1e-3


@pytest.mark.parametrize("size", [4, 12])
def test_sizes_that_cannot_be(size: int) -> None:
    with pytest.raises(ValueError, match=f"got {size}"):
        Encoder(7, 5, size=size)

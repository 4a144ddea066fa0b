from __future__ import annotations

import pytest
import torch

from restora.networks.unet import UNet


def randomised(**settings: int) -> UNet:
    """As it is built, its last layers are 0, and many mistakes cannot be seen."""
    torch.manual_seed(0)
    network = UNet(width=8, **settings).eval().double()
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return network


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("size", [(16, 16), (9, 14), (1, 5)])
def test_shapes(size: tuple[int, int], blocks: int) -> None:
    network = UNet(inputs=2, outputs=1, width=8, blocks=blocks)
    x = torch.rand(2, 2, *size)
    assert network(x, torch.rand(2)).shape == (2, 1, *size)
    assert not network(x, torch.rand(2)).any()
    again = UNet(**network.config)
    again.load_state_dict(network.state_dict())


def test_the_border_is_continued() -> None:
    network, x = randomised(), torch.rand(1, 6, 13, 16).double()
    whole = torch.cat([x, x[..., -1:, :].expand(-1, -1, 3, -1)], 2)
    level = torch.tensor([0.3]).double()
    torch.testing.assert_close(network(x, level), network(whole, level)[..., :13, :])


def test_level_and_far_pixels_count_and_the_batch_does_not() -> None:
    network = randomised()
    x, level = torch.rand(3, 6, 16, 16).double(), torch.tensor([0.1, 0.5, 0.9]).double()
    out = network(x, level)
    torch.testing.assert_close(network(x[1:2], level[1:2]), out[1:2])
    assert (network(x, level + 0.05) - out).abs().amax((1, 2, 3)).min() > 1e-4
    x[:, :, 0, 0] += 1
    assert (network(x, level) - out)[..., -1, -1].abs().min() > 1e-6


def test_every_weight_learns() -> None:
    network = randomised(blocks=2)
    network(torch.rand(2, 6, 16, 16).double(), torch.rand(2).double()).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="even width, got 7"):
        UNet(width=7)

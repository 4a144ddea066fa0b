"""A flow for pictures of any size, to restore them in pieces."""

from __future__ import annotations

import torch

from restora.networks.unet import UNet
from restora.priors import FlowPrior, GaussianPrior

SIZE = (144, 200)


def flow() -> FlowPrior:
    """A smooth stationary field and a network that sees little of it, and is not trained."""
    torch.manual_seed(0)
    frequency = (torch.arange(32)[:, None] ** 2 + torch.arange(32)[None] ** 2).sqrt() / 64
    spread = (0.3 * torch.eye(3) + 0.1)[..., None, None] / (1 + (20 * frequency) ** 2)
    network = UNet(6, 3, width=4, multipliers=(1, 2), blocks=1, attention=False)
    torch.nn.init.normal_(network.last.weight, std=0.05)
    return FlowPrior(network, GaussianPrior(torch.full((3, 32, 32), 0.5), torch.zeros(0, 3, 32, 32), spread))

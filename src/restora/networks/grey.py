"""Networks of colours, for pictures of one channel, which stand for colours whose channels are all equal."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GreyOut(nn.Module):
    """What a network makes, (B, C, H, W), as the mean of the channels, (B, 1, H, W)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        return self.network(z).mean(1, keepdim=True)


class GreyIn(nn.Module):
    """A network that takes groups of channels, for input that has but one channel of each: (B, groups, H, W).

    groups: how many channels of the network's input each group has.
    """

    def __init__(self, network: nn.Module, groups: tuple[int, ...]):
        super().__init__()
        self.network, self.groups = network, groups

    def forward(self, x: Tensor) -> Tensor:
        channels = [x[:, i : i + 1].expand(-1, count, -1, -1) for i, count in enumerate(self.groups)]
        return self.network(torch.cat(channels, 1))

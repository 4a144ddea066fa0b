"""An encoder: pictures -> latents, by residual blocks at 1/2, 1/4, ... down to 4 pixels a side."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from restora.networks.unet import Norm, channels_last, zero

SMALLEST = 4
WIDEST = 4  # times `width`


class Encoder(nn.Module):
    """(B, inputs, size, size) -> (B, latent). size: a power of two of at least 8; width: channels at half
    resolution, which double at each step down until they are four times as many. It starts at 0."""

    def __init__(self, inputs: int, latent: int, width: int = 64, blocks: int = 1, size: int = 64):
        super().__init__()
        if size < 2 * SMALLEST or size & (size - 1):
            raise ValueError(f"an encoder needs a size that is a power of two, 8 or more, got {size}")
        self.config: dict[str, Any] = {"inputs": inputs, "latent": latent, "width": width}
        self.config |= {"blocks": blocks, "size": size}
        layers: list[nn.Module] = [nn.Conv2d(4 * inputs, width, 3, padding=1)]
        channels, side = width, size // 2
        while True:
            layers += [Block(channels) for _ in range(blocks)]
            if side == SMALLEST:
                break
            wider = min(2 * channels, WIDEST * width)
            layers.append(nn.Conv2d(channels, wider, 2, stride=2))
            channels, side = wider, side // 2
        self.body = nn.Sequential(*layers, Norm(channels), nn.SiLU())
        self.head = zero(nn.Linear(channels * SMALLEST**2, latent))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(channels_last(F.pixel_unshuffle(x, 2))).flatten(1))


class Block(nn.Module):
    """norm, convolution, SiLU, convolution, about a skip."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm, self.conv1 = Norm(channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = zero(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(self.norm(x))))

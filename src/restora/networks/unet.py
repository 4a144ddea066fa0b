"""A U-Net for images and a level of noise, fast on a processor too.

The picture is folded 2x2 into channels (pixel unshuffle), so that the widest layers work at half resolution;
residual blocks at 1/2, 1/4 and 1/8; self-attention at the coarsest alone. The level enters by scale and shift
after each second normalisation. Source: Ho et al., NeurIPS 2020, and Dhariwal and Nichol, NeurIPS 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """(B, inputs, H, W) and levels (B,) in [0, 1] -> (B, outputs, H, W), of any H and W.

    width: channels at half resolution, even; multipliers: of the width, one a resolution; blocks: residual
    blocks a resolution on the way down, one more on the way up; attention: at the coarsest resolution, in
    heads of about 64 channels. The last layer starts at 0. Sides that 2^len(multipliers) does not divide are
    continued by their border, and cut again.
    """

    def __init__(
        self,
        inputs: int = 6,
        outputs: int = 3,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 4),
        blocks: int = 1,
        attention: bool = True,
    ):
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"a U-Net needs an even width, got {width}")
        self.config: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "width": width}
        self.config |= {"multipliers": list(multipliers), "blocks": blocks, "attention": attention}
        levels, channels = 4 * width, [width * m for m in multipliers]
        deep = [attention and i == len(channels) - 1 for i in range(len(channels))]
        self.multiple = 2 ** len(channels)
        hidden = nn.Linear(width, levels), nn.SiLU(), nn.Linear(levels, levels), nn.SiLU()
        self.embed = nn.Sequential(Waves(width), *hidden)
        self.first = nn.Conv2d(4 * inputs, width, 3, padding=1)
        skips, now = [width], width
        self.down = nn.ModuleList()
        for i, c in enumerate(channels):
            for _ in range(blocks):
                self.down.append(Block(now, c, levels, deep[i]))
                skips.append(now := c)
            if i < len(channels) - 1:
                self.down.append(Downsample(now))
                skips.append(now)
        self.middle = nn.ModuleList([Block(now, now, levels, attention), Block(now, now, levels, False)])
        self.up = nn.ModuleList()
        for i, c in reversed(list(enumerate(channels))):
            for _ in range(blocks + 1):
                self.up.append(Block(now + skips.pop(), c, levels, deep[i]))
                now = c
            if i > 0:
                self.up.append(Upsample(now))
        self.norm, self.last = norm(now), zero(nn.Conv2d(now, 4 * outputs, 3, padding=1))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        folded = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        e, x = self.embed(level), self.first(folded)
        skips = [x]
        for layer in self.down:
            x = layer(x, e)
            skips.append(x)
        for layer in self.middle:
            x = layer(x, e)
        for layer in self.up:
            x = layer(x, e) if isinstance(layer, Upsample) else layer(torch.cat([x, skips.pop()], 1), e)
        return F.pixel_shuffle(self.last(F.silu(self.norm(x))), 2)[..., :height, :width]


class Waves(nn.Module):
    """Levels (B,) in [0, 1] -> cosines and sines (B, width) of periods from 0.006 to 60."""

    rates: Tensor

    def __init__(self, width: int):
        super().__init__()
        exponents = torch.arange(width // 2) / (width // 2)
        self.register_buffer("rates", 1000 * torch.exp(-math.log(1e4) * exponents), persistent=False)

    def forward(self, level: Tensor) -> Tensor:
        angles = level.unsqueeze(-1) * self.rates
        return torch.cat([angles.cos(), angles.sin()], -1)


class Block(nn.Module):
    """norm, SiLU, convolution, twice, about a skip; then self-attention, if any."""

    def __init__(self, inputs: int, outputs: int, levels: int, attention: bool):
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(levels, 2 * outputs)
        self.norm2, self.conv2 = norm(outputs), zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.attention = Attention(outputs) if attention else nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        scale, shift = self.modulate(e)[..., None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(torch.addcmul(shift, self.norm2(h), 1 + scale)))
        return self.attention(self.skip(x) + h)


class Attention(nn.Module):
    """Self-attention over all positions about a skip."""

    def __init__(self, channels: int):
        super().__init__()
        self.heads = math.gcd(channels, max(channels // 64, 1))
        self.norm, self.qkv = norm(channels), nn.Conv2d(channels, 3 * channels, 1)
        self.project = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.project(mixed.transpose(1, 2).unflatten(-1, x.shape[-2:]))


class Downsample(nn.Conv2d):
    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, e: Tensor | None = None) -> Tensor:
        return super().forward(x)


class Upsample(nn.Conv2d):
    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, e: Tensor | None = None) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def norm(channels: int) -> nn.GroupNorm:
    """At most 32 groups, each of two channels or more, so that a single pixel has a variance."""
    return nn.GroupNorm(math.gcd(32, channels // 2), channels)


def zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer

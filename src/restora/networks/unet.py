"""A U-Net for images and a level of noise, shaped for processors: few operations beside its convolutions.

The picture is folded 2x2 into channels (pixel unshuffle), so that the widest layers work at half resolution;
residual blocks at 1/2, 1/4, ...; what the way down found at a resolution is added on the way up; attention at
1/8 and below. Blocks are normalised over channels alone, which memory in channels_last order does in one
pass, and the level enters by scale and shift between their convolutions. Sources: Ho et al., NeurIPS 2020;
for layer norm and plain skips Chen et al., "Simple Baselines for Image Restoration", ECCV 2022.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)
FIRST_ATTENTION = 2  # the resolution from which on, 1/8, all positions can be compared


class UNet(nn.Module):
    """(B, inputs, H, W) and levels (B,) in [0, 1] -> (B, outputs, H, W), of any H and W.

    width: channels at half resolution, even; multipliers: of the width, one a resolution; blocks: residual
    blocks a resolution, on the way down and again on the way up; fine: as many more at half resolution, where
    they have few parameters and see the detail; attention: in the last of them at 1/8 and
    below, in heads of about 64 channels. The last layer starts at 0. Sides that 2^len(multipliers) does not
    divide are continued by their border, and cut again.
    """

    def __init__(
        self,
        inputs: int = 6,
        outputs: int = 3,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 4, 4),
        blocks: int = 2,
        attention: bool = True,
        fine: int = 0,
    ):
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"a U-Net needs an even width, got {width}")
        self.config: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "width": width}
        self.config |= {
            "multipliers": list(multipliers),
            "blocks": blocks,
            "attention": attention,
            "fine": fine,
        }
        levels, channels = 4 * width, [width * m for m in multipliers]
        self.multiple, self.any_size = 2 ** len(channels), not attention
        hidden = nn.Linear(width, levels), nn.SiLU(), nn.Linear(levels, levels), nn.SiLU()
        self.embed = nn.Sequential(Waves(width), *hidden)
        self.first = nn.Conv2d(4 * inputs, width, 3, padding=1)

        def stage(i: int) -> Stage:
            count = blocks if i else blocks + fine
            attends = [attention and i >= FIRST_ATTENTION and k == count - 1 for k in range(count)]
            return Stage(Block(channels[i], levels, a) for a in attends)

        self.down = nn.ModuleList(stage(i) for i in range(len(channels)))
        self.coarser = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(channels)
        )
        self.finer = nn.ModuleList(
            nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in itertools.pairwise(channels)
        )
        self.up = nn.ModuleList(stage(i) for i in range(len(channels)))
        self.norm, self.last = Norm(width), zero(nn.Conv2d(width, 4 * outputs, 3, padding=1))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        e, x = self.embed(level), self.first(channels_last(F.pixel_unshuffle(x, 2)))
        skips = []
        for i, stage in enumerate(self.down):
            x = stage(self.coarser[i - 1](x) if i else x, e)
            skips.append(x)
        for i in reversed(range(len(self.up))):
            if i + 1 < len(self.up):
                x = skips[i] + channels_last(F.pixel_shuffle(self.finer[i](x), 2))
            x = self.up[i](x, e)
        return F.pixel_shuffle(self.last(F.silu(self.norm(x))), 2)[..., :height, :width]


class Stage(nn.ModuleList):
    """The blocks of one resolution."""

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        for block in self:
            x = block(x, e)
        return x


class Waves(nn.Module):
    """Levels (B,) in [0, 1] -> cosines and sines (B, width) of periods from 0.006 to 60."""

    def __init__(self, width: int):
        super().__init__()
        self.count = width // 2

    def forward(self, level: Tensor) -> Tensor:
        exponents = torch.arange(self.count, device=level.device) / self.count
        rates = 1000 * torch.exp(-math.log(1e4) * exponents)
        angles = level.unsqueeze(-1) * rates.to(level)
        return torch.cat([angles.cos(), angles.sin()], -1)


class Norm(nn.LayerNorm):
    """Layer norm over the channels of each position, (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """norm, convolution, scale and shift by the level, SiLU, convolution, about a skip; then attention."""

    def __init__(self, channels: int, levels: int, attention: bool):
        super().__init__()
        self.norm, self.conv1 = Norm(channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.modulate = zero(nn.Linear(levels, 2 * channels))
        self.conv2 = zero(nn.Conv2d(channels, channels, 3, padding=1))
        self.attention = Attention(channels) if attention else nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        scale, shift = self.modulate(e)[..., None, None].chunk(2, 1)
        h = torch.addcmul(shift, self.conv1(self.norm(x)), 1 + scale)
        return self.attention(x + self.conv2(F.silu(h)))


class Attention(nn.Module):
    """Self-attention over all positions about a skip."""

    def __init__(self, channels: int):
        super().__init__()
        self.heads = math.gcd(channels, max(channels // 64, 1))
        self.norm, self.qkv = Norm(channels), nn.Conv2d(channels, 3 * channels, 1)
        self.project = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.project(mixed.transpose(1, 2).unflatten(-1, x.shape[-2:]))


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def zero(layer: Layer) -> Layer:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def grown(state: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of a U-Net for one with more inputs, outputs or blocks; they change nothing at first."""
    found = {}
    for name, wanted in like.items():
        value = state.get(name, wanted)
        if value.shape != wanted.shape:
            wider = torch.zeros_like(wanted)
            wider[tuple(slice(n) for n in value.shape)] = value
            value = wider
        found[name] = value
    return found

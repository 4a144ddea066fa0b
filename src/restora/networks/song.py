"""The DDPM++ U-Net of EDM, as its networks of CIFAR-10, FFHQ and AFHQ are stored.

Residual blocks with group norm, into which the level enters by shift; attention with one head; every sum is
divided by sqrt(2). Tensors are named as in the authors' files (github.com/NVlabs/edm, SongUNet): map_layer0,
enc, dec. Sources: Karras, Aittala, Aila and Laine, "Elucidating the design space of diffusion-based
generative models", NeurIPS 2022; the architecture is that of Song et al., ICLR 2021.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PERIOD, EPS = 10_000, 1e-6


class SongUNet(nn.Module):
    """Images (B, channels, size, size) and levels (B,) -> (B, channels, size, size).

    width: channels at full resolution, times `multipliers`, one a resolution; blocks: residual blocks a
    resolution; attention: at these sizes.
    """

    any_size = False
    unused = ("map_augment.weight",)  # of training alone

    def __init__(
        self,
        channels: int = 3,
        size: int = 64,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 4,
        attention: Sequence[int] = (16,),
    ):
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "size": size, "width": width}
        self.config |= {"multipliers": list(multipliers), "blocks": blocks, "attention": list(attention)}
        levels = 4 * width
        self.map_layer0, self.map_layer1 = nn.Linear(width, levels), nn.Linear(levels, levels)
        self.enc, self.dec = nn.ModuleDict(), nn.ModuleDict()
        sides, ch, skips = [size >> i for i in range(len(multipliers))], width, [width]
        self.enc[f"{size}x{size}_conv"] = nn.Conv2d(channels, ch, 3, padding=1)
        for i, (side, m) in enumerate(zip(sides, multipliers, strict=True)):
            name = f"{side}x{side}"
            if i:
                self.enc[f"{name}_down"] = Block(ch, ch, levels, resize=0.5)
                skips.append(ch)
            for k in range(blocks):
                self.enc[f"{name}_block{k}"] = Block(ch, ch := m * width, levels, side in attention)
                skips.append(ch)
        for i in reversed(range(len(sides))):
            name = f"{sides[i]}x{sides[i]}"
            if i + 1 == len(sides):
                self.dec[f"{name}_in0"] = Block(ch, ch, levels, attention=True)
                self.dec[f"{name}_in1"] = Block(ch, ch, levels)
            else:
                self.dec[f"{name}_up"] = Block(ch, ch, levels, resize=2)
            for k in range(blocks + 1):
                attends, before = k == blocks and sides[i] in attention, ch + skips.pop()
                self.dec[f"{name}_block{k}"] = Block(before, ch := multipliers[i] * width, levels, attends)
        self.dec[f"{size}x{size}_aux_norm"] = norm(ch)
        self.dec[f"{size}x{size}_aux_conv"] = nn.Conv2d(ch, channels, 3, padding=1)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        half = self.config["width"] // 2
        rates = PERIOD ** -(torch.arange(half, device=level.device) / (half - 1))
        angles = level.unsqueeze(-1) * rates.to(level)
        e = F.silu(self.map_layer0(torch.cat([angles.sin(), angles.cos()], -1)))
        e, skips = F.silu(self.map_layer1(e)), []
        for part in self.enc.values():
            x = part(x, e) if isinstance(part, Block) else part(x)
            skips.append(x)
        *blocks, last_norm, last = self.dec.values()
        for part in blocks:
            x = part(torch.cat([x, skips.pop()], 1) if x.shape[1] != part.before else x, e)
        return last(F.silu(last_norm(x)))

    @classmethod
    def recognise(cls, tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """The arguments that make a network of these tensors; None where they are of another."""
        sides = {int(found[1]) for name in tensors if (found := re.match(r"enc\.(\d+)x\d+_block0\.", name))}
        others = ("map_label.weight", "map_noise.freqs")
        if not sides or "map_layer0.weight" not in tensors or any(name in tensors for name in others):
            return None
        size, width = max(sides), tensors["map_layer0.weight"].shape[1]
        first, order = tensors.get(f"enc.{size}x{size}_conv.weight"), sorted(sides, reverse=True)
        if first is None or any("_aux_residual" in name or "_aux_skip" in name for name in tensors):
            return None
        outputs = [len(tensors[f"enc.{side}x{side}_block0.conv1.weight"]) for side in order]
        blocks = sum(bool(re.match(rf"enc\.{size}x\d+_block\d+\.conv1\.weight", name)) for name in tensors)
        attention = [side for side in order if f"enc.{side}x{side}_block0.qkv.weight" in tensors]
        multipliers = [count // width for count in outputs]
        config = {"channels": first.shape[1], "size": size, "width": width, "blocks": blocks}
        return {**config, "multipliers": multipliers, "attention": attention}


class Block(nn.Module):
    """norm, SiLU, convolution, the level; norm, SiLU, convolution, about a skip; then attention."""

    def __init__(self, before: int, after: int, levels: int, attention: bool = False, resize: float = 1):
        super().__init__()
        self.before, self.attention = before, attention
        self.norm0, self.conv0 = norm(before), Resized(before, after, 3, resize)
        self.affine = nn.Linear(levels, after)
        self.norm1, self.conv1 = norm(after), nn.Conv2d(after, after, 3, padding=1)
        self.skip = None if before == after and resize == 1 else Resized(before, after, 1, resize)
        if attention:
            self.norm2, self.qkv = norm(after), nn.Conv2d(after, 3 * after, 1)
            self.proj = nn.Conv2d(after, after, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.conv0(F.silu(self.norm0(x))) + self.affine(e)[..., None, None]
        h = self.conv1(F.silu(self.norm1(h)))
        x = (h + (x if self.skip is None else self.skip(x))) * 0.5**0.5
        if not self.attention:
            return x
        q, k, v = self.qkv(self.norm2(x)).flatten(2).unflatten(1, (-1, 3)).unbind(2)
        mixed = F.scaled_dot_product_attention(q.mT[:, None], k.mT[:, None], v.mT[:, None])[:, 0].mT
        return (x + self.proj(mixed.reshape(x.shape))) * 0.5**0.5


class Resized(nn.Conv2d):
    """A convolution of an image whose sides are first halved, or doubled."""

    def __init__(self, before: int, after: int, kernel: int, resize: float):
        super().__init__(before, after, kernel, padding=kernel // 2)
        self.resize = resize
        if resize != 1:
            self.register_buffer("resample_filter", torch.full((1, 1, 2, 2), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        if self.resize < 1:
            x = F.avg_pool2d(x, 2)
        elif self.resize > 1:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return super().forward(x)


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(32, channels // 4), channels, EPS)

"""The U-Net of guided diffusion, as its 256x256 networks of ImageNet, LSUN and FFHQ are stored.

Residual blocks with group norm, into which the level enters by shift, or by scale and shift; attention at
some resolutions; resolutions are changed by residual blocks or by convolutions. Tensors are named as in the
authors' files (github.com/openai/guided-diffusion): time_embed, input_blocks, middle_block, output_blocks,
out. Source: Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis", NeurIPS 2021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS, PERIOD = 32, 10_000


class GuidedUNet(nn.Module):
    """Images (B, channels, H, W) and steps (B,), which may be fractions -> (B, outputs, H, W).

    width: channels at full resolution; multipliers: of the width, one a resolution; blocks: residual blocks a
    resolution; attention: at these reductions of the side (8 is 1/8); heads: channels of an attention's head,
    or, where negative, minus their number; modulate: whether levels scale too; resample: whether residual
    blocks change the resolution. The number of steps H and W are halved has to divide them.
    """

    any_size = False

    def __init__(
        self,
        channels: int = 3,
        outputs: int = 6,
        width: int = 128,
        multipliers: Sequence[int] = (1, 1, 2, 2, 4, 4),
        blocks: int = 1,
        attention: Sequence[int] = (16,),
        heads: int = 64,
        modulate: bool = True,
        resample: bool = True,
    ):
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "outputs": outputs, "width": width}
        self.config |= {"multipliers": list(multipliers), "blocks": blocks, "attention": list(attention)}
        self.config |= {"heads": heads, "modulate": modulate, "resample": resample}
        levels = 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, levels), nn.SiLU(), nn.Linear(levels, levels))

        def block(before: int, after: int, resize: float = 1) -> Block:
            return Block(before, after, levels, modulate, resize)

        def resizing(ch: int, resize: float) -> nn.Module:
            return block(ch, ch, resize) if resample else (Upsample if resize > 1 else Downsample)(ch)

        def stage(before: int, after: int, level: int) -> list[nn.Module]:
            attends = 2**level in attention
            return [block(before, after), *([Attention(after, heads)] if attends else [])]

        ch, last = multipliers[0] * width, len(multipliers) - 1
        self.input_blocks = nn.ModuleList([Parts(nn.Conv2d(channels, ch, 3, padding=1))])
        skips = [ch]
        for level, m in enumerate(multipliers):
            for _ in range(blocks):
                self.input_blocks.append(Parts(*stage(ch, ch := m * width, level)))
                skips.append(ch)
            if level < last:
                self.input_blocks.append(Parts(resizing(ch, 0.5)))
                skips.append(ch)
        self.middle_block = Parts(block(ch, ch), Attention(ch, heads), block(ch, ch))
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(last + 1)):
            for i in range(blocks + 1):
                parts = stage(ch + skips.pop(), ch := multipliers[level] * width, level)
                up = [resizing(ch, 2)] if level and i == blocks else []
                self.output_blocks.append(Parts(*parts, *up))
        final = nn.Conv2d(ch, outputs, 3, padding=1)
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, ch), nn.SiLU(), final)

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        e = self.time_embed(waves(step, self.config["width"]).to(x.dtype))
        skips = []
        for part in self.input_blocks:
            x = part(x, e)
            skips.append(x)
        x = self.middle_block(x, e)
        for part in self.output_blocks:
            x = part(torch.cat([x, skips.pop()], 1), e)
        return self.out(x)

    @classmethod
    def recognise(cls, tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """The arguments that make a network of these tensors; None where they are of another. Heads cannot be
        told from tensors: they have 64 channels, as those of the 256x256 networks."""
        needed = ("time_embed.0.weight", "input_blocks.0.0.weight", "output_blocks.0.0.in_layers.0.weight")
        if not tensors.keys() >= set(needed) or "label_emb.weight" in tensors:
            return None
        out = [list(_layers(tensors, f"output_blocks.{i}.")) for i in range(_count(tensors, "output_blocks"))]
        ups = [i for i, layers in enumerate(out) if len(layers) > 1 and layers[-1] != "attention"]
        levels = len(ups) + 1
        if len(out) % levels:
            return None
        width, a_level = tensors["time_embed.0.weight"].shape[1], len(out) // levels
        first = [levels - 1 - i // a_level for i in range(len(out))]  # the level of each block
        sizes = [len(tensors[f"output_blocks.{i}.0.out_layers.3.weight"]) for i in range(len(out))]
        attends = {2**level for level, layers in zip(first, out, strict=True) if "attention" in layers}
        embedded = len(tensors["input_blocks.1.0.emb_layers.1.weight"])
        return {
            "channels": tensors["input_blocks.0.0.weight"].shape[1],
            "outputs": len(tensors["out.2.weight"]),
            "width": width,
            "multipliers": [size // width for size in sizes[::-a_level]],
            "blocks": a_level - 1,
            "attention": sorted(attends),
            "modulate": embedded == 2 * len(tensors["input_blocks.1.0.out_layers.3.weight"]),
            "resample": not ups or out[ups[0]][-1] == "block",
        }


def _count(tensors: Mapping[str, Tensor], name: str) -> int:
    return 1 + max(int(key.split(".")[1]) for key in tensors if key.startswith(f"{name}."))


def _layers(tensors: Mapping[str, Tensor], prefix: str) -> list[str]:
    """What the layers of a part are, in their order."""
    kinds = {"in_layers.0.weight": "block", "qkv.weight": "attention", "conv.weight": "resize"}
    found = {}
    for key in tensors:
        if key.startswith(prefix):
            index, _, rest = key.removeprefix(prefix).partition(".")
            if rest in kinds:
                found[int(index)] = kinds[rest]
    return [found[i] for i in sorted(found)]


def waves(step: Tensor, width: int) -> Tensor:
    """Steps (B,) -> cosines and sines (B, width) of periods from 2 pi to 2 pi PERIOD."""
    half = width // 2
    rates = torch.exp(-math.log(PERIOD) * torch.arange(half, device=step.device) / half)
    angles = step.float().unsqueeze(-1) * rates
    return F.pad(torch.cat([angles.cos(), angles.sin()], -1), (0, width % 2))


class Parts(nn.Sequential):
    """Layers in a row, of which the residual blocks see the level."""

    def forward(self, x: Tensor, e: Tensor) -> Tensor:  # type: ignore[override]
        for layer in self:
            x = layer(x, e) if isinstance(layer, Block) else layer(x)
        return x


class Block(nn.Module):
    """norm, SiLU, convolution; the level; norm, SiLU, convolution, about a skip. resize: 1, 2 or 0.5."""

    def __init__(self, before: int, after: int, levels: int, modulate: bool, resize: float = 1):
        super().__init__()
        self.modulate, self.resize = modulate, resize
        first, second = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, before), nn.SiLU(), first)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(levels, after * (1 + modulate)))
        self.out_layers = nn.Sequential(nn.GroupNorm(GROUPS, after), nn.SiLU(), nn.Dropout(0.0), second)
        self.skip_connection = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.in_layers[2](_resize(self.in_layers[:2](x), self.resize))
        x, level = _resize(x, self.resize), self.emb_layers(e)[..., None, None]
        if self.modulate:
            scale, shift = level.chunk(2, 1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            h = self.out_layers(h + level)
        return self.skip_connection(x) + h


def _resize(x: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return x
    return F.avg_pool2d(x, 2) if factor < 1 else F.interpolate(x, scale_factor=2.0, mode="nearest")


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(_resize(x, 2))


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, 2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Attention(nn.Module):
    """Self-attention over all positions about a skip; each head has its queries, keys and values in a row."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = -heads if heads < 0 else max(channels // heads, 1)
        self.norm, self.qkv = nn.GroupNorm(GROUPS, channels), nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x).flatten(2)).unflatten(1, (self.heads, 3, -1)).mT  # (B, heads, 3, T, c)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(2)).mT.flatten(1, 2)
        return x + self.proj_out(mixed).view_as(x)

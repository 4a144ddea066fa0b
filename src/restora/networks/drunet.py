"""DRUNet: a U-Net of residual blocks that is told the level of the noise as one more channel.

No biases and no norms, so that the answer scales with the picture and its noise. Tensors are named as in the
authors' files (github.com/cszn/DPIR, KAIR, deepinv): m_head, m_down1, ..., m_body, m_up3, ..., m_tail.
Source: Zhang, Li, Zuo, Zhang, Van Gool and Timofte, "Plug-and-play image restoration with deep denoiser
prior", IEEE Transactions on Pattern Analysis and Machine Intelligence 44, 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MULTIPLE = 8


class DRUNet(nn.Module):
    """Noisy images (B, channels, H, W) and the deviations of their noise (B,) -> denoised images, of any
    size.

    widths: channels at the four resolutions; blocks: residual blocks at each. Sides that 8 does not divide
    are continued by their border, and cut again.
    """

    any_size = True

    def __init__(self, channels: int = 3, widths: Sequence[int] = (64, 128, 256, 512), blocks: int = 4):
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "widths": list(widths), "blocks": blocks}
        a, b, c, d = widths

        def stage(width: int) -> list[nn.Module]:
            return [Residual(width) for _ in range(blocks)]

        self.m_head = nn.Conv2d(channels + 1, a, 3, padding=1, bias=False)
        self.m_down1 = nn.Sequential(*stage(a), nn.Conv2d(a, b, 2, 2, bias=False))
        self.m_down2 = nn.Sequential(*stage(b), nn.Conv2d(b, c, 2, 2, bias=False))
        self.m_down3 = nn.Sequential(*stage(c), nn.Conv2d(c, d, 2, 2, bias=False))
        self.m_body = nn.Sequential(*stage(d))
        self.m_up3 = nn.Sequential(nn.ConvTranspose2d(d, c, 2, 2, bias=False), *stage(c))
        self.m_up2 = nn.Sequential(nn.ConvTranspose2d(c, b, 2, 2, bias=False), *stage(b))
        self.m_up1 = nn.Sequential(nn.ConvTranspose2d(b, a, 2, 2, bias=False), *stage(a))
        self.m_tail = nn.Conv2d(a, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        level = sigma.view(-1, 1, 1, 1).expand(len(x), 1, height, width)
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        x1 = self.m_head(F.pad(torch.cat([x, level], 1), padding, mode="replicate"))
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        up = self.m_up3(self.m_body(x4) + x4)
        up = self.m_up1(self.m_up2(up + x3) + x2)
        return self.m_tail(up + x1)[..., :height, :width]

    @classmethod
    def recognise(cls, tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """The arguments that make a network of these tensors; None where they are of another."""
        named = [f"m_down{i}.0.res.0.weight" for i in (1, 2, 3)]
        needed = ["m_head.weight", "m_tail.weight", "m_body.0.res.0.weight", *named]
        if not tensors.keys() >= set(needed):
            return None
        blocks = sum(name.startswith("m_body.") for name in tensors) // 2
        widths = [len(tensors[name]) for name in (*named, "m_body.0.res.0.weight")]
        channels, inputs = len(tensors["m_tail.weight"]), tensors["m_head.weight"].shape[1]
        return {"channels": channels, "widths": widths, "blocks": blocks} if inputs == channels + 1 else None


class Residual(nn.Module):
    """Two convolutions about a skip."""

    def __init__(self, width: int):
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.res = nn.Sequential(first, nn.ReLU(inplace=True), second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res(x)

"""FFDNet: a plain stack of convolutions that is told the level of the noise as one more channel.

The picture is folded 2x2 into channels (pixel unshuffle), so that the layers work at half resolution. Tensors
are named as in the authors' files (github.com/cszn/KAIR): model.0, model.2, ... Source: Zhang, Zuo and Zhang,
"FFDNet: Toward a fast and flexible solution for CNN-based image denoising", IEEE Transactions on Image
Processing 27, 2018.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FFDNet(nn.Module):
    """Noisy images (B, channels, H, W) and the deviations of their noise (B,) -> denoised images, of any
    size.

    layers: convolutions, each of `width` channels but the last. Sides that 2 does not divide are continued by
    their border, and cut again.
    """

    any_size = True

    def __init__(self, channels: int = 3, width: int = 96, layers: int = 12):
        super().__init__()
        self.config: dict[str, Any] = {"channels": channels, "width": width, "layers": layers}
        sizes = [4 * channels + 1, *[width] * (layers - 1), 4 * channels]
        parts: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            parts += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*parts[:-1])

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        folded = F.pixel_unshuffle(F.pad(x, (0, width % 2, 0, height % 2), mode="replicate"), 2)
        level = sigma.view(-1, 1, 1, 1).expand(len(x), 1, *folded.shape[-2:])
        return F.pixel_shuffle(self.model(torch.cat([folded, level], 1)), 2)[..., :height, :width]

    @classmethod
    def recognise(cls, tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """The arguments that make a network of these tensors; None where they are of another."""
        layers = len(tensors) // 2
        names = {f"model.{2 * i}.{part}" for i in range(layers) for part in ("weight", "bias")}
        if layers < 2 or tensors.keys() != names:
            return None
        width, inputs = tensors["model.0.weight"].shape[:2]
        outputs = len(tensors[f"model.{2 * layers - 2}.weight"])
        fits = inputs == outputs + 1 and not outputs % 4
        return {"channels": outputs // 4, "width": width, "layers": layers} if fits else None

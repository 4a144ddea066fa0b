"""DCGAN generator and discriminator (Radford et al., ICLR 2016).

The discriminator is normalised spectrally (Miyato et al., ICLR 2018) in place of batch norm: its
logit for one image then never depends on the other images of the batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations


def _levels(size: int) -> int:
    """Number of doublings from 4x4 to `size`."""
    levels = int(math.log2(size)) - 2
    if size < 8 or 4 * 2**levels != size:
        raise ValueError(f"DCGAN needs a size that is a power of two, 8 or more, got {size}")
    return levels


class Generator(nn.Module):
    """Latents (B, latent) -> images (B, channels, size, size) in [-1, 1]."""

    def __init__(self, latent: int = 100, width: int = 64, channels: int = 3, size: int = 64):
        super().__init__()
        levels = _levels(size)
        widths = [width * 2 ** (levels - 1 - i) for i in range(levels)]
        self.config = {"latent": latent, "width": width, "channels": channels, "size": size}
        self.project = nn.Linear(latent, widths[0] * 16, bias=False)
        blocks: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for i, (w_in, w_out) in enumerate(zip(widths, [*widths[1:], channels], strict=True)):
            last = i == levels - 1
            blocks.append(nn.ConvTranspose2d(w_in, w_out, 4, 2, 1, bias=last))
            blocks += [nn.Tanh()] if last else [nn.BatchNorm2d(w_out), nn.ReLU(inplace=True)]
        self.blocks = nn.Sequential(*blocks)
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).view(len(z), -1, 4, 4)
        return self.blocks(x.contiguous(memory_format=torch.channels_last))


class Discriminator(nn.Module):
    """Images (B, channels, size, size) in [-1, 1] -> logits (B,): log D - log(1 - D)."""

    def __init__(self, width: int = 64, channels: int = 3, size: int = 64):
        super().__init__()
        levels = _levels(size)
        widths = [channels, *(width * 2**i for i in range(levels))]
        self.config = {"width": width, "channels": channels, "size": size}
        blocks: list[nn.Module] = []
        for w_in, w_out in zip(widths[:-1], widths[1:], strict=True):
            blocks += [spectral_norm(nn.Conv2d(w_in, w_out, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True)]
        blocks.append(spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 0)))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x.contiguous(memory_format=torch.channels_last)).flatten()

    def bake(self) -> Discriminator:
        """Replace each spectrally normalised weight by its present value, for inference."""
        for module in self.modules():
            if is_parametrized(module, "weight"):
                remove_parametrizations(module, "weight")
        return self


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)

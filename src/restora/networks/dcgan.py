"""DCGAN generator and discriminator (Radford et al., ICLR 2016).

The discriminator is normalised spectrally (Miyato et al., ICLR 2018) in place of batch norm: its
logit for one image then never depends on the other images of the batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def _levels(size: int) -> int:
    """Number of doublings from 4x4 to `size`."""
    levels = int(math.log2(size)) - 2
    if size < 8 or 4 * 2**levels != size:
        raise ValueError(f"DCGAN needs a size that is a power of two, 8 or more, got {size}")
    return levels


class Generator(nn.Module):
    """Latents (B, latent) -> images (B, channels, size, size) in [-1, 1].

    With `norm=False` the layers have biases in place of batch norm, as `fold` makes them.
    """

    def __init__(
        self, latent: int = 100, width: int = 64, channels: int = 3, size: int = 64, norm: bool = True
    ):
        super().__init__()
        levels = _levels(size)
        widths = [width * 2 ** (levels - 1 - i) for i in range(levels)]
        self.config: dict[str, Any] = {"latent": latent, "width": width, "channels": channels}
        self.config |= {"size": size, "norm": norm}
        self.project = nn.Linear(latent, widths[0] * 16, bias=not norm)
        blocks: list[nn.Module] = [*_norm(widths[0], norm), nn.ReLU(inplace=True)]
        for w_in, w_out in itertools.pairwise(widths):
            blocks.append(nn.ConvTranspose2d(w_in, w_out, 4, 2, 1, bias=not norm))
            blocks += [*_norm(w_out, norm), nn.ReLU(inplace=True)]
        blocks += [nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()]
        self.blocks = nn.Sequential(*blocks)
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).view(len(z), -1, 4, 4)
        # channels_last; said by permuting, because vmap does not know memory formats
        return self.blocks(x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2))

    @torch.no_grad()
    def fold(self) -> Generator:
        """The same function with the stored batch statistics folded into weights and biases."""
        folded = Generator(**{**self.config, "norm": False}).eval()
        norms = [m for m in self.blocks if isinstance(m, nn.BatchNorm2d)]
        sources, targets = self._layers(), folded._layers()
        for source, target, norm in zip(sources[:-1], targets[:-1], norms, strict=True):
            scale, bias = _affine(norm)
            if isinstance(source, nn.Linear):  # its outputs are channels x 4 x 4
                scale, bias = scale.repeat_interleave(16).view(-1, 1), bias.repeat_interleave(16)
            else:
                scale = scale.view(1, -1, 1, 1)
            target.weight.copy_(source.weight * scale)
            assert target.bias is not None
            target.bias.copy_(bias)
        targets[-1].load_state_dict(sources[-1].state_dict())
        return folded

    def _layers(self) -> list[nn.Linear | nn.ConvTranspose2d]:
        return [self.project, *(m for m in self.blocks if isinstance(m, nn.ConvTranspose2d))]


class Discriminator(nn.Module):
    """Images (B, channels, size, size) in [-1, 1] -> logits (B,): log D - log(1 - D).

    With `norm=False` the layers are plain, as `bake` makes them.
    """

    def __init__(self, width: int = 64, channels: int = 3, size: int = 64, norm: bool = True):
        super().__init__()
        levels = _levels(size)
        widths = [channels, *(width * 2**i for i in range(levels))]
        self.config: dict[str, Any] = {"width": width, "channels": channels, "size": size, "norm": norm}
        normalise: Callable[[nn.Module], nn.Module] = spectral_norm if norm else lambda layer: layer
        blocks: list[nn.Module] = []
        for w_in, w_out in itertools.pairwise(widths):
            blocks += [normalise(nn.Conv2d(w_in, w_out, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True)]
        blocks.append(normalise(nn.Conv2d(widths[-1], 1, 4, 1, 0)))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x.contiguous(memory_format=torch.channels_last)).flatten()

    @torch.no_grad()
    def bake(self) -> Discriminator:
        """The same function in evaluation mode, each weight with its present normalisation."""
        baked = Discriminator(**{**self.config, "norm": False}).eval()
        training = self.training
        self.eval()  # in training mode, reading a weight would go on with its power iteration
        for source, target in zip(self.blocks, baked.blocks, strict=True):
            if isinstance(source, nn.Conv2d) and isinstance(target, nn.Conv2d):
                target.weight.copy_(source.weight)
                assert source.bias is not None
                assert target.bias is not None
                target.bias.copy_(source.bias)
        self.train(training)
        return baked


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """(scale, bias) of batch norm with its stored statistics: x -> scale x + bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _norm(width: int, norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(width)] if norm else []


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)

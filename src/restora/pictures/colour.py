"""Channels and depth: grey and colour, and the integers that files hold."""

from __future__ import annotations

import torch
from torch import Tensor

from restora.errors import ImageError

LUMA = (0.299, 0.587, 0.114)


def luma(image: Tensor) -> Tensor:
    """BT.601 luma of (..., 3, H, W), as (..., 1, H, W)."""
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device).view(3, 1, 1)
    return (image * weights).sum(-3, keepdim=True)


def convert(pixels: Tensor, channels: int | None, name: str = "image") -> Tensor:
    """(C, H, W) with so many channels: grey repeated, or the luma of colour. ImageError for any others."""
    if channels is None or channels == len(pixels):
        return pixels
    if (len(pixels), channels) == (1, 3):
        return pixels.expand(3, -1, -1).contiguous()
    if (len(pixels), channels) == (3, 1):
        return luma(pixels)
    has = f"{len(pixels)} channel{'s' if len(pixels) > 1 else ''}"
    raise ImageError(
        f"{name}: has {has}, expected {channels}; give files of {channels}, or use a prior of {len(pixels)}, "
        f"or channels={len(pixels)} in training and benchmarks"
    )


def to_uint8(image: Tensor) -> Tensor:
    """[0, 1] -> uint8, clipped and rounded to nearest."""
    return to_integers(image)


def to_integers(image: Tensor, bits: int = 8) -> Tensor:
    """[0, 1] -> uint8 or uint16, clipped and rounded to nearest."""
    dtype = torch.uint8 if bits == 8 else torch.uint16
    return image.clamp(0, 1).mul_(torch.iinfo(dtype).max).round_().to(dtype)


def to_unit(integers: Tensor) -> Tensor:
    """uint8 or uint16 -> float32 in [0, 1]."""
    return integers.float() / torch.iinfo(integers.dtype).max


def rounded(image: Tensor, bits: int = 8) -> Tensor:
    """An image as a file of so many bits holds it: clipped and rounded, in [0, 1], of the same dtype."""
    full = 2**bits - 1
    return image.clamp(0, 1).mul_(full).round_().div_(full)

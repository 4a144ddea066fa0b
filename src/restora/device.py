"""What the machine can do."""

from __future__ import annotations

import functools

import torch

from restora.errors import OptionError


def pick(name: str = "auto") -> torch.device:
    """`auto`, `cpu` or `cuda` (`cuda:1`, ...) -> a device; OptionError where it does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise OptionError(f"unknown device {name!r}; expected auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise OptionError("device 'cuda' was asked for, but torch sees no CUDA device; use --device cpu")
    return device


@functools.cache
def fast_bfloat16(device: torch.device) -> bool:
    """Whether bf16 products are native here; on other processors they are emulated, ten times slower."""
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)

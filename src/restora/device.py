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
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise OptionError(f"unknown device {name!r}; expected auto, cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count() or "no"
        raise OptionError(
            f"device {name!r} was asked for, but torch sees {count} CUDA devices; use device='cpu'"
        )
    return device


@functools.cache
def fast_bfloat16(device: torch.device) -> bool:
    """Whether bf16 products are native here; on other processors they are emulated, ten times slower."""
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)

"""What the machine can do."""

from __future__ import annotations

import copy
import functools
from typing import TypeVar

import torch
from torch import Tensor, nn

from restora.errors import OptionError

Module = TypeVar("Module", bound=nn.Module)


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
            f"device {name!r} is not available: torch sees {count} CUDA devices; use device='cpu'"
        )
    return device


@functools.cache
def fast_bfloat16(device: torch.device) -> bool:
    """Whether bf16 products are native here; on other processors they are emulated, ten times slower."""
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def on(module: Module, device: torch.device) -> Module:
    """The module on that device: itself where it is there, else a copy."""
    there = torch.empty(0, device=device).device  # cuda is cuda:0
    parts = (
        (*part._parameters.values(), *part._buffers.values(), *vars(part).values())
        for part in module.modules()
    )
    tensors = (value for part in parts for value in part if isinstance(value, Tensor))
    return module if all(x.device == there for x in tensors) else copy.deepcopy(module).to(there)

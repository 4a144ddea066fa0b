"""Files of tensors, without what training leaves about them; nothing else in a file is unpickled."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from restora import limits
from restora.errors import WeightsError

WRAPPERS = ("params_ema", "params", "state_dict", "model", "ema", "network", "net")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their name, without what wraps them. WeightsError for one that has others."""
    try:
        limits.check_zip(path)
        if path.suffix.lower() == ".safetensors":
            return _unwrapped(load_file(path))
        return _unwrapped(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: contains more than tensors, so it was not loaded; expected a state dict. Save "
            "network.state_dict() as safetensors, where you trust the file"
        ) from error
    except Exception as error:  # readers raise anything on damaged data
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{path}: damaged, or no file of tensors ({reason})") from error


def _unwrapped(found: Any) -> dict[str, Tensor]:
    """The innermost mapping of names to tensors, under a usual name, or the only one there is."""
    while isinstance(found, Mapping):
        inner = [name for name in WRAPPERS if isinstance(found.get(name), Mapping)][:1]
        if not inner and not _has_tensors(found):
            inner = [name for name, value in found.items() if _has_tensors(value)]
        if len(inner) > 1:
            raise ValueError(f"several networks, {', '.join(map(str, inner))}; save one of them alone")
        if not inner:
            break
        found = found[inner[0]]
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"a {type(found).__name__}")
    own = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if not own:
        raise ValueError("no tensors in it")
    return own


def _has_tensors(found: Any) -> bool:
    return isinstance(found, Mapping) and any(isinstance(value, Tensor) for value in found.values())

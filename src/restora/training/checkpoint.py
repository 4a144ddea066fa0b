"""Nested state (modules, optimisers, counters) <-> one safetensors file. Nothing is ever unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from restora.errors import WeightsError
from restora.image import atomic


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state`: tensors as tensors, everything else as JSON in the header. Atomic."""
    tensors: dict[str, Tensor] = {}
    skeleton = _strip(state, "", tensors)
    with atomic(path) as part:
        save_file(tensors, part, metadata={"restora.checkpoint": json.dumps(skeleton)})


def load(path: Path) -> dict[str, Any]:
    """The state that `save` wrote; WeightsError if the file is missing, damaged or foreign."""
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("restora.checkpoint")
            if header is None:
                raise WeightsError(f"{path}: not a restora checkpoint; expected one written by 'restora train'")
            return _fill(json.loads(header), {key: file.get_tensor(key) for key in file.keys()})
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as a checkpoint ({error})") from error


def _strip(value: Any, key: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[key] = value.detach().cpu().contiguous().clone()
        return {"tensor": key}
    if isinstance(value, dict):
        return {"items": [[k, _strip(v, f"{key}/{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [_strip(v, f"{key}/{i}", tensors) for i, v in enumerate(value)]}
    return {"value": value}


def _fill(node: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    if "tensor" in node:
        return tensors[node["tensor"]]
    if "items" in node:
        return {k: _fill(v, tensors) for k, v in node["items"]}
    if "list" in node:
        return [_fill(v, tensors) for v in node["list"]]
    return node["value"]


def cpu_state(module: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu() for k, v in module.state_dict().items()}

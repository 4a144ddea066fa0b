"""Nested state (modules, optimisers, counters) <-> one safetensors file. Nothing is ever unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from restora.errors import OutputError, TrainingError, WeightsError
from restora.limits import parse
from restora.pictures.atomic import atomic

KEY = "restora.checkpoint"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state`: dicts, lists and tuples of tensors and of what JSON can hold. Atomic.

    Raises OutputError if it cannot be written; what was there before is then still there.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _strip(state, "", tensors)
    with atomic(path) as part:
        try:
            save_file(tensors, part, metadata={KEY: json.dumps(skeleton)})
        except SafetensorError as error:  # a full disk, which safetensors does not report as OSError
            raise OutputError(f"{path}: cannot be written ({error})") from error


def load(path: Path) -> dict[str, Any]:
    """The state that `save` wrote; WeightsError if the file is missing, damaged or foreign."""
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(KEY)
            if header is None:
                raise WeightsError(f"{path}: not a checkpoint; expected one written by 'restora train'")
            names = file.keys()
            return _fill(parse(header), {name: file.get_tensor(name) for name in names})
    except WeightsError:
        raise
    except Exception as error:  # whatever is wrong with it
        raise WeightsError(f"{path}: cannot be read as a checkpoint ({error})") from error


def _strip(value: Any, key: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        while key in tensors:  # {"a": {"b": ...}, "a/b": ...}
            key += "'"
        tensors[key] = value.detach().cpu().contiguous().clone()
        return {"tensor": key}
    if isinstance(value, dict):
        return {"items": [[k, _strip(v, f"{key}/{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_strip(v, f"{key}/{i}", tensors) for i, v in enumerate(value)]}
    return {"value": value}


def _fill(node: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    if "tensor" in node:
        return tensors[node["tensor"]]
    if "items" in node:
        return {k: _fill(v, tensors) for k, v in node["items"]}
    if "list" in node:
        return [_fill(v, tensors) for v in node["list"]]
    if "tuple" in node:
        return tuple(_fill(v, tensors) for v in node["tuple"])
    return node["value"]


def cpu_state(module: torch.nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu() for k, v in module.state_dict().items()}


def check_settings(now: dict[str, Any], saved: dict[str, Any]) -> None:
    """TrainingError, with the names of what differs, unless a checkpoint's settings are those of this run."""
    changed = [name for name, value in now.items() if saved.get(name) != value]
    if changed:
        raise TrainingError(
            f"the checkpoint was made with other settings ({', '.join(changed)}); "
            "resume with the same ones or choose another folder"
        )

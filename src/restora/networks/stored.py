"""Networks by their name and arguments: how a file says which network its tensors belong to."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from restora.errors import WeightsError
from restora.registry import Registry

networks: Registry[type[nn.Module]] = Registry("network", "restora.networks")


def describe(network: nn.Module) -> dict[str, Any]:
    """What `build` needs to make a network of this form. WeightsError for one that no file can hold."""
    name = networks.name_of(type(network))
    if name is None:
        raise WeightsError(
            f"a {type(network).__name__} cannot be stored; expected one of the networks "
            f"{', '.join(networks.names())}; make yours a TorchScript or ONNX file, and import that"
        )
    return {"name": name, **network.config}  # type: ignore[dict-item]


def build(config: dict[str, Any], default: str = "unet") -> nn.Module:
    """A network whose tensors have no values yet. `default`: its name, where the file has none."""
    options = {key: value for key, value in config.items() if key != "name"}
    with torch.device("meta"):  # nothing is drawn that a file is about to replace
        network = networks.get(config.get("name", default))(**options)
    return network.to_empty(device="cpu").to(memory_format=torch.channels_last)  # type: ignore[call-overload]

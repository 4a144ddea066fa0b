"""One training on several devices: a process for each, which takes its part of every batch.

Lightning Fabric starts the processes and averages the gradients; the first alone checks, writes and reports.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from restora.errors import OptionError, RestoraError


class Workers:
    """The process of a run that has no other; `launch` gives those of one that has."""

    rank, count = 0, 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def own(self, batch: Tensor) -> Tensor:
        """This process's part of a batch (B, ...)."""
        return batch[self.rank :: self.count]

    def agree(self, value: float) -> float:
        """What the first process says, for all."""
        return value

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network to compute a loss with; its gradients end up in `network`."""
        return network

    def backward(self, loss: Tensor) -> None:
        loss.backward()


ALONE = Workers()


class _Fabric(Workers):
    def __init__(self, fabric: Any):
        self.fabric, self.rank, self.count = fabric, fabric.global_rank, fabric.world_size

    def agree(self, value: float) -> float:
        return self.fabric.broadcast(value)

    def wrap(self, network: nn.Module) -> nn.Module:
        return self.fabric.setup_module(network, move_to_device=False)

    def backward(self, loss: Tensor) -> None:
        self.fabric.backward(loss)


def launch(devices: int, device: torch.device, batch: int) -> tuple[Workers, torch.device]:
    """Start `devices - 1` processes more, which run this program's command line from its start.

    Returns what this process is among them, and its device. OptionError if there are not as many devices, or
    if a batch of `batch` images cannot be shared equally.
    """
    if devices == 1:
        return ALONE, device
    _check(devices, device, batch)
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator=device.type, devices=devices, strategy="ddp")
    fabric.launch()
    return _Fabric(fabric), fabric.device


def _check(devices: int, device: torch.device, batch: int) -> None:
    if devices < 1:
        raise OptionError(f"expected a whole number of at least 1, got {devices}", "devices")
    if batch % devices:
        raise OptionError(f"expected a multiple of the {devices} devices that share it, got {batch}", "batch")
    if device != torch.device(device.type):
        raise OptionError(
            f"several devices cannot be chosen by number; expected {device.type}, got {device}", "device"
        )
    if device.type == "cuda" and devices > torch.cuda.device_count():
        raise OptionError(f"torch sees {torch.cuda.device_count()} CUDA devices, got {devices}", "devices")
    try:
        import lightning_fabric  # noqa: F401
    except ImportError as error:
        raise RestoraError("several devices need Lightning Fabric: pip install 'restora[devices]'") from error

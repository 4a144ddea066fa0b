"""What numbers and seconds depend on, beside the settings: versions, and the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy
import torch

CPUINFO = Path("/proc/cpuinfo")


def environment(device: torch.device) -> dict[str, dict[str, Any]]:
    """{"versions": ..., "machine": ...}, JSON types."""
    from restora import __version__

    machine: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
    }
    if device.type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
    versions = {"restora": __version__, "python": platform.python_version()}
    return {
        "versions": {**versions, "torch": torch.__version__, "numpy": numpy.__version__},
        "machine": machine,
    }


def processor() -> str:
    """The model of the processor, where the system tells it."""
    try:
        lines = CPUINFO.read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

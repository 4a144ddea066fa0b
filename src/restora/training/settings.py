"""What the settings of every kind of training share."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import torch

CPU = torch.device("cpu")


def option(default: Any, text: str) -> Any:
    """A field that is an option of `restora train`, with its help."""
    return field(default=default, metadata={"help": text})

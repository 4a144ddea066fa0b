"""What the settings of every kind of training share."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import torch

from restora.errors import OptionError
from restora.pictures.tiff import MAX_CHANNELS

CPU = torch.device("cpu")
CHANNELS = f"3 for colour, 1 for grey, or what the images have, up to {MAX_CHANNELS}"


def option(default: Any, text: str) -> Any:
    """A field that is an option of `restora train`, with its help."""
    return field(default=default, metadata={"help": text})


def at_least(config: Any, lows: dict[str, float]) -> None:
    """OptionError for a setting of `config` that is below its bound, or absurdly large."""
    for name, low in lows.items():
        if not low <= getattr(config, name) < 2**40:
            raise OptionError(f"{flag(name)} must be at least {low:g}, got {getattr(config, name)}")


def check_channels(channels: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise OptionError(f"--channels must be from 1 to {MAX_CHANNELS}, got {channels}")


def from_0_to_1(config: Any, *names: str) -> None:
    """OptionError for one of these settings that is not."""
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise OptionError(f"{flag(name)} must be from 0 to 1, got {getattr(config, name)}")


def flag(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"

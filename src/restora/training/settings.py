"""What the settings of every kind of training share."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restora import options
from restora.errors import OptionError
from restora.pictures.tiff import MAX_CHANNELS

CPU = torch.device("cpu")
CHANNELS = "3 for colour, 1 for grey, or what the images have"


@dataclass(frozen=True)
class Settings:
    """Base of the settings of a training: each is a field made by `restora.options.option`.

    Raises OptionError for one outside its type or range.
    """

    def __post_init__(self) -> None:
        options.check(self)


def check_channels(channels: int) -> None:
    """OptionError for a number of channels that images cannot have."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise OptionError(f"expected a whole number from 1 to {MAX_CHANNELS}, got {channels}", "channels")

"""What the settings of every kind of training share."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from restora import options
from restora.errors import DataError, OptionError
from restora.pictures.tiff import MAX_CHANNELS

CPU = torch.device("cpu")
CROP = "cut squares of that size from images of any size, at random places and scales"
CHANNELS = "3 for colour, 1 for grey, or what the images have"


@dataclass(frozen=True)
class Settings:
    """Base of the settings of a training: each is a field made by `restora.options.option`.

    Raises OptionError for one outside its type or range.
    """

    def __post_init__(self) -> None:
        options.check(self)


def check_count(found: int, least: int, held: int = 0) -> None:
    """DataError for fewer images than a batch, `least`. held: of those found, for validation."""
    kept = found - held
    if kept >= least:
        return
    remedy = "cut squares from large images with crop=True" + f", or use batch={kept}" * (kept > 1)
    apart = f", {held} held out for validation" if held else ""
    raise DataError(f"training needs at least {least} images, one batch (found {found}{apart}); {remedy}")


def check_channels(channels: int) -> None:
    """OptionError for a number of channels that images cannot have."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise OptionError(f"expected a whole number from 1 to {MAX_CHANNELS}, got {channels}", "channels")

"""What every prior has: a name, a card, the shape of its images, and a form that can be stored."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from restora.errors import ShapeError
from restora.priors import packing
from restora.priors.calibration import Calibration
from restora.priors.hub import OnHub


class Prior(nn.Module, OnHub):
    """A trained model of clean images. Inputs and outputs are images in [0, 1].

    Attributes:
        image_shape: (C, H, W) of the images that it was trained on.
        name: its name in messages.
        card: facts about its training, as stored by `restora.priors.store`.
    """

    kind: ClassVar[str]  # the name in the registry of `restora.priors`
    shipped: ClassVar[tuple[str, ...]] = ()  # those meant where none is named: the first that fits the images
    image_shape: tuple[int, int, int]  # (C, H, W)

    def __init__(self) -> None:
        super().__init__()
        self.name = "unnamed"
        self.card: dict[str, Any] = {}

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether it can restore images of this shape (C, H, W)."""
        channels, *size = self.image_shape
        known = shape[0] == channels or (shape[0] == 1 and self.grey() is not None)
        return known and (self.any_size or list(shape[1:]) == size)

    @property
    def any_size(self) -> bool:
        """Whether `sized` accepts any height and width."""
        return False

    @property
    def peak(self) -> float | None:
        """Approximately the brightest value of its images; None if unknown."""
        return None

    def calibration(self, task: str) -> Calibration | None:
        """Correction of its predicted uncertainty for a task; None if it predicts none, or was not
        calibrated."""
        return None

    def grey(self) -> Prior | None:
        """This prior for grey images with one channel; None if that is impossible."""
        return None

    def with_channels(self, count: int) -> Prior:
        """This prior for images with `count` channels: its own or 1. ShapeError for other numbers."""
        own = self.image_shape[0]
        found = self if count == own else self.grey() if count == 1 else None
        if found is None:
            raise ShapeError(f"prior {self.name!r} makes images with {own} channels, got {count}")
        return found

    def sized(self, height: int, width: int) -> Prior:
        """This prior for images of another size, with the same networks. ShapeError if its size is fixed."""
        own = self.image_shape[1:]
        if (height, width) == own:
            return self
        raise ShapeError(
            f"prior {self.name!r} makes {own[1]}x{own[0]} images only; got "
            f"{width}x{height}. Crop or scale to that size"
        )

    def pack(self) -> dict[str, Tensor]:
        """The tensors to store: by default those of `state_dict`, in half precision."""
        return packing.halves(self)

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        """Load the result of `pack`. RuntimeError or KeyError if it does not fit this prior."""
        self.load_state_dict(packing.floats(tensors))

    def config(self) -> dict[str, Any]:
        """The arguments of `from_config`, which builds this prior without its weights; JSON types only."""
        raise NotImplementedError(f"{type(self).__name__} cannot be stored")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Prior:
        raise NotImplementedError(f"{cls.__name__} cannot be loaded")

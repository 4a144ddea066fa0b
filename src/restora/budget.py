"""Networks are built as a file says, but no larger than the tensors of that file can fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from restora.limits import CALLS, GROWTH, INFLATED, BoundError


class Budget(TorchDispatchMode):
    """BoundError within, once more memory is asked for, or more tensors are made, than `tensors` account for.

    Weights are packed in a file, by up to `GROWTH`. What is made on the device `meta` takes no memory.
    """

    def __init__(self, tensors: Mapping[str, Tensor]):
        super().__init__()
        stored = {value.data_ptr(): value.untyped_storage().nbytes() for value in tensors.values()}
        self.room = INFLATED + GROWTH * sum(stored.values())
        self.calls = CALLS * (10 + len(tensors))

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        self.calls -= 1
        makes = not any(isinstance(value, Tensor) for value in args) and "device" in kwargs
        if makes:
            self._spend(func(*args, **{**kwargs, "device": "meta"}), kwargs["device"])
        found = func(*args, **kwargs)
        if not makes and isinstance(found, Tensor) and "_like" in str(func):
            self._spend(found, found.device)
        if self.calls < 0 or self.room < 0:
            raise BoundError("it describes a network that is much larger than its weights")
        return found

    def _spend(self, found: Any, device: Any) -> None:
        if isinstance(found, Tensor) and str(device or "cpu") != "meta":
            self.room -= found.numel() * found.element_size()
            if self.room < 0:
                raise BoundError("it describes a network that is much larger than its weights")

"""Stop work in the middle of it: at the next operation of torch, wherever in a solver that is.

A step of a solver may take seconds, for eight draws of a large picture or a linear solve, so that a look
between steps is not enough, and a thread cannot be killed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.overrides import TorchFunctionMode


class Stopped(BaseException):
    """Not an Exception, like KeyboardInterrupt: nothing that goes on after errors goes on after it."""


@contextmanager
def stoppable(stop: threading.Event) -> Iterator[None]:
    """Raises Stopped within, in this thread, soon after `stop` is set."""
    with _Watch(stop):
        yield


class _Watch(TorchFunctionMode):
    def __init__(self, stop: threading.Event):
        super().__init__()
        self.stop = stop

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.stop.is_set():
            raise Stopped
        return func(*args, **(kwargs or {}))

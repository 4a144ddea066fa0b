"""Work apart from the caller's: what it sets for the whole process is as before when it is done."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
import torch
from torch import nn

from restora.errors import CallError, RestoraError

PACKAGE = __name__.partition(".")[0]


@contextmanager
def untouched(dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """The random streams of torch, NumPy and Python, and torch's default dtype, which is `dtype` inside."""
    default, python, arrays = torch.get_default_dtype(), random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(default)
            random.setstate(python)
            np.random.set_state(arrays)


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """All parts of the modules evaluate: none drops values at random, or updates its statistics."""
    training = [part for module in modules for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def isolated(dtype: torch.dtype, *modules: nn.Module, gradients: bool = False) -> Iterator[None]:
    """`untouched`, `evaluating`, and no gradients, unless they are asked for and the caller keeps them."""
    kept = gradients and torch.is_grad_enabled()
    with untouched(dtype), evaluating(*modules), torch.set_grad_enabled(kept):
        yield


@contextmanager
def naming(**owners: nn.Module | None) -> Iterator[None]:
    """Whatever a user's module within the owners raises becomes a CallError that names it, the original its
    cause; what is raised elsewhere is left as it is."""
    try:
        yield
    except RestoraError:
        raise
    except Exception as error:
        name = _culprit(error.__traceback__, owners)
        if name is None:
            raise
        reason = next(iter(str(error).splitlines()), "")
        raise CallError(f"{name} raised {type(error).__name__}: {reason}") from error


def _culprit(trace: TracebackType | None, owners: dict[str, nn.Module | None]) -> str | None:
    """The first module of the trace that is not of this package, by its place in its owner."""
    known = {
        id(part): f"{owner}.{path}".rstrip(".")
        for owner, module in owners.items()
        if module is not None
        for path, part in module.named_modules()
    }
    while trace is not None:
        part = trace.tb_frame.f_locals.get("self")
        if id(part) in known and type(part).__module__.partition(".")[0] != PACKAGE:
            return f"{known[id(part)]} ({type(part).__name__})"
        if id(part) in known and type(part).__module__.startswith(f"{PACKAGE}.networks"):
            return None
        trace = trace.tb_next
    return None

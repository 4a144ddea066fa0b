"""Registered degradations by the name of the task and its options: the one way from words to a degradation.

An option is plain if it is a number or a word. The mask of inpainting is a picture; those that have a name
(`restora.degradations.holes`) have `hole` and their settings as options, and the default is the central one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, get_type_hints

import torch
from torch import Tensor

from restora.degradations import Degradation, Mask, NamedDegradation, degradations
from restora.degradations.holes import Hole
from restora.errors import OptionError
from restora.options import parse as read

AUTO = "auto"
HOLE_OPTIONS = tuple(entry.name for entry in fields(Hole))


def build(task: str, size: tuple[int, ...], options: Mapping[str, Any] | None = None) -> Degradation:
    """The task with these options, else its defaults, for images of (height, width) `size`.

    A `mask` among the options is one's own, in place of a hole. OptionError for a value that cannot be.
    """
    cls, given = degradations.get(task), dict(options or {})
    if not issubclass(cls, Mask):
        return cls(**given)
    hole = Hole.of(given)
    own = {name: value for name, value in given.items() if name not in HOLE_OPTIONS}
    return cls(**own) if "mask" in own else cls.named(hole, (size[0], size[1]), **own)


def words(text: str) -> tuple[str, dict[str, Any]]:
    """TASK or TASK:NAME=VALUE:... as the name and the options. UnknownNameError, OptionError."""
    task, *given = text.split(":")
    return task, parse(task, ",".join(given))


def seen(degradation: Degradation, size: tuple[int, ...]) -> Degradation:
    """What solvers see in its place, for some observation of images of (height, width) `size`."""
    if not degradation.blind:
        return degradation
    return degradation.given(torch.full((1, *degradation.operator.observed_shape((3, *size))), 0.5))


def options(degradation: Degradation) -> dict[str, Any]:
    """The plain options, also those left at their default."""
    hole = degradation.hole if isinstance(degradation, Mask) else None
    return _fields(degradation) | (hole.options if hole else {})


def option_fields(cls: type[NamedDegradation]) -> dict[str, tuple[Field[Any], Any]]:
    """The options of such a degradation, pictures too, and their types: those of its hole are among them, and
    what is read off the observation's file is not."""
    owners: tuple[type[Any], ...] = (cls, Hole) if issubclass(cls, Mask) else (cls,)
    return {
        entry.name: (entry, get_type_hints(owner)[entry.name])
        for owner in owners
        for entry in fields(owner)
        if entry.init and not entry.metadata.get("from_file")
    }


def parse(task: str, text: str) -> dict[str, Any]:
    """NAME=VALUE,... as options of the task; OptionError for one that it does not have."""
    known = option_fields(degradations.get(task))
    plain = {name: entry for name, entry in known.items() if entry[1] is not Tensor}
    found: dict[str, Any] = {}
    for word in filter(None, text.split(",")):
        name, equals, value = word.partition("=")
        if not equals or name not in plain:
            raise OptionError(f"{word}: expected NAME=VALUE with an option of {task}: {', '.join(plain)}")
        try:
            found[name] = read(value, *plain[name])
        except OptionError as error:
            raise OptionError(error.args[0], word) from None
    return found


def same(a: Degradation, b: Degradation) -> bool:
    """Whether both do the same to every image."""
    if type(a) is not type(b) or _fields(a) != _fields(b):
        return False
    pairs = zip(_tensors(a), _tensors(b), strict=True)
    return all(p.shape[1:] == q.shape[1:] and bool((p.cpu() == q.cpu()).all()) for p, q in pairs)


def task_name(degradation: Degradation) -> str:
    """The task that the degradation is registered as, or the name of its class."""
    return next((name for name, cls in degradations if cls is type(degradation)), type(degradation).__name__)


def describe(degradation: Degradation) -> str:
    """denoise (sigma=0.1)."""
    settings = ", ".join(f"{name}={value}" for name, value in options(degradation).items())
    return f"{task_name(degradation)} ({settings})" if settings else task_name(degradation)


def _tensors(degradation: Degradation) -> list[Tensor]:
    """All that its operator and its noise are made of."""
    found = [getattr(degradation.noise, entry.name) for entry in fields(degradation.noise)]
    return [*degradation.operator.buffers(), *(value for value in found if isinstance(value, Tensor))]


def _fields(degradation: Degradation) -> dict[str, Any]:
    entries = fields(degradation) if isinstance(degradation, NamedDegradation) else ()
    values = {entry.name: getattr(degradation, entry.name) for entry in entries}
    return {name: value for name, value in values.items() if not isinstance(value, Tensor)}

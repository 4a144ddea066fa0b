"""Registered degradations as a file or a message can hold them: the name of the task and its plain options.

An option is plain if it is a number or a word. The mask of inpainting is a picture; the one that has a name
is the central hole, `hole: center`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from torch import Tensor

from restora.degradations import Degradation, Mask, degradations
from restora.errors import OptionError


def build(task: str, size: tuple[int, ...], options: Mapping[str, Any] | None = None) -> Degradation:
    """The task with these options, else its defaults, for images of (height, width) `size`."""
    cls, given = degradations.get(task), dict(options or {})
    if not issubclass(cls, Mask):
        return cls(**given)
    if (hole := given.pop("hole", "center")) != "center":
        raise OptionError(f"hole: expected 'center', got {hole!r}")
    return cls.center((size[0], size[1]), **given)


def options(degradation: Degradation) -> dict[str, Any]:
    """The plain options, also those left at their default."""
    values = {entry.name: getattr(degradation, entry.name) for entry in fields(degradation)}
    plain = {name: value for name, value in values.items() if not isinstance(value, Tensor)}
    return plain | ({"hole": "center"} if _has_center(degradation) else {})


def parse(task: str, text: str) -> dict[str, Any]:
    """NAME=VALUE,... as options of the task; OptionError for one that it does not have."""
    cls, hints = degradations.get(task), get_type_hints(degradations.get(task))
    known = {entry.name: hints[entry.name] for entry in fields(cls) if entry.init}
    plain = {name: hint for name, hint in known.items() if hint is not Tensor}
    plain |= {"hole": str} if issubclass(cls, Mask) else {}
    found: dict[str, Any] = {}
    for word in filter(None, text.split(",")):
        name, equals, value = word.partition("=")
        if not equals or name not in plain:
            raise OptionError(f"{word}: expected NAME=VALUE with an option of {task}: {', '.join(plain)}")
        try:
            found[name] = plain[name](value) if plain[name] in (int, float) else value
        except ValueError:
            raise OptionError(f"{word}: expected a number") from None
    return found


def same(a: Degradation, b: Degradation) -> bool:
    """Whether both do the same to every image."""
    if type(a) is not type(b) or options(a) != options(b):
        return False
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(p.shape[1:] == q.shape[1:] and bool((p.cpu() == q.cpu()).all()) for p, q in pairs)


def task_name(degradation: Degradation) -> str:
    """The task that the degradation is registered as, or the name of its class."""
    return next((name for name, cls in degradations if cls is type(degradation)), type(degradation).__name__)


def describe(degradation: Degradation) -> str:
    """denoise (sigma=0.1)."""
    settings = ", ".join(f"{name}={value}" for name, value in options(degradation).items())
    return f"{task_name(degradation)} ({settings})" if settings else task_name(degradation)


def _has_center(degradation: Degradation) -> bool:
    if not isinstance(degradation, Mask):
        return False
    mask = degradation.mask.cpu()
    height, width = mask.shape[-2:]
    return bool((mask == Mask.center((height, width)).mask).all())

"""Registered degradations by the name of the task and its options: the one way from words to a degradation.

Several damages at once are tasks joined by +, in the order in which they happened: `deblur+superres+jpeg`. An
option is plain if it is a number or a word. The mask of inpainting is a picture; those that have a name
(`restora.degradations.holes`) have `hole` and their settings as options, and the default is the central one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restora.degradations import Chain, Degradation, Mask, NamedDegradation, degradations
from restora.degradations.holes import Hole
from restora.degradations.members import (
    AUTO,
    HOLE_OPTIONS,
    Options,
    join,
    members,
    own_fields,
    owners,
    shares,
)
from restora.errors import OptionError
from restora.options import parse as read
from restora.pictures.file import File

__all__ = ["AUTO", "HOLE_OPTIONS", "members"]


def build(task: str, size: tuple[int, ...], options: Mapping[str, Any] | None = None) -> Degradation:
    """The task with these options, else its defaults, for images of (height, width) `size`.

    A `mask` among the options is one's own, in place of a hole. OptionError for a value that cannot be, and
    for tasks that cannot follow each other.
    """
    names = members(task)
    parts: list[Degradation] = []
    for name, given in zip(names, shares(names, options or {}), strict=True):
        parts.append(_part(name, size, parts, given))
    return parts[0] if len(parts) == 1 else Chain(*parts)


def _part(name: str, size: tuple[int, ...], before: Sequence[Degradation], given: Options) -> Degradation:
    """A task alone, of images (height, width) `size` that have gone through those `before` it."""
    cls = degradations.get(name)
    if not issubclass(cls, Mask):
        return cls(**given)
    hole = Hole.of(given)
    own = {name: value for name, value in given.items() if name not in HOLE_OPTIONS}
    if "mask" in own:
        return cls(**own)
    shape: tuple[int, ...] = (3, size[0], size[1])
    for part in before:
        shape = part.operator.observed_shape(shape)
    return cls.named(hole, (shape[-2], shape[-1]), **own)


def unknown(task: str) -> Options:
    """What takes the place of defaults where a picture is restored."""
    return {k: v for name in members(task) for k, v in degradations.get(name).unknown.items()}


def words(text: str) -> tuple[str, Options]:
    """TASK or TASK:NAME=VALUE:..., or several of these joined by +, as the name and the options.
    UnknownNameError, OptionError."""
    task = join(part.partition(":")[0] for part in text.split("+"))
    found: Options = {}
    for name, part in zip(members(task), text.split("+"), strict=True):
        for key, value in parse(name, part.partition(":")[2].replace(":", ",")).items():
            found[owners(task, name, key)] = value
    return task, found


def seen(degradation: Degradation, size: tuple[int, ...]) -> Degradation:
    """What solvers see in its place, for some observation of images of (height, width) `size`."""
    if not degradation.blind:
        return degradation
    return degradation.given(torch.full((1, *degradation.operator.observed_shape((3, *size))), 0.5))


def options(degradation: Degradation) -> Options:
    """The plain options, also those left at their default."""
    if not isinstance(degradation, Chain):
        hole = degradation.hole if isinstance(degradation, Mask) else None
        return _fields(degradation) | (hole.options if hole else {})
    task = task_name(degradation)
    found = {
        owners(task, task_name(part), name): value
        for part in degradation.parts
        for name, value in options(part).items()
        if name != "sigma"
    }
    noise = degradation.noise
    return {**found, "sigma": AUTO if noise.blind and not noise.follows else noise.level}


def option_fields(task: str) -> dict[str, tuple[Field[Any], Any]]:
    """The options of a task, pictures too, and their types: those of its hole are among them, and what is
    read off the observation's file is not. Of several tasks, an option that more than one of them has is
    called TASK:NAME; `sigma` is that of the noise, of which there is one."""
    found: dict[str, tuple[Field[Any], Any]] = {}
    for name in members(task):
        for key, entry in own_fields(name).items():
            found.setdefault(owners(task, name, key), entry)
            if key == "sigma" and name == "denoise":
                found[key] = entry
    return found


def parse(task: str, text: str) -> Options:
    """NAME=VALUE,... as options of the task; OptionError for one that it does not have."""
    known = option_fields(task)
    plain = {name: entry for name, entry in known.items() if entry[1] is not Tensor}
    found: Options = {}
    for word in filter(None, text.split(",")):
        name, equals, value = word.partition("=")
        if not equals or name not in plain:
            raise OptionError(f"{word}: expected NAME=VALUE with an option of {task}: {', '.join(plain)}")
        found[name] = value_of(value, *plain[name], word)
    return found


def value_of(text: str, entry: Field[Any], hint: Any, said: str) -> Any:
    """What a text means for an option, `auto` too where it can be found in a picture; `said`: as it was."""
    if text == AUTO and entry.metadata.get("found"):
        return text
    try:
        return read(text, entry, hint)
    except OptionError as error:
        raise OptionError(error.args[0], said) from None


def file_options(task: str) -> list[str]:
    """The options that are paths of files."""
    return [name for name, (entry, _) in option_fields(task).items() if entry.metadata.get("file")]


def digests(task: str, given: Mapping[str, Any]) -> Options:
    """Of the files that the options name, so that a run can tell whether they have changed."""
    paths = {name: given[name] for name in file_options(task) if given.get(name)}
    return {f"{name} sha256": File(Path(path)).digest for name, path in paths.items()}


def same(a: Degradation, b: Degradation) -> bool:
    """Whether both do the same to every image."""
    if isinstance(a, Chain) and isinstance(b, Chain):
        return len(a.parts) == len(b.parts) and all(map(same, a.parts, b.parts))
    if type(a) is not type(b) or _fields(a) != _fields(b):
        return False
    pairs = zip(_tensors(a), _tensors(b), strict=True)
    return all(p.shape[1:] == q.shape[1:] and bool((p.cpu() == q.cpu()).all()) for p, q in pairs)


def task_name(degradation: Degradation) -> str:
    """The task that the degradation is registered as, or the name of its class; of a chain, of each part."""
    if isinstance(degradation, Chain):
        return "+".join(map(task_name, degradation.parts))
    return next((name for name, cls in degradations if cls is type(degradation)), type(degradation).__name__)


def describe(degradation: Degradation) -> str:
    """denoise (sigma=0.1)."""
    settings = ", ".join(f"{name}={value}" for name, value in options(degradation).items())
    return f"{task_name(degradation)} ({settings})" if settings else task_name(degradation)


def _tensors(degradation: Degradation) -> list[Tensor]:
    """All that its operator and its noise are made of."""
    found = [getattr(degradation.noise, entry.name) for entry in fields(degradation.noise)]
    return [*degradation.operator.buffers(), *(value for value in found if isinstance(value, Tensor))]


def _fields(degradation: Degradation) -> Options:
    entries = fields(degradation) if isinstance(degradation, NamedDegradation) else ()
    values = {entry.name: getattr(degradation, entry.name) for entry in entries}
    return {name: value for name, value in values.items() if not isinstance(value, Tensor)}

"""Tasks joined by +, and which option is whose.

    deblur+superres+noise+jpeg      in the order in which the damage was done

An option that one of them has is called by its name, one that several have TASK:NAME. All share `sigma`, the
noise, of which there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, fields
from typing import Any, get_type_hints

from restora.degradations import Mask, degradations
from restora.degradations.holes import Hole
from restora.errors import OptionError

Options = dict[str, Any]
AUTO = "auto"
HOLE_OPTIONS = tuple(entry.name for entry in fields(Hole))
ORDER = (
    "colorize",
    "deblur",
    "superres",
    "demosaic",
    "inpaint",
    "poisson",
    "denoise",
    "impulse",
    "dequantize",
    "jpeg",
)
"""The order in which damages happen: in front of the lens, in it, on the sensor, in the file."""
OPERATORS = ORDER[: ORDER.index("inpaint")]
DAMAGES = {"noise": "denoise", "blur": "deblur"}
"""Other names of tasks, as one names damage."""


def join(names: Iterable[str]) -> str:
    """The name of these tasks one after the other."""
    return "+".join(DAMAGES.get(name, name) for name in names)


def members(task: str) -> list[str]:
    """The names of the tasks that are joined in this one. UnknownNameError; OptionError for one that comes
    twice."""
    names = join(task.split("+")).split("+")
    for name in names:
        if not name and len(names) > 1:
            raise OptionError(f"task {task!r}: expected tasks joined by +, such as superres+jpeg")
        degradations.get(name)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise OptionError(f"task {task!r}: {twice} is given twice; expected each task once")
    _check_mask(names)
    return names


def _check_mask(names: Sequence[str]) -> None:
    """OptionError for a mask that is not of the picture as it is now."""
    if "inpaint" not in names:
        return
    later = next((name for name in names[names.index("inpaint") :] if name in OPERATORS), None)
    if later:
        raise OptionError(
            f"{later} cannot come after inpaint: the mask belongs to the damaged image. Put {later} first"
        )
    if "jpeg" in names:
        raise OptionError(
            "inpaint and jpeg cannot be one task: JPEG blocks must be complete. Remove the "
            "JPEG artefacts first, then fill what is missing"
        )


def own_fields(name: str) -> dict[str, tuple[Field[Any], Any]]:
    """The options of one task, and their types; not those that are read off a file."""
    cls = degradations.get(name)
    classes: tuple[type[Any], ...] = (cls, Hole) if issubclass(cls, Mask) else (cls,)
    return {
        entry.name: (entry, get_type_hints(owner)[entry.name])
        for owner in classes
        for entry in fields(owner)
        if entry.init and not entry.metadata.get("from_file")
    }


def owners(task: str, member: str, option: str) -> str:
    """What the option of a member is called among those of all."""
    names = members(task)
    if option == "sigma" or sum(option in _accepted(name) for name in names) < 2:
        return option
    return f"{member}:{option}"


def shares(names: Sequence[str], given: Mapping[str, Any]) -> list[Options]:
    """The options of each task. OptionError for one that none has, or that could be of several.

    The noise is that of `denoise`, where it is among them, else of the last. Its default is that of
    `denoise`, else the largest of all.
    """
    if len(names) == 1:
        return [dict(given)]
    noisy = names.index("denoise") if "denoise" in names else len(names) - 1
    found: list[Options] = [{"sigma": 0.0} if "sigma" in _accepted(name) else {} for name in names]
    own = names[noisy : noisy + 1] if "denoise" in names else names
    usual: list[Any] = [own_fields(name)["sigma"][0].default for name in own if "sigma" in own_fields(name)]
    if "sigma" in found[noisy]:
        found[noisy]["sigma"] = max(usual)
    for key, value in given.items():
        member, _, option = key.rpartition(":")
        having = [i for i, name in enumerate(names) if option in _accepted(name) and member in ("", name)]
        if option == "sigma":
            having = [noisy]
        if not having:
            raise OptionError(f"task {'+'.join(names)!r} has no such option", key)
        if len(having) > 1:
            several = " and ".join(names[i] for i in having)
            raise OptionError(f"an option of {several}; name the task: {names[having[0]]}:{option}", option)
        found[having[0]][option] = value
    return found


def _accepted(name: str) -> set[str]:
    """The names of all fields."""
    cls = degradations.get(name)
    own = {entry.name for entry in fields(cls) if entry.init}
    return own | set(HOLE_OPTIONS) if issubclass(cls, Mask) else own

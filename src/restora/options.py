"""Options: dataclass fields that are checked when an object is made, read from text, and documented.

An option has one of the types bool, int, float, str, a Literal, or a number or a word
(`float | Literal["auto"]`). Degradations, solvers and trainings all declare their options with `option`,
and check them with `check`.
"""

from __future__ import annotations

import math
import numbers
import types
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, field, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from torch import Tensor

from restora.errors import OptionError


def option(
    default: Any,
    help: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    kw_only: bool = False,
) -> Any:
    """A dataclass field that is an option.

    help: what it means, with its unit. low, high: the closed range of a number; above, below: an open one.
    """
    bounds = {"low": low, "high": high, "above": above, "below": below}
    return field(default=default, metadata={"help": help, "option": True, **bounds}, kw_only=kw_only)


def options(cls: type) -> Iterator[tuple[Field[Any], Any]]:
    """The options of a dataclass, each with its type."""
    hints = get_type_hints(cls)
    return ((entry, hints[entry.name]) for entry in fields(cls) if entry.metadata.get("option"))


def check(instance: Any, skip: Sequence[str] = ()) -> None:
    """OptionError, in one line, unless every option but those to skip has its type and its range.

    NumPy numbers and tensors of one value become Python numbers; a whole number is fit for a float.
    """
    for entry, hint in options(type(instance)):
        if entry.name in skip:
            continue
        value = plain(getattr(instance, entry.name))
        object.__setattr__(instance, entry.name, _checked(entry, hint, value))


def plain(value: Any) -> Any:
    """A NumPy number or a tensor of one value as a Python number; anything else as it is."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor) and value.ndim == 0:
        return value.item()
    if isinstance(value, numbers.Number) and hasattr(value, "item"):
        return value.item()
    return value


def words(hint: Any) -> tuple[str, ...]:
    """The words that an option of this type may be, if it may be one."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for part in _parts(hint) if get_origin(part) is Literal for word in get_args(part))


def number(hint: Any) -> type | None:
    """int or float, where an option of this type may be a number."""
    return next((part for part in _parts(hint) if part in (int, float)), None)


def parse(text: str, entry: Field[Any], hint: Any) -> Any:
    """The value that `text` means for an option. OptionError for a text that means none."""
    if text in words(hint) or hint is str:
        return text
    if hint is bool and text.lower() in ("true", "yes", "1", "false", "no", "0"):
        return text.lower() in ("true", "yes", "1")
    kind = number(hint)
    try:
        value: Any = kind(text) if kind else text
    except ValueError:
        value = text
    return _checked(entry, hint, value)


def describe(entry: Field[Any], hint: Any) -> str:
    """What an option may be: 'a whole number of at least 1', 'center or pixels'."""
    alternatives = [repr(word) for word in words(hint)]
    kind = number(hint)
    if kind is not None:
        alternatives.insert(0, f"{'a whole number' if kind is int else 'a number'}{_range(entry)}")
    if hint is bool:
        alternatives = ["True or False"]
    return " or ".join(alternatives) or "text"


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _range(entry: Field[Any]) -> str:
    bounds = entry.metadata
    if bounds["low"] > -math.inf and bounds["high"] < math.inf:
        return f" from {bounds['low']:g} to {bounds['high']:g}"
    limits = {"of at least": bounds["low"], "above": bounds["above"]}
    limits |= {"of at most": bounds["high"], "below": bounds["below"]}
    found = [f"{words} {value:g}" for words, value in limits.items() if math.isfinite(value)]
    return f" {' and '.join(found)}" if found else ""


def _checked(entry: Field[Any], hint: Any, value: Any) -> Any:
    kind, bounds = number(hint), entry.metadata
    if isinstance(value, bool):
        ok = hint is bool
    elif isinstance(value, int | float) and kind is not None:
        ok = isinstance(value, int) or (kind is float and math.isfinite(value))
        ok = ok and bounds["low"] <= value <= bounds["high"] and bounds["above"] < value < bounds["below"]
    else:
        ok = isinstance(value, str) and (hint is str or value in words(hint))
    if not ok:
        usual = f"; the default is {entry.default!r}" if entry.default is not MISSING else ""
        raise OptionError(
            f"{entry.name}: expected {describe(entry, hint)} ({bounds['help']}), got {value!r}{usual}"
        )
    return float(value) if kind is float and isinstance(value, int) and not isinstance(value, bool) else value

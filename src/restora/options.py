"""Options: dataclass fields that are checked when an object is made, read from text, and documented.

An option has one of the types bool, int, float, str, a Literal of words, or a number or a word
(`float | Literal["auto"]`). Degradations, solvers and trainings all declare their options with `option`, and
check them with `check`.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, field, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from restora.errors import OptionError

T = TypeVar("T")
Auto = Literal["auto"]
TOO_LARGE = 2**40
"""No number is as large as this, whatever its range: computations would overflow."""


def option(
    default: Any,
    help: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    kw_only: bool = False,
    found: bool = False,
    file: bool = False,
    label: str = "",
) -> Any:
    """A dataclass field that is an option.

    help: what it means, with its unit. low, high: the closed range of a number; above, below: an open one.
    label: what the page calls it; without one it is for experts there. found: whether it can be found in a
    picture, so that runs over files take `auto` for it. file: whether it is the path of a file, which nobody
    may name who should not read the machine's files.
    """
    metadata = {"help": help, "option": True, "label": label, "found": found, "file": file}
    bounds = {"low": low, "high": high, "above": above, "below": below}
    return field(default=default, metadata=metadata | bounds, kw_only=kw_only)


def options(cls: type) -> Iterator[tuple[Field[Any], Any]]:
    """The options of a dataclass, each with its type."""
    return iter(_options(cls))


def check(instance: Any, skip: Sequence[str] = ()) -> None:
    """OptionError, in one line, unless every option but those to skip has its type and its range.

    NumPy numbers and tensors of one value become Python numbers; a whole number is fit for a float.
    """
    for entry, hint in options(type(instance)):
        if entry.name in skip:
            continue
        value = plain(getattr(instance, entry.name))
        object.__setattr__(instance, entry.name, _checked(entry, hint, value))


def chosen(value: T | Auto) -> T:
    """An option that is "auto" by default, once a value has taken the place of "auto"."""
    assert value != "auto"
    return value


def plain(value: Any) -> Any:
    """A NumPy number or a tensor of no dimensions as a Python number; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def words(hint: Any) -> tuple[str, ...]:
    """The words that an option of this type may be, if it may be one."""
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


def show(value: Any) -> str:
    """A value as people would type it, for `parse` to read."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(entry: Field[Any], hint: Any) -> str:
    """What an option may be: 'a whole number of at least 1', "'center' or 'pixels'"."""
    alternatives = [repr(word) for word in words(hint)]
    kind = number(hint)
    if kind is not None:
        noun = "a whole number" if kind is int else "a number"
        alternatives.insert(0, f"{noun} {span(entry)}".rstrip())
    if hint is bool:
        alternatives = ["True or False"]
    return " or ".join(alternatives) or "text"


def span(entry: Field[Any]) -> str:
    """The range of a number: 'of at least 1', 'from 0 to 1', 'above 0 and below 1', or nothing."""
    low, high, above, below = _bounds(entry)
    if math.isfinite(low) and math.isfinite(high):
        return f"from {low:g} to {high:g}"
    limits = {"of at least": low, "above": above, "of at most": high, "below": below}
    return " and ".join(f"{text} {value:g}" for text, value in limits.items() if math.isfinite(value))


@functools.cache
def _options(cls: type) -> tuple[tuple[Field[Any], Any], ...]:
    entries = [entry for entry in fields(cls) if entry.metadata.get("option")]
    hints = get_type_hints(cls) if entries else {}
    return tuple((entry, hints[entry.name]) for entry in entries)


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _checked(entry: Field[Any], hint: Any, value: Any) -> Any:
    kind, whole = number(hint), isinstance(value, int) and not isinstance(value, bool)
    if whole or isinstance(value, float):
        fits = kind is float or (kind is int and whole)
        fits = fits and _in_range(entry, value)
    else:
        fits = hint is bool if isinstance(value, bool) else isinstance(value, str) and _is_text(hint, value)
    if not fits:
        raise OptionError(_complaint(entry, hint, value), entry.name)
    return float(value) if whole and kind is float else value


def _in_range(entry: Field[Any], value: float) -> bool:
    low, high, above, below = _bounds(entry)
    return low <= value <= high and above < value < below and abs(value) < TOO_LARGE


def _bounds(entry: Field[Any]) -> tuple[float, float, float, float]:
    """low, high, above, below."""
    limits = {"low": -math.inf, "high": math.inf, "above": -math.inf, "below": math.inf, **entry.metadata}
    return limits["low"], limits["high"], limits["above"], limits["below"]


def _is_text(hint: Any, value: str) -> bool:
    return hint is str or value in words(hint)


def _complaint(entry: Field[Any], hint: Any, value: Any) -> str:
    meaning, came = entry.metadata.get("help", "").partition(";")[0], " ".join(repr(value).split())
    if len(came) > 60:
        came = f"{came[:60]}..."
    if isinstance(value, int | float) and TOO_LARGE <= abs(value) < math.inf:
        came = f"{came}, which is too large"
    usual = f"; the default is {entry.default!r}" if entry.default is not MISSING else ""
    return f"expected {describe(entry, hint)} ({meaning}), got {came}{usual}"

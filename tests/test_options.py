"""Options: those of every solver and every training are checked, read and told in the same way."""

from __future__ import annotations

import math
import pickle
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from restora.errors import OptionError
from restora.options import (
    TOO_LARGE,
    Auto,
    check,
    chosen,
    describe,
    number,
    option,
    options,
    parse,
    show,
    span,
    words,
)
from restora.solvers import LatentMAP, Solver, solvers
from restora.training import trainings

OWNERS: dict[str, Any] = dict(solvers)
OWNERS |= {f"train {name}": training.Config for name, training in trainings}
NEEDED = {"train direct": {"task": "denoise"}}
ALL = [(owner, entry, hint) for owner, cls in OWNERS.items() for entry, hint in options(cls)]
NUMBERS = [case for case in ALL if number(case[2])]
Case = tuple[str, Field[Any], Any]


def ids(cases: list[Case]) -> list[str]:
    return [f"{owner} {entry.name}" for owner, entry, _ in cases]


each = pytest.mark.parametrize("case", ALL, ids=ids(ALL))
each_number = pytest.mark.parametrize("case", NUMBERS, ids=ids(NUMBERS))


def make(case: Case, value: Any) -> Any:
    owner, entry, _ = case
    return OWNERS[owner](**{**NEEDED.get(owner, {}), entry.name: value})


def refused(case: Case, value: Any) -> str:
    """The text of the error that such a value is; it is one line that begins with the name of the option."""
    _, entry, hint = case
    with pytest.raises(OptionError) as caught:
        make(case, value)
    text = str(caught.value)
    assert text.startswith(f"{entry.name}: expected {describe(entry, hint)} (")
    assert caught.value.name == entry.name
    assert "\n" not in text
    return text


def beyond(entry: Field[Any], hint: Any) -> list[float]:
    """Numbers just outside the range of an option."""
    bounds = entry.metadata
    step = 1 if number(hint) is int else 1e-9
    found = [bounds["low"] - step, bounds["high"] + step, bounds["above"], bounds["below"]]
    return [type(step)(value) for value in found if math.isfinite(value)]


def allowed(entry: Field[Any], hint: Any) -> st.SearchStrategy[Any]:
    """Values that an option may have."""
    found: list[st.SearchStrategy[Any]] = [st.sampled_from(words(hint))] if words(hint) else []
    bounds, kind = entry.metadata, number(hint)
    low = max(bounds["low"], bounds["above"], -TOO_LARGE + 1)
    high = min(bounds["high"], bounds["below"], TOO_LARGE - 1)
    if kind is int:
        found.append(st.integers(int(low), int(high)))
    if kind is float:
        numbers = st.floats(
            low, high, exclude_min=bounds["above"] >= low, exclude_max=bounds["below"] <= high
        )
        found.append(numbers)
    if hint is bool:
        found.append(st.booleans())
    return st.one_of(*found) if found else st.text()


@pytest.mark.parametrize("owner", OWNERS)
def test_every_setting_is_an_option_with_help_and_default(owner: str) -> None:
    cls = OWNERS[owner]
    assert [entry for entry, _ in options(cls)] == list(fields(cls))
    for entry, hint in options(cls):
        assert entry.metadata["help"]
        assert not entry.metadata["help"].endswith(".")
        assert entry.default is not MISSING
        assert number(hint) or words(hint) or hint in (bool, str)


@each
def test_a_default_is_what_it_may_be(case: Case) -> None:
    _, entry, hint = case
    assert parse(show(entry.default), entry, hint) == entry.default


@each
def test_wrong_types(case: Case) -> None:
    hint = case[2]
    wrong: list[Any] = [None, object(), [1], 1j, b"auto", torch.zeros(30), np.zeros(2), int]
    wrong += [3, 0.5] if hint is str or not number(hint) else [True, "1", np.True_]
    wrong += [1.5, torch.tensor(1.5)] if number(hint) is int else []
    for value in wrong:
        refused(case, value)


@each_number
def test_numbers_out_of_range(case: Case) -> None:
    _, entry, hint = case
    wrong: list[Any] = [
        math.nan,
        math.inf,
        -math.inf,
        np.float32("nan"),
        torch.tensor(math.inf),
        *beyond(entry, hint),
    ]
    for value in wrong:
        refused(case, value)
    for value in (TOO_LARGE, 10**400, *([float(TOO_LARGE)] if number(hint) is float else [])):
        assert math.isfinite(entry.metadata["high"]) or "which is too large" in refused(case, value)


@given(st.sampled_from([case for case in ALL if case[2] is not str]), st.text(max_size=12))
def test_wrong_words(case: Case, text: str) -> None:
    if text not in words(case[2]):
        refused(case, text)


@each
def test_numbers_of_numpy_and_torch(case: Case) -> None:
    _, entry, hint = case
    value = entry.default
    if isinstance(value, str) and number(hint):
        value = number(hint)(max(entry.metadata["low"], entry.metadata["above"] + 0.5))
    if isinstance(value, str):
        return
    for given_ in (np.asarray(value)[()], np.asarray(value), torch.tensor(value, dtype=dtype_of(value))):
        found = getattr(make(case, given_), entry.name)
        assert (type(found), found) == (type(value), value)
    if number(hint) is float:  # a whole number will do
        whole = 1 if entry.metadata["below"] > 1 else 0
        if whole > entry.metadata["above"]:
            assert type(getattr(make(case, whole), entry.name)) is float


def dtype_of(value: float) -> torch.dtype:
    return {bool: torch.bool, int: torch.int64, float: torch.float64}[type(value)]


@given(st.data())
def test_what_is_written_is_read(data: st.DataObject) -> None:
    _, entry, hint = data.draw(st.sampled_from(ALL))
    value = data.draw(allowed(entry, hint))
    found = parse(value if isinstance(value, str) else repr(value), entry, hint)
    assert (type(found), found) == (type(value), value)


@given(st.sampled_from(ALL), st.text(max_size=8))
def test_any_text_is_read_or_refused(case: Case, text: str) -> None:
    _, entry, hint = case
    try:
        value = parse(text, entry, hint)
    except OptionError:
        return
    assert parse(str(value), entry, hint) == value


def test_a_rule_that_is_not_known() -> None:
    with pytest.raises(OptionError) as caught:
        LatentMAP(optimizer="sgd")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "optimizer: expected 'adam' or 'nesterov' (optimiser), got 'sgd'; the default is 'adam'"
    )


@dataclass(frozen=True)
class Toy(Solver):
    share: float | Auto = option("auto", "part of it; auto: by the task", above=0, below=1)
    count: int = option(2, "how many", 1, 9)
    weight: float = option(1, "how much", 0)
    shift: float = option(0.0, "pixels", above=-2, high=2)
    kind: Literal["box", "round"] = option("box", "its form")
    loud: bool = option(False, "whether it is heard")
    name: str = option("", "what it is called")


def test_what_an_option_may_be_in_words() -> None:
    assert {entry.name: describe(entry, hint) for entry, hint in options(Toy)} == {
        "share": "a number above 0 and below 1 or 'auto'",
        "count": "a whole number from 1 to 9",
        "weight": "a number of at least 0",
        "shift": "a number above -2 and of at most 2",
        "kind": "'box' or 'round'",
        "loud": "True or False",
        "name": "text",
    }
    assert [span(entry) for entry, _ in options(Toy)][-3:] == ["", "", ""]


def test_options_are_checked_when_an_object_is_made() -> None:
    toy = Toy(0.5, weight=np.int64(3), loud=torch.tensor(True), count=np.uint8(9), kind=np.str_("round"))  # type: ignore[arg-type]
    assert (toy.weight, toy.loud, toy.count, toy.kind) == (3.0, True, 9, "round")
    assert [type(value) for value in (toy.weight, toy.loud, toy.count)] == [float, bool, int]
    with pytest.raises(
        OptionError, match=r"^share: expected a number .* or 'auto' \(part of it\), got 'most'"
    ):
        Toy("most")  # type: ignore[arg-type]
    with pytest.raises(
        OptionError, match=r"^weight: .*got tensor\(\[0\., 0\., .{0,60}\.\.\.; the default is 1"
    ):
        Toy(weight=torch.zeros(99))  # type: ignore[arg-type]


def test_an_option_that_is_skipped() -> None:
    toy = Toy()
    object.__setattr__(toy, "count", torch.zeros(3))
    check(toy, skip=("count",))
    with pytest.raises(OptionError, match=r"^count: "):
        check(toy)


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("True", True), ("0", False), ("no", False)])
def test_yes_and_no(text: str, value: bool) -> None:
    entry, hint = next(case for case in options(Toy) if case[0].name == "loud")
    assert parse(text, entry, hint) is value


def test_what_is_chosen() -> None:
    assert chosen(Toy(0.25).share) == 0.25
    with pytest.raises(AssertionError):
        chosen(Toy().share)


def test_an_error_keeps_its_name_between_processes() -> None:
    error = OptionError("expected less", "weight")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.name, copy.problem) == ("weight: expected less", "weight", "expected less")
    assert str(pickle.loads(pickle.dumps(OptionError("no")))) == "no"

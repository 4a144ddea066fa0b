"""restora.runs.record: JSON entry by entry is the JSON that json writes and reads."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restora.runs import record
from restora.runs.ledger import Ledger, stem_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HEADS = st.dictionaries(st.text().filter(lambda name: name != "files"), VALUES, max_size=3)
NAMES = st.text(st.characters(exclude_categories=()))
ENTRIES = st.dictionaries(NAMES, st.dictionaries(st.text().filter(lambda name: name != "outputs"), VALUES))


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, key, value in record.read(io.StringIO(text)):
        if key is None:
            found[name] = value
        else:
            found[name][key] = value
    return found


@given(HEADS, ENTRIES, st.sampled_from([1, 3, 2**16]))
def test_what_json_writes(head: dict[str, Any], entries: dict[str, Any], chunk: int) -> None:
    whole = {**head, "files": entries}
    file = io.StringIO()
    record.write(file, head, entries.items())
    assert file.getvalue() == json.dumps(whole, indent=1) + "\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "CHUNK", chunk)
        assert read(file.getvalue()) == read(json.dumps(whole)) == whole


@given(st.text() | VALUES.map(json.dumps) | ENTRIES.map(lambda e: json.dumps({"files": e})[:-2]))
def test_anything_else_is_one_of_the_errors(text: str) -> None:
    try:
        whole = json.loads(text)
        valid = isinstance(whole, dict)
    except ValueError:
        valid = False
    if not valid:
        with pytest.raises(record.ERRORS):
            read(text)


@pytest.mark.parametrize("text", ["", "[1]", '{"files": [1]}', '{"files": {"a": 1}}', "{} {}", "{1: 2}",
    '{"files": {"a": {"outputs": 1}}}', "[" * 100000, '{"a": ' + "[" * 100000])  # fmt: skip
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(record.ERRORS):
        read(text)


@given(
    st.dictionaries(NAMES.filter(lambda name: "\0" not in name), st.lists(st.text(min_size=1)), max_size=5)
)
def test_a_ledger_has_what_was_put(files: dict[str, list[str]]) -> None:
    ledger = Ledger()
    for _ in range(2):
        for key, outputs in files.items():
            ledger.put(key, {"status": "done", "outputs": outputs})
    assert dict(ledger) == {key: {"status": "done", "outputs": outputs} for key, outputs in files.items()}
    assert [key for key, _ in ledger] == sorted(files, key=lambda key: key.encode("utf-8", "surrogatepass"))
    for key, outputs in files.items():
        for name in outputs:
            assert key in ledger.owners(stem_of(name))
        ledger.drop(key)
        assert ledger.get(key) is None
    assert dict(ledger) == {}

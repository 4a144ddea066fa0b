from __future__ import annotations

import pytest

from restora.errors import UnknownNameError
from restora.registry import Registry


@pytest.fixture
def shapes() -> Registry[type]:
    table: Registry[type] = Registry("shape")
    table.register("integer", int)
    table.register("float", float)
    return table


def test_get_gives_what_was_registered(shapes):
    assert shapes.get("integer") is int
    assert shapes.get("float") is float


def test_names_and_entries_come_in_order_of_registration(shapes):
    assert shapes.names() == ["integer", "float"]
    assert list(shapes) == [("integer", int), ("float", float)]


def test_a_name_is_taken_once(shapes):
    with pytest.raises(ValueError, match="shape 'float' is already registered"):
        shapes.register("float", complex)
    assert shapes.get("float") is float


def test_registries_are_apart(shapes):
    assert Registry("other").names() == []


def test_unknown_name(shapes):
    with pytest.raises(UnknownNameError) as caught:
        shapes.get("flaot")
    assert str(caught.value) == "unknown shape 'flaot'. Did you mean 'float'? Known: integer, float."

from __future__ import annotations

import inspect
import pickle

import pytest

from restora import errors
from restora.errors import RestoraError, UnknownNameError

TREE = [
    c
    for _, c in inspect.getmembers(errors, inspect.isclass)
    if c.__module__ == errors.__name__ and not issubclass(c, Warning)
]


@pytest.mark.parametrize("kind", TREE)
def test_one_base_catches_all(kind):
    assert issubclass(kind, RestoraError)
    assert kind.__doc__


def test_the_nearest_names_are_suggested():
    text = str(UnknownNameError("task", "superes", ["inpaint", "superres", "denoise"]))
    assert text == "unknown task 'superes'. Did you mean 'superres'? Known: inpaint, superres, denoise."


def test_nothing_is_suggested_where_nothing_is_near():
    text = str(UnknownNameError("task", "xyz", ["inpaint", "denoise"]))
    assert text == "unknown task 'xyz'. Known: inpaint, denoise."


def test_nothing_known():
    assert str(UnknownNameError("prior", "faces", [])) == "unknown prior 'faces'. Known: none."


@pytest.mark.parametrize("error", [RestoraError("a line"), UnknownNameError("task", "x", iter(["y", "z"]))])
def test_errors_cross_process_boundaries(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)

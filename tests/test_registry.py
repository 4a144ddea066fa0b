from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from restora import AdditiveNoise, restore
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


GOOD = """
from dataclasses import dataclass

from restora.solvers.classical import Reference


@dataclass(frozen=True)
class Twice(Reference):
    def image(self, y, degradation):
        return 2 * y
"""


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that names three methods: one good, one of a taken name, one broken."""
    (tmp_path / "others.py").write_text(GOOD)
    (tmp_path / "broken_others.py").write_text("raise ImportError('no such library')\n")
    folder = tmp_path / "others-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    lines = ["[restora.tests]", "twice = others:Twice", "tv = others:Twice", "bad = broken_others:X"]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("another_package")
def test_another_package_adds_to_it_by_entry_points() -> None:
    registry: Registry[type] = Registry("method", "restora.tests")
    registry.register("tv", int)
    with pytest.warns(UserWarning, match="of others is left out") as caught:
        assert sorted(registry.names()) == ["tv", "twice"]
    texts = sorted(str(warning.message) for warning in caught)
    assert texts == [
        "method 'bad' of others is left out: no such library",
        "method 'tv' of others is left out: method 'tv' is already registered",
    ]
    assert registry.get("tv") is int
    y = torch.rand(1, 3, 4, 4)
    result = restore(y / 2, AdditiveNoise(0.1), method=registry.get("twice")())
    torch.testing.assert_close(result.image, y)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("operators", "operators"),
        ("noise", "noises"),
        ("degradations", "degradations"),
        ("priors", "priors"),
        ("solvers", "solvers"),
        ("training", "trainings"),
    ],
)
def test_every_room_reads_its_group(module: str, name: str) -> None:
    """In a process of its own, since a registry asks once."""
    code = (
        "import importlib.metadata as m, restora.registry as r\n"
        "asked = []\n"
        "r.entry_points = lambda group: asked.append(group) or ()\n"
        f"from restora.{module} import {name}\n"
        f"{name}.names()\n"
        f"assert 'restora.{name}' in asked, asked\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

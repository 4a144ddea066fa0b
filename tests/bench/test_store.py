"""restora.bench.store: what a killed run leaves, and what another run may add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from restora.bench.store import CellFile, Store, differences, number
from restora.errors import OutputError

SETTINGS = {"seed": 0, "machine": {"threads": 2}}
CELL = {"method": "map", "settings": {"rate": 0.2}}


def batch(place: int, value: float = 1.0) -> dict[str, Any]:
    return {"batch": place, "peak_memory": None, "images": [{"name": f"n{place}", "psnr": value}]}


def open_cell(folder: Path, overwrite: bool = False) -> CellFile:
    return Store(folder, SETTINGS, overwrite).cell("denoise", "map", CELL)


def test_batches_are_kept(tmp_path: Path) -> None:
    cell = open_cell(tmp_path)
    cell.append(batch(0))
    cell.append(batch(1))
    assert open_cell(tmp_path).batches == {0: batch(0), 1: batch(1)}


@pytest.mark.parametrize("left", [1, 20, -1])
def test_a_half_written_line_is_ignored_and_the_next_is_not_lost(tmp_path: Path, left: int) -> None:
    cell = open_cell(tmp_path)
    cell.append(batch(0))
    start = cell.path.stat().st_size
    cell.append(batch(1))
    data = cell.path.read_bytes()
    cell.path.write_bytes(data[: start + left] if left > 0 else data[:-1])
    again = open_cell(tmp_path)
    assert set(again.batches) == ({0} if left > 0 else {0, 1})
    again.append(batch(2))
    assert {0, 2} <= set(open_cell(tmp_path).batches)


def test_half_of_the_first_line(tmp_path: Path) -> None:
    cell = open_cell(tmp_path)
    cell.path.parent.mkdir(parents=True)
    cell.path.write_text('{"settings": {"met')
    cell = open_cell(tmp_path)
    cell.append(batch(0))
    assert open_cell(tmp_path).batches == {0: batch(0)}


def test_a_batch_that_was_done_again(tmp_path: Path) -> None:
    cell = open_cell(tmp_path)
    cell.append(batch(0, 1.0))
    cell.append(batch(0, 2.0))
    assert open_cell(tmp_path).batches == {0: batch(0, 2.0)}


def test_other_settings_are_refused_and_overwrite_starts_anew(tmp_path: Path) -> None:
    open_cell(tmp_path).append(batch(0))
    changed = {"seed": 1, "machine": {"threads": 2}}
    with pytest.raises(OutputError, match=r"other settings \(seed: 0 there, 1 now\); choose another folder"):
        Store(tmp_path, changed)
    with pytest.raises(OutputError, match="machine threads: 2 there, 4 now"):
        Store(tmp_path, {"seed": 0, "machine": {"threads": 4}})
    store = Store(tmp_path, changed, overwrite=True)
    assert store.cell("denoise", "map", CELL).batches == {}


def test_other_settings_of_a_cell_are_refused(tmp_path: Path) -> None:
    open_cell(tmp_path).append(batch(0))
    store = Store(tmp_path, SETTINGS)
    with pytest.raises(
        OutputError, match=r"map.jsonl was made with other settings \(settings rate: 0.2 there"
    ):
        store.cell("denoise", "map", {"method": "map", "settings": {"rate": 0.3}})
    assert store.cell("denoise", "lmmse", CELL).batches == {}
    assert open_cell(tmp_path, overwrite=True).batches == {}


def test_foreign_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "table.md").write_text("mine")
    with pytest.raises(OutputError, match="not of a benchmark"):
        Store(tmp_path, SETTINGS)
    assert (tmp_path / "table.md").read_text() == "mine"
    Store(tmp_path, SETTINGS, overwrite=True)
    assert not (tmp_path / "table.md").exists()


def test_damaged_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(OutputError, match=r"settings.json: cannot be read \(not as restora writes it\)"):
        Store(tmp_path, SETTINGS)


def test_infinity_survives_json() -> None:
    assert float(number(float("inf"))) == float("inf")
    assert number(1.5) == 1.5
    assert differences({"a": {"b": 1}}, {"a": {"b": 1}}) == []

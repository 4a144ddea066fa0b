"""The folder of a benchmark: what is done is kept, also when the run is killed in the middle of a line.

DIR/settings.json              what holds for every cell: protocol, images, seed, versions, machine
DIR/cells/TASK/METHOD.jsonl    the settings of the cell, then a line a batch
DIR/restored/TASK/METHOD/NAME.png, or .tif for channels that no PNG has
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from restora.errors import OutputError
from restora.limits import parse, read_text
from restora.pictures import image
from restora.pictures.atomic import atomic
from restora.runs.items import make_folder

SETTINGS, CELLS, RESTORED = "settings.json", "cells", "restored"
RESULTS = ("results.json", "table.md", "table.csv", "figure.png", "scatter.png")


class Store:
    """The folder of a benchmark with its settings. Other settings are refused, or replace the results with
    `overwrite`."""

    def __init__(self, folder: Path, settings: dict[str, Any], overwrite: bool = False):
        self.folder, self.settings, self.overwrite = folder, plain(settings), overwrite
        make_folder(folder)
        earlier = _read_json(folder / SETTINGS)
        foreign = earlier is None and any((folder / name).exists() for name in (*RESULTS, CELLS, RESTORED))
        changed = [] if earlier is None else differences(earlier, self.settings)
        if changed and not overwrite:
            raise OutputError(
                f"{folder} holds a benchmark with other settings ({'; '.join(changed)}); "
                "choose another folder, or add overwrite=True"
            )
        if foreign and not overwrite:
            raise OutputError(
                f"{folder} holds files that are not of a benchmark; choose another folder, "
                "or add overwrite=True"
            )
        if changed or foreign:
            self._empty()
        self.write_text(SETTINGS, json.dumps(self.settings, indent=1) + "\n")

    def cell(self, task: str, label: str, settings: dict[str, Any]) -> CellFile:
        """The file of a cell; OutputError where it was made with other settings of its task or method."""
        return CellFile(self.folder, task, label, plain(settings), self.overwrite)

    def write_text(self, name: str, text: str) -> Path:
        with atomic(self.folder / name) as part:
            part.write_text(text, encoding="utf-8")
        return self.folder / name

    def _empty(self) -> None:
        try:
            for name in filter(lambda name: (self.folder / name).exists(), (CELLS, RESTORED)):
                shutil.rmtree(self.folder / name)
            for name in RESULTS:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be emptied ({error.strerror or error})") from error


class CellFile:
    """The finished batches of one cell, by number; a later line of a batch replaces an earlier one."""

    def __init__(self, folder: Path, task: str, label: str, settings: dict[str, Any], overwrite: bool):
        task, name = _file_name(task), _file_name(label)
        self.path = folder / CELLS / task / f"{name}.jsonl"
        self.pictures = folder / RESTORED / task / name
        self.settings = settings
        self.batches: dict[int, dict[str, Any]] = {}
        if overwrite:
            self.path.unlink(missing_ok=True)
        self._read()

    def _read(self) -> None:
        text = _read_text(self.path)
        lines = [line for line in map(_parse, text.splitlines()) if line is not None]
        # A line that an earlier run could not finish is closed, so that it spoils no other.
        self._head = "\n" if text and not text.endswith("\n") else ""
        if not lines:
            self._head += json.dumps({"settings": self.settings}) + "\n"
            return
        changed = differences(lines[0].get("settings", {}), self.settings)
        if changed:
            raise OutputError(
                f"{self.path} was made with other settings ({'; '.join(changed)}); "
                "choose another folder, or add overwrite=True"
            )
        self.batches = {line["batch"]: line for line in lines[1:] if "batch" in line}

    def keep(self, batches: Sequence[Sequence[str]]) -> None:
        """Forget the batches that are not of these images, in their order."""
        wanted = dict(enumerate(batches))
        names = {place: [row["name"] for row in batch["images"]] for place, batch in self.batches.items()}
        self.batches = {place: b for place, b in self.batches.items() if names[place] == wanted.get(place)}

    def append(self, batch: dict[str, Any]) -> None:
        """Keep a batch: in one line, on the disk when this returns."""
        line = json.dumps(batch)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{self._head}{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error
        self._head, self.batches[batch["batch"]] = "", json.loads(line)

    def write_picture(self, name: str, pixels: Tensor, bits: int = 8) -> None:
        image.write(self.pictures / f"{name}{image.result_suffix(len(pixels))}", pixels, bits)

    def read_picture(self, name: str) -> Tensor:
        places = [self.pictures / f"{name}{image.result_suffix(channels)}" for channels in (2, 3)]
        place = places[0] if places[0].exists() else places[1]
        return image.read(place, max_pixels=math.inf).pixels


def _file_name(text: str) -> str:
    """Without what Windows has in no name."""
    return re.sub(r'[<>:"/\\|?*]', "_", text)


def number(value: float) -> float | str:
    """For JSON, which has no infinity; `float` turns it back."""
    return value if math.isfinite(value) else str(value)


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back."""
    return json.loads(json.dumps(settings))


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One phrase for each setting that is not the same; of those in groups, too. Images have a digest, so
    their names are left out."""
    old, new = _flat(old), _flat(new)
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k) and k != "names"]
    return [f"{k}: {_short(old.get(k, 'not set'))} there, {_short(new.get(k, 'not set'))} now" for k in keys]


def _flat(settings: dict[str, Any], head: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{head}{key} ") if isinstance(value, dict) else {f"{head}{key}": value}
    return flat


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = parse(read_text(path))
        if isinstance(content, dict):
            return content
        reason: object = "not as restora writes it"
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not as restora writes it"
    raise OutputError(f"{path}: cannot be read ({reason}); remove it or use another folder")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _parse(line: str) -> dict[str, Any] | None:
    """The settings of a cell, or a batch; None for a line that is neither, such as an unfinished one."""
    try:
        content = parse(line)
        is_batch = isinstance(content.get("batch"), int) and all("name" in row for row in content["images"])
        return content if is_batch or isinstance(content.get("settings"), dict) else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None

"""Many files: which inputs there are, what was done with each, and the manifest that says so."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch

from restora.errors import ImageError, OutputError
from restora.image import SUFFIXES, atomic
from restora.random import seed_of

MANIFEST = "restora.json"


@dataclass
class Item:
    """One input file, where its result goes, and what became of it: `status` done, failed or kept."""

    path: Path
    output: Path
    seed: int
    status: str = "waiting"
    facts: dict[str, Any] = field(default_factory=dict)

    def fail(self, error: Exception) -> None:
        self.status, self.facts = "failed", {"error": " ".join(str(error).split())}

    def done(self, **facts: Any) -> None:
        self.status, self.facts = "done", facts


def collect(inputs: Sequence[Path], output: Path, seed: int) -> list[Item]:
    """The files named by files, folders and globs, in name order, each with its output `output`/STEM.png.

    Raises ImageError for an input that is missing or a folder without pictures, and OutputError where two
    files would be written to one place, or a file would be overwritten by its own result.
    """
    paths: list[Path] = []
    for source in inputs:
        paths += _expand(source)
    items: dict[Path, Item] = {}
    for path in dict.fromkeys(paths):
        target = output / f"{path.stem}.png"
        if target in items:
            raise OutputError(
                f"{items[target].path} and {path} would both be written to {target}; "
                "rename one, or use two output folders"
            )
        if target.exists() and target.samefile(path):
            raise OutputError(f"{path}: its result would overwrite it; choose another output folder")
        items[target] = Item(path, target, seed_of(path.stem, seed))
    return list(items.values())


def _expand(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted(p for p in source.iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            raise ImageError(f"{source}: no picture in this folder; expected {', '.join(SUFFIXES)}")
        return found
    if source.exists():
        return [source]
    found = sorted(map(Path, glob.glob(str(source), recursive=True)))
    if not found:
        raise ImageError(f"{source}: no such file or folder, and no file matches it as a pattern")
    return [path for match in found for path in (_expand(match) if match.is_dir() else [match])]


class Manifest:
    """`DIR/restora.json`: settings, versions, and for each input its status, outputs, seconds, residual.

    A second run with the same settings keeps what is done and still there; other settings are refused,
    so that one folder never holds a mixture, unless `overwrite`.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], overwrite: bool = False):
        self.path, self.settings = folder / MANIFEST, json.loads(json.dumps(settings))
        self.files: dict[str, Any] = {}
        earlier = self._read()
        if earlier is not None and not overwrite:
            changed = _differences(earlier.get("settings", {}), self.settings)
            if changed:
                raise OutputError(
                    f"{folder} holds results made with other settings ({'; '.join(changed)}); "
                    "choose another folder, or add --overwrite"
                )
            self.files = earlier.get("files", {})
        self.save()

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise OutputError(f"{self.path}: cannot be read ({error}); remove it or use another folder") from error

    def keep_done(self, items: Sequence[Item]) -> list[Item]:
        """Mark what an earlier run finished as kept; return what is left to do."""
        for item in items:
            entry = self.files.get(str(item.path), {})
            outputs = [self.path.parent / name for name in entry.get("outputs", [])]
            same = entry.get("sha256") == digest(item.path) and all(map(Path.exists, outputs))
            if entry.get("status") == "done" and same:
                item.status, item.facts = "kept", entry
        return [item for item in items if item.status == "waiting"]

    def record(self, items: Sequence[Item]) -> None:
        """Enter finished items, and write the file: a run that is killed loses at most one batch."""
        for item in items:
            entry = {"status": item.status, "seed": item.seed, **item.facts}
            if item.status == "done":
                entry["sha256"] = digest(item.path)
            self.files[str(item.path)] = entry
        self.save()

    def content(self) -> dict[str, Any]:
        versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__}
        return {
            "restora": _version(),
            "settings": self.settings,
            "versions": versions,
            "machine": {"processor": platform.machine(), "threads": torch.get_num_threads(), "cores": os.cpu_count()},
            "files": self.files,
        }

    def save(self) -> None:
        text = json.dumps(self.content(), indent=1)
        with atomic(self.path) as part:
            part.write_text(text + "\n")


def digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _version() -> str:
    from restora import __version__

    return __version__


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    return [f"{k}: {old.get(k, 'not set')} there, {new.get(k, 'not set')} now" for k in keys]

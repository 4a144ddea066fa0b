"""The manifest of an output folder: what was done, with which settings, and what need not be done again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import torch

from restora.errors import OutputError
from restora.pictures.atomic import atomic
from restora.runs.items import MANIFEST, Item, make_folder


class Manifest:
    """`DIR/restora.json`: settings, versions, and for each input its status, outputs, seconds, residual.

    A second run with the same settings keeps what is done and still there. Without `overwrite`, other
    settings are refused, so that one folder never holds a mixture, and so is any file in the folder that
    is not an earlier result of the same input.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], overwrite: bool = False):
        self.path, self.settings, self.overwrite = (
            folder / MANIFEST,
            json.loads(json.dumps(settings)),
            overwrite,
        )
        self.files: dict[str, dict[str, Any]] = {}
        self.error: OutputError | None = None
        make_folder(folder)
        earlier = self._read()
        changed = _differences(earlier.get("settings", self.settings), self.settings)
        if not changed:
            self.files = earlier.get("files", {})
        elif not overwrite and any(entry.get("status") == "done" for entry in earlier["files"].values()):
            raise OutputError(
                f"{folder} holds results made with other settings ({'; '.join(changed)}); "
                "choose another folder, or add --overwrite"
            )

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if all(isinstance(entry, dict) for entry in (content["settings"], *content["files"].values())):
                return content
            reason: object = "not as restora writes it"
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or "not as restora writes it"
        raise OutputError(f"{self.path}: cannot be read ({reason}); remove it or use another folder")

    def todo(self, items: Sequence[Item]) -> list[Item]:
        """Mark what an earlier run finished as kept; enter and return what is left to do."""
        known = {Path(key).stem: key for key in self.files}
        for item in items:
            key = known.get(item.path.stem)
            entry = self.files.get(key or "", {})
            if not self.overwrite:
                if _is_done(item, entry):
                    item.status, item.facts = "kept", entry
                elif key != str(item.path):
                    self._refuse_foreign(item, key)
            self.files.pop(key or "", None)
            self.files[str(item.path)] = entry if item.status == "kept" else {"status": "waiting"}
        self._save()
        return [item for item in items if item.status == "waiting"]

    def _refuse_foreign(self, item: Item, owner: str | None) -> None:
        for target in filter(Path.exists, item.outputs):
            what = f"the result of {owner}" if owner else "not a result of restora"
            raise OutputError(
                f"{target} exists already and is {what}; choose another folder, or add --overwrite"
            )

    def record(self, items: Sequence[Item]) -> None:
        """Enter finished items, and write the file: a run that is killed loses at most one batch.

        Where it cannot be written, `error` says so, and the run goes on.
        """
        for item in items:
            entry = {"status": item.status, "seed": item.seed, **item.facts}
            entry |= {"notes": item.notes} if item.notes else {}
            if item.status == "done":
                entry |= {name: str(file.path) for name, file in item.partners.items()} | item.digests()
            self.files[str(item.path)] = entry
        try:
            self._save()
            self.error = None
        except OutputError as error:
            self.error = error

    def content(self) -> dict[str, Any]:
        versions = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        }
        return {
            "restora": _version(),
            "settings": self.settings,
            "versions": versions,
            "machine": {
                "processor": platform.machine(),
                "threads": torch.get_num_threads(),
                "cores": os.cpu_count(),
            },
            "files": self.files,
        }

    def _save(self) -> None:
        text = json.dumps(self.content(), indent=1)
        with atomic(self.path) as part:
            part.write_text(text + "\n", encoding="utf-8")


def _is_done(item: Item, entry: dict[str, Any]) -> bool:
    """Whether `entry` is of the same input, and all that is wanted of it is there."""
    wanted = {path.name for path in item.outputs}
    return (
        entry.get("status") == "done"
        and wanted <= set(entry.get("outputs", []))
        and all(map(Path.exists, item.outputs))
        and all(entry.get(name) == value for name, value in item.digests().items())
    )


def _version() -> str:
    from restora import __version__

    return __version__


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    old, new = _flat(old), _flat(new)
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    return [f"{k}: {old.get(k, 'not set')} there, {new.get(k, 'not set')} now" for k in keys]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Groups of settings, such as those of the method, taken apart."""
    nested = {k: v for group in settings.values() if isinstance(group, dict) for k, v in group.items()}
    return {k: v for k, v in settings.items() if not isinstance(v, dict)} | nested

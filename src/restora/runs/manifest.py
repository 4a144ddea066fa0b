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
from restora.limits import parse, read_text
from restora.pictures.atomic import atomic
from restora.runs.inputs import MANIFEST
from restora.runs.items import Item, make_folder, names_file


class Manifest:
    """`DIR/restora.json`: settings, versions, and for each input its status, outputs, seconds, residual.

    A second run with the same settings keeps what is done and still there. Without `overwrite`, other
    settings are refused, so that one folder never holds a mixture, and so is any file in the folder that
    is not an earlier result of the same input.

    An `output` that is a file (`names_file`) has no manifest beside it: nothing but the results is written,
    and files that exist are refused without `overwrite`.
    """

    def __init__(self, output: Path, settings: dict[str, Any], overwrite: bool = False):
        self.output, self.path = output, None if names_file(output) else output / MANIFEST
        self.settings, self.overwrite = json.loads(json.dumps(settings)), overwrite
        self.files: dict[str, dict[str, Any]] = {}
        self.error: OutputError | None = None
        make_folder(output if self.path else output.parent)
        if self.path:
            self._take_up(self._read(self.path))

    def _take_up(self, earlier: dict[str, Any]) -> None:
        """Remember what an earlier run did, with the same settings."""
        changed = _differences(earlier.get("settings", self.settings), self.settings)
        if not changed:
            self.files = earlier.get("files", {})
        elif not self.overwrite and any(entry.get("status") == "done" for entry in earlier["files"].values()):
            raise OutputError(
                f"{self.output} holds results made with other settings ({'; '.join(changed)}); "
                "choose another folder, or add overwrite=True"
            )

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            content = parse(read_text(path))
            names = [name for entry in content["files"].values() for name in entry.get("outputs", [])]
            if isinstance(content["settings"], dict) and all(isinstance(name, str) for name in names):
                return content
            reason: object = "not as restora writes it"
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or "not as restora writes it"
        raise OutputError(f"{path}: cannot be read ({reason}); remove it or use another folder")

    def todo(self, items: Sequence[Item]) -> list[Item]:
        """Mark what an earlier run finished as kept; enter and return what is left to do."""
        owners = {name: key for key, entry in self.files.items() for name in entry.get("outputs", [])}
        paths = {Path(key).resolve(): key for key in self.files}
        for item in items:
            key = owners.get(item.names(item.pictures[0])[0]) or paths.get(item.path.resolve())
            entry = self.files.get(key or "", {})
            if not self.overwrite:
                if _is_done(item, entry):
                    item.status, item.facts = "kept", entry
                else:
                    self._refuse_foreign(item, owners, begun=paths.get(item.path.resolve()))
            self.files.pop(key or "", None)
            self.files[str(item.path)] = entry if item.status == "kept" else {"status": "waiting"}
        self._save()
        return [item for item in items if item.status == "waiting"]

    def _refuse_foreign(self, item: Item, owners: dict[str, str], begun: str | None) -> None:
        """OutputError for a file that is in the way of a result, but for one of a run that was killed.
        `begun`: the item's own entry."""
        killed = begun is not None and self.files[begun].get("status") != "done"
        for target, name in zip(item.outputs, item.names(*item.outputs), strict=True):
            owner = owners.get(name)
            if not target.exists() or (owner == begun if owner else killed):
                continue
            what = f"the result of {owner}" if owner else "not a result of restora"
            known = f" and is {what}; choose another folder" if self.path else "; choose another name"
            raise OutputError(f"{target} exists already{known}, or add overwrite=True")

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
        if self.path is None:
            return
        text = json.dumps(self.content(), indent=1)
        with atomic(self.path) as part:
            part.write_text(text + "\n", encoding="utf-8")


def _is_done(item: Item, entry: dict[str, Any]) -> bool:
    """Whether `entry` is of the same input, and all that is wanted of it is there."""
    wanted = set(item.names(*item.outputs))
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

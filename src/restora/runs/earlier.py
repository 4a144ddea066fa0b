"""What earlier runs did in an output folder, and what others do: from its manifest, and from journals."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from restora import limits
from restora.errors import OutputError
from restora.runs import journal, record
from restora.runs.inputs import MANIFEST
from restora.runs.ledger import Ledger


def take_up(output: Path, ledger: Ledger, settings: dict[str, Any]) -> list[str]:
    """Enter what all runs have done so far. Returns how their settings differ from these."""
    changed: list[str] = []
    known = load(output / MANIFEST, ledger)
    if known is not None:
        changed = _differences(known, settings)
    for path in journal.journals(output):
        with contextlib.suppress(OSError):
            own, lines = journal.read(path)
            ledger.update(lines)
            changed = changed or _differences(settings if own is None else own, settings)
    return changed


def again(output: Path, ended: Sequence[Path], settings: dict[str, Any]) -> Ledger | None:
    """The manifest as it is now, and the journals that ended runs have left; None where it is gone, or has
    other settings now."""
    ledger = Ledger()
    if load(output / MANIFEST, ledger) != settings:
        return None
    for path in ended:
        with contextlib.suppress(OSError):
            own, lines = journal.read(path)
            if own == settings:
                ledger.update(lines)
    return ledger


def load(path: Path, ledger: Ledger) -> dict[str, Any] | None:
    """The settings of the manifest, whose entries go to the ledger; None where there is no manifest."""
    found: dict[str, Any] = {}
    try:
        with io.TextIOWrapper(limits.opened(path), encoding="utf-8") as file:
            for name, key, value in record.read(file):
                if key is None:
                    found[name] = value
                else:
                    ledger.put(key, value)
        if isinstance(found["settings"], dict) and isinstance(found[record.FILES], dict):
            return found["settings"]
        reason: object = "not as restora writes it"
    except FileNotFoundError:
        return None
    except (OSError, *record.ERRORS) as error:
        reason = getattr(error, "strerror", None) or "not as restora writes it"
    raise OutputError(f"{path}: cannot be read ({reason}); remove it or use another folder")


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    old, new = _flat(old), _flat(new)
    keys = [k for k in {**old, **new} if old.get(k) != new.get(k)]
    return [f"{k}: {old.get(k, 'not set')} there, {new.get(k, 'not set')} now" for k in keys]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Groups of settings, such as those of the method, taken apart."""
    nested = {k: v for group in settings.values() if isinstance(group, dict) for k, v in group.items()}
    return {k: v for k, v in settings.items() if not isinstance(v, dict)} | nested

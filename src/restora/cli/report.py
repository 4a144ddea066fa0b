"""What a run tells at its end: notes and failures on stderr, results on stdout, the exit code."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from restora.cli.options import as_options
from restora.cli.telling import printable, tell
from restora.runs.item import Item
from restora.runs.manifest import Manifest

MOST = 1000  # notes, and failures, that are told one by one


class Report:
    """What became of items, as they end; nothing of an item is kept but what will be told."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.notes: dict[str, int] = {}
        self.failures: list[tuple[int, str]] = []

    def add(self, items: Sequence[Item]) -> None:
        for item in items:
            self.counts[item.status] += 1
            if item.status == "failed" and len(self.failures) < MOST:
                self.failures.append((item.number, f"{item.path}: {item.facts['error']}"))
            for text in item.notes:
                known = self.notes.get(text)
                if known is not None or len(self.notes) < MOST:
                    self.notes[text] = item.number if known is None else min(known, item.number)
                else:
                    self.counts["notes"] += 1

    def summary(self, manifest: Manifest, notes: Sequence[str], args: argparse.Namespace) -> int:
        """Print it, in the order of the inputs. The exit code: 1 if any failed, else 0. `notes`: those of
        the run."""
        for text in dict.fromkeys([*notes, *sorted(self.notes, key=lambda text: self.notes[text])]):
            tell(f"note: {as_options(text, args)}")
        if self.counts["notes"]:
            tell(f"note: {self.counts['notes']} more notes are in {manifest.path}")
        for _, text in sorted(self.failures):
            tell(f"failed: {as_options(text, args)}")
        if self.counts["failed"] > MOST:
            tell(f"failed: {self.counts['failed'] - MOST} more; {manifest.path} names them")
        if manifest.error:
            tell(f"failed: {as_options(str(manifest.error), args)}")
        if args.json:
            manifest.print(sys.stdout)
        else:
            parts = [f"{self.counts['done']} written to {manifest.output}"]
            parts += [f"{self.counts['kept']} kept from an earlier run"] * bool(self.counts["kept"])
            parts += [f"{self.counts['failed']} failed"] * bool(self.counts["failed"])
            print(printable(", ".join(parts)))
        return 1 if self.counts["failed"] or manifest.error else 0

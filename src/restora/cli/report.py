"""What a run tells at its end: notes and failures on stderr, results on stdout, the exit code."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence

from restora.cli.options import as_options
from restora.cli.telling import printable, tell
from restora.runs.items import Item
from restora.runs.manifest import Manifest


def summary(items: Sequence[Item], manifest: Manifest, notes: Sequence[str], args: argparse.Namespace) -> int:
    """Print what became of the items: notes, failures by name. The exit code: 1 if any failed, else 0.
    `notes`: those of the run."""
    counts = Counter(item.status for item in items)
    for text in dict.fromkeys([*notes, *(text for item in items for text in item.notes)]):
        tell(f"note: {as_options(text, args)}")
    failed = [item for item in items if item.status == "failed"]
    for item in failed:
        tell(f"failed: {item.path}: {as_options(str(item.facts['error']), args)}")
    if manifest.error:
        tell(f"failed: {as_options(str(manifest.error), args)}")
    if args.json:
        print(json.dumps(manifest.content(), indent=1))
    else:
        parts = [f"{counts['done']} written to {manifest.output}"]
        parts += [f"{counts['kept']} kept from an earlier run"] * bool(counts["kept"])
        parts += [f"{counts['failed']} failed"] * bool(failed)
        print(printable(", ".join(parts)))
    return 1 if failed or manifest.error else 0

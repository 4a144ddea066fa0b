"""Report what is wrong with images, how certain that is, and the command that repairs it.

Nothing is changed. It measures size, depth, colour, traces of JPEG compression (in any file format), Gaussian
blur, noise, banding, clipped values, salt and pepper. Scratches and dead pixels are guesses: --mask writes
them as an image that you can check and correct.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from restora.cli.arguments import a_path, add_limit, max_pixels
from restora.cli.telling import printable, tell
from restora.errors import OptionError, RestoraError
from restora.inspection import Inspection, inspect
from restora.pictures import image
from restora.runs.inputs import find

EXAMPLES = """examples:
  restora inspect photo.jpg
  restora inspect scans/ --json
  restora inspect old.png --mask mask.png, then: restora restore old.png -o out --task inpaint --mask mask.png
"""
NOWHERE = Path("restored")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "restora inspect PHOTO... [options]"
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("inputs", nargs="+", type=a_path, metavar="PHOTO", help="files, folders or globs")
    add("--recursive", action="store_true", help="include images in subfolders")
    add_limit(parser)
    mask = "write suspected scratches and dead pixels of one photo as a mask, white on black"
    add("--mask", type=a_path, metavar="FILE", help=mask)
    add("--faces", action="store_true", help="also look for faces; takes seconds (needs restora[faces])")
    add("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    paths = [source.path for source in find(args.inputs, NOWHERE, args.recursive, tell)]
    if args.mask is not None and len(paths) > 1:
        raise OptionError(f"--mask is for one photo; the inputs are {len(paths)}")
    found: dict[str, Any] = {}
    for path in paths:
        try:
            seen = inspect(path, max_pixels(args), faces=args.faces)
        except RestoraError as error:
            tell(f"failed: {error}")
            found[str(path)] = {"error": str(error)}
            continue
        found[str(path)] = {**seen.facts(), "command": seen.command(path)}
        if not args.json:
            print("\n".join(_table(path, seen)))
        if args.mask is not None:
            _write_mask(args.mask, seen)
    if args.json:
        print(json.dumps(found, indent=1))
    return 1 if any("error" in facts for facts in found.values()) else 0


def _table(path: Path, seen: Inspection) -> Sequence[str]:
    width = max(len(finding.name) for finding in seen.findings)
    lines = [printable(str(path))]
    for finding in seen.findings:
        mark = "*" if finding.task else " "
        lines.append(f"{mark} {finding.name:{width}}  {finding.text}  [{finding.sure}]")
    command = seen.command(path)
    return [*lines, f"  {command}" if command else "  nothing wrong was found", ""]


def _write_mask(path: Path, seen: Inspection) -> None:
    """White where something is likely wrong."""
    if seen.marks is None:
        tell("no scratches or dead pixels were found, so no mask was written")
        return
    image.write(path, seen.marks)
    tell(f"wrote {path}: look at it, and paint over what is wrong, before you use it")

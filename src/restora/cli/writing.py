"""The options that say in what format results are written, and how."""

from __future__ import annotations

import argparse
from typing import Any

from restora.degradations import named
from restora.errors import OptionError
from restora.pictures.formats import FORMATS, Format, of_option
from restora.runs.job import Writing
from restora.runs.task import Task


def add_writing(parser: argparse.ArgumentParser) -> None:
    """--format and --axes; --quality is an option of a task too, and added with those."""
    known = ", ".join(known.suffix[1:] for known in FORMATS if known.written)
    text = f"file format of the results: {known} (the format of the input, if it can hold the result)"
    parser.add_argument("--format", metavar="NAME", help=text)
    text = "axes of TIFFs that do not define them, such as ZYX; C stands for channels"
    parser.add_argument("--axes", metavar="AXES", help=text)


def make_writing(args: argparse.Namespace, task: Task | None) -> tuple[Writing, Format | None]:
    """How results are written, and their format, where it is given."""
    format = of_option(args.format) if args.format is not None else None
    own = task is not None and "quality" in named.option_fields(task.name)
    quality = None if own else args.quality
    if quality is None:
        return Writing(axes=args.axes), format
    if not quality.isdecimal() or not 1 <= int(quality) <= 100:
        raise OptionError(f"--quality: expected a whole number from 1 to 100, got {quality!r}")
    if format is not None and not format.has_quality:
        raise OptionError(f"--quality is for jpg, webp and avif; {format.suffix[1:]} has none")
    return Writing(int(quality), args.axes), format


def written(writing: Writing, format: Format | None) -> dict[str, Any]:
    """What the manifest says of it: what was given."""
    found = {"format": format and format.suffix[1:], "output quality": writing.quality, "axes": writing.axes}
    return {name: value for name, value in found.items() if value is not None}

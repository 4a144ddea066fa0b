"""Arguments that several commands have; those of tasks and solvers are in `options.py`, which loads more."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from restora.errors import OptionError
from restora.limits import MAX_PIXELS
from restora.pictures.remote import place_of


def a_path(text: str) -> Path:
    """An argument that is a path. An empty one is a shell's variable that is not set, and no folder."""
    if not text.strip():
        raise OptionError("expected the path of a file or folder, got an empty text")
    return Path(text)


def a_place(text: str) -> Path:
    """As `a_path`, or a URL, such as s3://bucket/folder."""
    a_path(text)
    return place_of(text)


def a_batch_size(text: str) -> int | None:
    """How many images are restored together; None for auto."""
    if text == "auto":
        return None
    if not text.lstrip("-").isdecimal():
        raise OptionError(f"--batch-size: expected a whole number or auto, got {text!r}")
    if int(text) < 1:
        raise OptionError(f"--batch-size must be at least 1, got {text}")
    return int(text)


def add_limit(parser: argparse.ArgumentParser) -> None:
    text = f"refuse larger images ({MAX_PIXELS / 1e6:g})"
    parser.add_argument("--max-megapixels", type=float, default=MAX_PIXELS / 1e6, metavar="X", help=text)


def max_pixels(args: argparse.Namespace) -> int:
    """The limit of `add_limit`, in pixels."""
    if not 0 < args.max_megapixels < math.inf:
        raise OptionError(f"--max-megapixels: expected a positive number, got {args.max_megapixels:g}")
    return round(args.max_megapixels * 1e6)

"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from restora.errors import OutputError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A new empty file in the folder of `path`, renamed to `path` on success and removed on failure."""
    part = path.parent / f".restora-{secrets.token_hex(6)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)
        mode = part.stat().st_mode
        yield part
        part.chmod(mode)  # an encoder may have replaced the file by one that only its owner can read
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)

"""TorchScript archives: what is in them, before any of it runs.

Their pickles are read by torch's own reader, which makes no Python objects, and their code is compiled for
torch's interpreter, which has no access to Python. But a few of its functions write files, and a module may
have code that runs when it is loaded. An archive that uses either is refused.
"""

from __future__ import annotations

import io
import re
import zipfile

from restora.limits import INFLATED, BoundError, amount

ZIP = b"PK\x03\x04"
FORBIDDEN = re.compile(
    rb"\b(__setstate__|from_file|save|rpc_\w+|torch\.classes|ops\.(?!prim\b|aten\b|quantized\b)\w+)\b"
)
"""Code that runs by itself, functions that touch files or other machines, and those of other packages."""


def checked(data: bytes) -> bytes:
    """The archive anew, with the members that were looked at and no others. ValueError for one that is none,
    or has code that is not allowed."""
    if not data.startswith(ZIP):
        raise ValueError("not a TorchScript archive")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _anew(archive, len(data) + INFLATED)
    except BoundError:
        raise
    except Exception as error:  # whatever damage to a zip leads to
        raise ValueError(f"a damaged archive: {error}") from error


def _anew(archive: zipfile.ZipFile, most: int) -> bytes:
    members = archive.infolist()
    if (total := sum(member.file_size for member in members)) > most:
        raise BoundError(f"it inflates to {amount(total)}, too much for a network")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for member in members:
            content = archive.read(member)
            found = FORBIDDEN.search(content) if member.filename.endswith(".py") else None
            if found:
                raise BoundError(
                    f"its code has {found.group().decode()}, which can run code or write files on loading"
                )
            target.writestr(zipfile.ZipInfo(member.filename), content)
    return stream.getvalue()

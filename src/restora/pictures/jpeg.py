"""The head of a JPEG file: its tables and its chroma subsampling."""

from __future__ import annotations

from pathlib import Path

from restora.errors import ImageError
from restora.pictures.file import File

SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def jpeg_header(source: Path | File) -> tuple[list[list[int]], str] | None:
    """The tables of luma and chroma, 64 numbers each in rows, and the chroma subsampling of a JPEG file; None
    for a file of another format. Grey has one table, given twice, and 4:4:4.

    ImageError for what `degradations.JPEG` has no words for: other subsampling, and CMYK.
    """
    file = source if isinstance(source, File) else File(source)
    found = file.head.jpeg
    if found is None:
        return None
    kind = "4:4:4" if found.mode == "L" else SAMPLINGS.get(found.sampling)
    if kind is None or found.mode not in ("L", "RGB"):
        raise ImageError(
            f"{file.path}: its blocks cannot be found, because it is {found.mode}, or of unusual "
            f"chroma subsampling; expected a grey JPEG, or one of {', '.join(SAMPLINGS.values())}. Use "
            "another task"
        )
    return [list(table) for table in found.tables], kind

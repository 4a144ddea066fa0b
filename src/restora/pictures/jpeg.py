"""The head of a JPEG file: its tables and its chroma subsampling."""

from __future__ import annotations

from pathlib import Path

from PIL import JpegImagePlugin

from restora.errors import ImageError
from restora.pictures.decoding import open_head, orientation

SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def jpeg_header(path: Path) -> tuple[list[list[int]], str] | None:
    """The tables of luma and chroma, 64 numbers each in rows, and the chroma subsampling of a JPEG file; None
    for a file of another format. Grey has one table, given twice, and 4:4:4.

    ImageError for what `degradations.JPEG` has no words for: other subsampling, CMYK, a picture that is
    turned after it is decoded.
    """
    try:
        with open_head(path) as file:
            if not isinstance(file, JpegImagePlugin.JpegImageFile):
                return None
            mode, tables, turned = file.mode, file.quantization, orientation(file) != 1
            kind = SAMPLINGS.get(JpegImagePlugin.get_sampling(file))
    except (OSError, SyntaxError) as error:
        raise ImageError(f"{path}: cannot be read ({error})") from error
    kind = "4:4:4" if mode == "L" else kind
    if kind is None or turned or mode not in ("L", "RGB"):
        what = "turned by its EXIF orientation" if turned else f"{mode} of unusual chroma subsampling"
        raise ImageError(
            f"{path}: its blocks cannot be found, because it is {what}; expected an upright JPEG, grey or of "
            f"{', '.join(SAMPLINGS.values())}. Turn it losslessly with 'jpegtran', or use another task"
        )
    return [list(tables[0]), list(tables.get(1, tables[0]))], kind

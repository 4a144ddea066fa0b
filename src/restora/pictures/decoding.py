"""The bytes of a picture file -> a Document: all planes or frames, and what the file says of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

import numpy as np
from PIL import Image, UnidentifiedImageError

from restora.errors import ImageError
from restora.limits import MAX_PIXELS, VALUES, BoundError
from restora.pictures import (
    damage,
    formats,
    headers,
    metadata,
    pillow,
    png,
    profiles,
    tiff,
    tiff_packed,
    tiff_pixels,
)
from restora.pictures.document import Document
from restora.pictures.formats import ANIMATION, PICTURE, PNG, STACK, SUFFIXES, TIFF
from restora.pictures.metadata import Metadata


def decode(
    data: bytes,
    name: str,
    max_pixels: float = MAX_PIXELS,
    *,
    partial: bool = False,
    turn: bool = True,
    axes: str | None = None,
) -> Document:
    """partial: take a damaged JPEG or PNG, grey or black where nothing can be read. turn: make it upright, as
    its EXIF orientation says. axes: those of a TIFF that does not say them, such as ZYX. ImageError for
    anything that is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            formats.ready(data[:16], name)
            found = tiff.open_tiff(data)
            if found:
                return _of_tiff(found, data, name, max_pixels, axes)
            if axes:
                raise ImageError(f"{name}: has no axes; only TIFFs have. Leave them out")
            return _of_pillow(data, name, max_pixels, partial, turn)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_unknown(name)}") from error
    except BoundError as error:
        raise ImageError(f"{name}: {error}") from error
    except Exception as error:  # decoders raise anything on damaged data, from struct.error to cv2.error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: truncated or damaged ({reason})") from error


def _unknown(name: str) -> str:
    """What is wrong with a file that no decoder knows."""
    suffix, known = PurePath(name).suffix, f"expected one of {', '.join(SUFFIXES)}"
    if formats.of_suffix(suffix):
        return "not an image; it is damaged, or something else under this name"
    return f"{suffix} is not read; {known}" if suffix else f"not an image; {known}"


def check_size(size: tuple[int, int], name: str, max_pixels: float) -> None:
    """ImageError for a picture of (width, height) `size` that has more pixels."""
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: {width}x{height} is {width * height / 1e6:.4g} megapixels; "
            f"at most {max_pixels / 1e6:g} are accepted. Crop or scale it first, or raise "
            "max_pixels"
        )


def _check_all(values: int, name: str, max_pixels: float) -> None:
    if values > (most := VALUES * max_pixels):
        raise ImageError(f"{name}: {values} values; at most {most:g} are accepted. Take a part")


def _of_tiff(reader: tiff.Reader, data: bytes, name: str, max_pixels: float, axes: str | None) -> Document:
    for series in reader.series:
        check_size((series.keyframe.imagewidth, series.keyframe.imagelength), name, max_pixels)
    reader.check(name, max_pixels)
    for series in reader.series:
        tiff_packed.check(series)
    found = [tiff_pixels.values(reader, series, data, axes, name) for series in reader.series]
    shapes = [values.array.shape for values in found]
    layout = reader.layout(
        [x.axes for x in found], shapes, lambda index: tiff_pixels.directories(data, index)
    )
    arrays: list[np.ndarray] = []
    for part, values in zip(layout.series, found, strict=True):
        turn = 1 if values.turned else part.turn
        arrays += [pillow.upright(plane, turn) for plane in part.planes(values.array)]
    alpha = any(part.alpha for part in layout.series) or (found[0].turned and arrays[0].shape[2] in (2, 4))
    icc = reader.icc
    kept = replace(
        _tags(data, reader.turn), icc=icc if profiles.fits(icc, arrays[0].shape[2] - alpha) else b""
    )
    kind = PICTURE if len(arrays) == 1 else STACK
    document = Document(name, arrays, alpha, found[0].full, TIFF, kind, kept, layout)
    return replace(document, notes=reader.notes(name))


def _tags(data: bytes, turn: int) -> Metadata:
    """Of a TIFF, as far as Pillow can read them."""
    try:
        picture = pillow.open_head(io.BytesIO(data))
        return metadata.of_tiff(picture, turn in (5, 6, 7, 8), tiff.REMADE | {tiff.XMP})
    except Exception:  # tags of any kind, damaged in any way
        return Metadata()


def _of_pillow(data: bytes, name: str, max_pixels: float, partial: bool, turn: bool) -> Document:
    try:
        return _decoded(data, name, max_pixels, turn)
    except BoundError:
        raise
    except (OSError, SyntaxError, ValueError):
        found = damage.mend(data, max_pixels) if partial else None
        if found is None:
            raise
    with pillow.lenient():
        document = _decoded(found.data, name, max_pixels, turn)
    return replace(document, notes=(*document.notes, f"{name}: {found.note}"))


def _decoded(data: bytes, name: str, max_pixels: float, turn: bool) -> Document:
    headers.check_scans(data)
    if early := headers.jxl_size(data):
        check_size(early, name, max_pixels)
    picture = pillow.open_head(io.BytesIO(data))
    check_size(picture.size, name, max_pixels)
    known, count = formats.of_name(picture.format), pillow.frames(picture)
    kind, durations, notes = PICTURE, tuple[float, ...](), tuple[str, ...]()
    if count > 1 and known and (ANIMATION in known.kinds or STACK in known.kinds):
        _check_all(count * picture.width * picture.height * 4, name, max_pixels)
        arrays, durations = _frames(picture, count, name, max_pixels)
        kind = ANIMATION if ANIMATION in known.kinds else STACK
    else:
        arrays = [_one(picture, data)]
        left = f"{name}: holds {count} pictures; only the first, its main one, is restored"
        notes = (left,) if count > 1 else ()
    orientation = pillow.orientation(picture)
    if turn:
        arrays = [pillow.upright(array, orientation) for array in arrays]
    full = 255 if arrays[0].dtype == np.uint8 else 65535 if arrays[0].dtype.kind in "iu" else 0
    alpha = arrays[0].shape[2] in (2, 4)
    if alpha and all((array[..., -1] == full).all() for array in arrays):
        arrays, alpha = [array[..., :-1] for array in arrays], False
    gamma = png.gamma(data) if known is PNG else {}
    kept = _metadata(picture, orientation in (5, 6, 7, 8), gamma, arrays[0].shape[2] - alpha)
    kept = replace(kept, durations=durations)
    return Document(name, arrays, alpha, full, known, kind, kept, None, 1 if turn else orientation, notes)


def _metadata(picture: Image.Image, turned: bool, gamma: Mapping[bytes, bytes], colours: int) -> Metadata:
    found = metadata.read(picture, turned, gamma)
    return found if profiles.fits(found.icc, colours) else replace(found, icc=b"")


def _one(picture: Image.Image, data: bytes) -> np.ndarray:
    picture.load()
    deep = pillow.depth(picture, data) > 8 and picture.mode in ("RGB", "RGBA")
    array = pillow.decode_deep(data) if deep else pillow.to_array(picture)
    if deep and picture.format == "PNG" and data[25] == 4:  # grey and alpha, decoded as RGBA
        array = array[..., [0, 3]]
    return array


def _frames(
    picture: Image.Image, count: int, name: str, max_pixels: float
) -> tuple[list[np.ndarray], tuple[float, ...]]:
    """Each frame as it is shown, all of as many channels; and how long, in milliseconds."""
    shown, durations = [], []
    for i in range(count):
        picture.seek(i)
        check_size(picture.size, name, max_pixels)  # a GIF's grows with its frames
        picture.load()
        shown.append(np.asarray(picture.convert("RGBA")))
        durations.append(picture.info.get("duration", 0))
    grey = picture.format == "GIF" and all(pillow.without_colour(frame).shape[2] == 2 for frame in shown)
    return [frame[..., [0, 3]] if grey else frame for frame in shown], tuple(durations)

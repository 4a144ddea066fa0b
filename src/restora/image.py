"""File <-> tensor: the only image input and output in the package.

What is done with each kind of file:

- 8-bit grey, RGB, palette, CMYK: read as they look, divided by 255.
- 16-bit grey or colour PNG and TIFF: read at full depth, divided by 65535, and written back as 16 bits.
- float TIFF: values are taken as they are; NaN, infinity or values far outside [0, 1] are refused.
- more pages or frames: the first one is read.
- alpha: the picture is laid over white; fully opaque alpha changes nothing.
- EXIF orientation: applied, so that the picture is upright; it is not written again.
- grey files are repeated to three channels where colour is needed; colour becomes BT.601 luma where
  grey is needed.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor

from restora.errors import ImageError, MaskError, OutputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
TIFF_MAGIC = (b"II*\0", b"MM\0*")
MAX_PIXELS = 64_000_000
ORIENTATION = 0x0112
SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_LOCK = threading.Lock()  # while a setting of Pillow's is another
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Picture:
    """A decoded file: `pixels` (C, H, W) in [0, 1] with C = 1 or 3, and its depth in bits (8 or 16)."""

    pixels: Tensor
    bits: int = 8

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[-2], self.pixels.shape[-1]


def read(
    source: Path | str | bytes,
    channels: int | None = None,
    name: str | None = None,
    max_pixels: float = MAX_PIXELS,
) -> Picture:
    """Decode a file or its bytes. `channels` 1 or 3 converts; None keeps grey grey and colour colour.

    Raises ImageError, in one line, for a file that is missing, not an image, truncated, has more than
    `max_pixels` pixels, by its head alone, or has non-finite values.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "image")
    if not isinstance(source, bytes) and (told := size(source)):
        _check_size(told[::-1], name, max_pixels)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason})") from error
    array, bits = _decode(data, name, max_pixels)
    pixels = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    return Picture(convert(pixels, channels), bits)


def size(path: Path | str) -> tuple[int, int] | None:
    """(height, width) of the upright picture, from its file's head; None where it cannot be read."""
    try:
        with _open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(ORIENTATION, 1) >= 5
            return (width, height) if turned else (height, width)
    except (OSError, ValueError, SyntaxError):
        return None


def jpeg_header(path: Path) -> tuple[list[list[int]], str] | None:
    """The tables of luma and chroma, 64 numbers each in rows, and the chroma subsampling of a JPEG file; None
    for a file of another format. Grey has one table, given twice, and 4:4:4.

    ImageError for what `degradations.JPEG` has no words for: other subsampling, CMYK, a picture that is
    turned after it is decoded.
    """
    try:
        with _open(path) as file:
            if not isinstance(file, JpegImagePlugin.JpegImageFile):
                return None
            mode, tables, turned = file.mode, file.quantization, file.getexif().get(ORIENTATION, 1) != 1
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


def read_mask(source: Path | str | bytes, name: str | None = None, max_pixels: float = MAX_PIXELS) -> Tensor:
    """A mask file, white where the pixel is MISSING -> tensor (1, H, W), 1 where it was OBSERVED.

    This is the only place where the two conventions meet. A mask with nothing left to see raises.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "mask")
    observed = (read(source, 1, name, max_pixels).pixels < 0.5).float()
    if not observed.any():
        raise MaskError(
            f"{name}: the mask is white everywhere, so no pixel is observed; "
            "expected white only where the picture is missing. Is it inverted?"
        )
    return observed


def write(path: Path | str, image: Tensor, bits: int = 8) -> None:
    """Write (C, H, W) in [0, 1], clipped and rounded, as the format that the suffix of `path` names.

    The file is written beside its place and renamed, so no half-written picture is ever left.
    16 bits are kept for PNG and TIFF; other formats have 8. Raises OutputError, for NaN too.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"{path}: unknown suffix {suffix!r}; expected one of {', '.join(SUFFIXES)}")
    if not image.isfinite().all():
        raise OutputError(f"{path}: the picture has NaN or infinite values, so it was not written")
    try:
        data = encode(image, suffix, bits)
    except (OSError, ValueError) as error:  # a size that the format cannot have, say
        raise OutputError(f"{path}: cannot be encoded as {suffix} ({error})") from error
    with atomic(path) as part:
        part.write_bytes(data)


def encode(image: Tensor, suffix: str, bits: int = 8) -> bytes:
    """(C, H, W) in [0, 1] -> the bytes of a file in the format of `suffix`, one of `SUFFIXES`."""
    if bits == 16 and suffix in (".png", ".tif", ".tiff"):
        return _encode_deep(image, suffix)
    options = {"quality": 95} if suffix in (".jpg", ".jpeg", ".webp") else {}
    stream = io.BytesIO()
    to_pil(image).save(stream, format=Image.registered_extensions()[suffix], **options)
    return stream.getvalue()


def _encode_deep(image: Tensor, suffix: str) -> bytes:
    import cv2

    levels = image.detach().cpu().double().clamp(0, 1).mul_(65535).round_()
    array = levels.permute(1, 2, 0).numpy().astype(np.uint16)
    ok, buffer = cv2.imencode(suffix, array[..., ::-1])
    if not ok:
        raise ValueError("OpenCV refused it")
    return buffer.tobytes()


def to_pil(image: Tensor) -> Image.Image:
    """(C, H, W) in [0, 1] -> an 8-bit PIL picture, clipped and rounded."""
    array = to_uint8(image.detach()).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def to_uint8(image: Tensor) -> Tensor:
    """[0, 1] -> uint8, clipped and rounded to nearest."""
    return image.clamp(0, 1).mul_(255).round_().to(torch.uint8)


def luma(image: Tensor) -> Tensor:
    """BT.601 luma of (..., 3, H, W), as (..., 1, H, W)."""
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device).view(3, 1, 1)
    return (image * weights).sum(-3, keepdim=True)


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


def _decode(data: bytes, name: str, max_pixels: float) -> tuple[np.ndarray, int]:
    """(H, W, C) float32 in [0, 1], C = 1 or 3, and the depth."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = _stored(data, name, max_pixels)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image; expected one of {', '.join(SUFFIXES)}") from error
    except Exception as error:  # decoders raise anything on damaged data, from struct.error to cv2.error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: truncated or damaged ({reason})") from error
    bits = 8 if array.dtype == np.uint8 else 16
    return _over_white(_scale(array, name)), bits


def _stored(data: bytes, name: str, max_pixels: float) -> np.ndarray:
    """(H, W, C) upright, with the values and the alpha channel of the file."""
    try:
        picture = _open(io.BytesIO(data))
    except UnidentifiedImageError:
        if data[:4] not in TIFF_MAGIC:
            raise
        _check_size(_tiff_size(data), name, max_pixels)
        return _decode_deep(data)
    _check_size(picture.size, name, max_pixels)
    picture.load()
    deep = _depth(picture, data) > 8 and picture.mode in ("RGB", "RGBA")
    array = _decode_deep(data) if deep else _to_array(picture)
    if deep and picture.format == "PNG" and data[25] == 4:  # grey and alpha, decoded as RGBA
        array = array[..., [0, 3]]
    return _upright(array, _orientation(picture))


def _open(source: Path | str | io.BytesIO) -> Image.Image:
    """As Pillow's, of any size: who decodes the pixels has a limit of his own."""
    with _LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_size(size: tuple[int, int], name: str, max_pixels: float) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: {width}x{height} is {width * height / 1e6:.4g} megapixels; "
            f"at most {max_pixels / 1e6:g} are accepted. Crop or scale it first, or raise "
            "--max-megapixels (from Python, max_pixels)"
        )


def _tiff_size(data: bytes) -> tuple[int, int]:
    """(width, height) of a TIFF that Pillow has no mode for."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    stream = io.BytesIO(data)
    stream.seek(directory.next)
    directory.load(stream)
    return directory[256], directory[257]


def _depth(picture: Image.Image, data: bytes) -> int:
    """Bits a channel, which Pillow hides for colour: PNG header byte, TIFF BitsPerSample."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return max(picture.tag_v2.get(258, (8,)))
    return data[24] if picture.format == "PNG" else 8


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation; 1 where there is none, it is damaged, or Pillow has turned the picture (TIFF)."""
    with contextlib.suppress(Exception):
        return picture.getexif().get(0x0112, 1)
    return 1


def _decode_deep(data: bytes) -> np.ndarray:
    """Colour of more than 8 bits through OpenCV, since Pillow would keep only 8. Turns a TIFF upright."""
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if array is None:
        raise OSError("cannot be decoded")
    return array[..., [2, 1, 0, 3][: array.shape[2]]] if array.ndim == 3 else array[..., None]


def _to_array(picture: Image.Image) -> np.ndarray:
    """(H, W, C): 8 bits for C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; deep grey as Pillow has it."""
    if picture.mode.startswith(("I", "F")):
        return np.asarray(picture)[..., None]
    mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
    if "A" in picture.getbands() or "transparency" in picture.info:
        mode += "A"
    array = np.asarray(picture.convert(mode))
    return array[..., None] if array.ndim == 2 else array


def _scale(array: np.ndarray, name: str) -> np.ndarray:
    """Stored values -> float32, full scale at 1."""
    if array.dtype == np.uint8:
        return np.divide(array, 255, dtype=np.float32)
    low, high = array.min(), array.max()
    if array.dtype.kind in "iu":
        if low < 0 or high > 65535:
            raise ImageError(f"{name}: integers from {low} to {high}; expected 8 or 16 bits a channel")
        return np.divide(array, 65535, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ImageError(f"{name}: has NaN or infinite values; expected finite numbers in [0, 1]")
    if low < -0.5 or high > 1.5:
        raise ImageError(
            f"{name}: float values from {low:.4g} to {high:.4g}; expected [0, 1]. Rescale it first"
        )
    return array.astype(np.float32)


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (TIFF 6.0 tag 274) on (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def _over_white(array: np.ndarray) -> np.ndarray:
    if array.shape[2] in (1, 3):
        return array
    colour, alpha = array[..., :-1], array[..., -1:]
    return colour * alpha + (1 - alpha)


def convert(pixels: Tensor, channels: int | None) -> Tensor:
    if channels == 3 and pixels.shape[0] == 1:
        return pixels.expand(3, -1, -1).contiguous()
    if channels == 1 and pixels.shape[0] == 3:
        return luma(pixels)
    return pixels

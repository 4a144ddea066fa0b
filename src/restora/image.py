"""File <-> tensor: the only image input and output in the package.

What is done with each kind of file:

- 8-bit grey, RGB, palette, CMYK: read as they look, divided by 255.
- 16-bit grey or colour PNG and TIFF: read at full depth, divided by 65535, and written back as 16 bits.
- float TIFF: values are taken as they are; NaN, infinity or values far outside [0, 1] are refused.
- alpha: the picture is laid over white; fully opaque alpha changes nothing.
- EXIF orientation: applied, so that the picture is upright; it is not written again.
- grey files are repeated to three channels where colour is needed; colour becomes BT.601 luma where
  grey is needed.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from restora.errors import ImageError, MaskError, OutputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
MAX_PIXELS = 64_000_000
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


def read(source: Path | str | bytes, channels: int | None = None, name: str | None = None) -> Picture:
    """Decode a file or its bytes. `channels` 1 or 3 converts; None keeps grey grey and colour colour.

    Raises ImageError, in one line, for a file that is missing, not an image, truncated, has more than
    `MAX_PIXELS` pixels, or has non-finite values.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "image")
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror or error})") from error
    array, bits = _decode(data, name)
    pixels = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    return Picture(_convert(pixels, channels), bits)


def read_mask(source: Path | str | bytes, name: str | None = None) -> Tensor:
    """A mask file, white where the pixel is MISSING -> tensor (1, H, W), 1 where it was OBSERVED.

    This is the only place where the two conventions meet. A mask with nothing left to see raises.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "mask")
    observed = (read(source, channels=1, name=name).pixels < 0.5).float()
    if not observed.any():
        raise MaskError(
            f"{name}: the mask is white everywhere, so no pixel is observed; "
            "expected white only where the picture is missing. Is it inverted?"
        )
    return observed


def write(path: Path | str, image: Tensor, bits: int = 8) -> None:
    """Write (C, H, W) in [0, 1], clipped and rounded, as the format that the suffix of `path` names.

    The file is written beside its place and renamed, so no half-written picture is ever left.
    16 bits are kept for PNG and TIFF; other formats have 8. Raises OutputError.
    """
    path = Path(path)
    with atomic(path) as part:
        save_encoded(part, path.suffix.lower(), image, bits)


def save_encoded(target: Path, suffix: str, image: Tensor, bits: int = 8) -> None:
    """Encode (C, H, W) in [0, 1] into the file `target` in the format named by `suffix`."""
    array = image.detach().cpu().double().clamp(0, 1).permute(1, 2, 0).numpy()
    if bits == 16 and suffix in (".png", ".tif", ".tiff"):
        import cv2

        encoded = np.rint(array * 65535).astype(np.uint16)
        ok, buffer = cv2.imencode(suffix, encoded[..., ::-1] if encoded.shape[2] == 3 else encoded)
        if not ok:
            raise OutputError(f"{target}: OpenCV could not encode a 16-bit {suffix} picture")
        target.write_bytes(buffer.tobytes())
        return
    picture = to_pil(image)
    options = {"quality": 95} if suffix in (".jpg", ".jpeg", ".webp") else {}
    picture.save(target, format=Image.registered_extensions()[suffix], **options)


def to_pil(image: Tensor) -> Image.Image:
    """(C, H, W) in [0, 1] -> an 8-bit PIL picture, clipped and rounded."""
    array = to_uint8(image.detach()).permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def to_uint8(image: Tensor) -> Tensor:
    """[0, 1] -> uint8, clipped and rounded to nearest."""
    return (image.clamp(0, 1) * 255).round().to(torch.uint8)


def luma(image: Tensor) -> Tensor:
    """BT.601 luma of (..., 3, H, W), as (..., 1, H, W)."""
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device).view(3, 1, 1)
    return (image * weights).sum(-3, keepdim=True)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary file in the folder of `path`, renamed to `path` on success and removed on failure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    try:
        yield Path(part)
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _decode(data: bytes, name: str) -> tuple[np.ndarray, int]:
    """(H, W, C) float32 in [0, 1], C = 1 or 3, and the depth."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data))
        if picture.width * picture.height > MAX_PIXELS:
            raise ImageError(
                f"{name}: {picture.width}x{picture.height} is {picture.width * picture.height / 1e6:.0f} "
                f"megapixels; at most {MAX_PIXELS / 1e6:.0f} are accepted. Crop or scale it first"
            )
        picture.load()
        deep = _depth(picture) == 16 and picture.mode in ("RGB", "RGBA")
        array = _decode_deep(data) if deep else _to_array(picture)
        orientation = picture.getexif().get(0x0112, 1)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: too many pixels ({error}); at most {MAX_PIXELS} are accepted") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image; expected one of {', '.join(SUFFIXES)}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{name}: truncated or damaged ({error})") from error
    bits = 16 if array.dtype != np.uint8 else 8
    return _over_white(_upright(_scale(array, name), orientation)), bits


def _depth(picture: Image.Image) -> int:
    """Bits a channel, which Pillow hides for colour: PNG header byte, TIFF BitsPerSample."""
    if picture.format == "TIFF":
        return max(picture.tag_v2.get(258, (8,)))  # type: ignore[attr-defined]
    if picture.format == "PNG" and picture.fp is not None:
        picture.fp.seek(24)
        return picture.fp.read(1)[0]
    return 8


def _decode_deep(data: bytes) -> np.ndarray:
    """16-bit colour through OpenCV, since Pillow would keep only 8 bits of it."""
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    array = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if array is None:
        raise OSError("cannot be decoded")
    return array[..., [2, 1, 0, 3][: array.shape[2]]]


def _to_array(picture: Image.Image) -> np.ndarray:
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        array = np.asarray(picture)
        if picture.mode == "F":
            return array.astype(np.float32)[..., None]
        return np.clip(array, 0, 65535).astype(np.uint16)[..., None]
    grey = picture.mode in ("1", "L")
    alpha = "A" in picture.getbands() or "transparency" in picture.info
    mode = "RGBA" if alpha else "L" if grey else "RGB"
    array = np.asarray(picture.convert(mode))
    return array[..., None] if array.ndim == 2 else array


def _scale(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype != np.float32:
        return array.astype(np.float32) / np.iinfo(array.dtype).max
    if not np.isfinite(array).all():
        raise ImageError(f"{name}: has NaN or infinite values; expected finite numbers in [0, 1]")
    if array.min() < -0.5 or array.max() > 1.5:
        raise ImageError(
            f"{name}: float values from {array.min():.4g} to {array.max():.4g}; expected [0, 1]. Rescale it first"
        )
    return array


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
    if array.shape[2] != 4:
        return array
    alpha = array[..., 3:]
    return array[..., :3] * alpha + 1 - alpha


def _convert(pixels: Tensor, channels: int | None) -> Tensor:
    if channels == 3 and pixels.shape[0] == 1:
        return pixels.expand(3, -1, -1).contiguous()
    if channels == 1 and pixels.shape[0] == 3:
        return luma(pixels)
    return pixels

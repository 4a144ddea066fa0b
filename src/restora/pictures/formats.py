"""The formats of files: what each can hold, which suffixes it has, and which one a result is written in."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from restora.errors import ImageError, OptionError

PICTURE, ANIMATION, STACK = "a picture", "an animation", "a stack of planes"
ALL = frozenset({"EXIF", "ICC profile", "XMP", "resolution"})


@dataclass(frozen=True)
class Format:
    """A format, by Pillow's name.

    kinds: which documents it holds. carries: what of their metadata. depth: bits a channel, at most. lossy:
    whether a picture in it loses by being saved. few_colours: whether it has a palette alone. extra: the
    optional part of restora that reads it, and the module that does.
    """

    name: str
    suffixes: tuple[str, ...]
    kinds: tuple[str, ...] = (PICTURE,)
    carries: frozenset[str] = ALL
    depth: int = 8
    alpha: bool = True
    lossy: bool = False
    has_quality: bool = False
    few_colours: bool = False
    written: bool = True
    extra: tuple[str, str] | None = None

    @property
    def suffix(self) -> str:
        return self.suffixes[0]


PNG = Format(
    "PNG", (".png", ".apng"), (PICTURE, ANIMATION), ALL | {"text", "comment", "gamma", "timing"}, depth=16
)
JPEG = Format("JPEG", (".jpg", ".jpeg", ".jfif", ".jpe"), (PICTURE,), ALL | {"comment"}, 8, False, True, True)
WEBP = Format(
    "WEBP",
    (".webp",),
    (PICTURE, ANIMATION),
    ALL - {"resolution"} | {"timing"},
    has_quality=True,
)
TIFF = Format("TIFF", (".tif", ".tiff"), (PICTURE, STACK), ALL, depth=32)
BMP = Format("BMP", (".bmp",), (PICTURE,), frozenset({"resolution"}), alpha=False)
AVIF = Format(
    "AVIF",
    (".avif",),
    (PICTURE, ANIMATION),
    ALL - {"resolution"} | {"timing"},
    lossy=True,
    has_quality=True,
)
GIF = Format(
    "GIF", (".gif",), (PICTURE, ANIMATION), frozenset({"comment", "timing"}), lossy=True, few_colours=True
)
HEIC = Format("HEIF", (".heic", ".heif"), written=False, extra=("heic", "pillow_heif"))
JXL = Format("JXL", (".jxl",), (PICTURE, ANIMATION), written=False, extra=("jxl", "pillow_jxl"))
FORMATS = (PNG, JPEG, WEBP, TIFF, BMP, AVIF, GIF, HEIC, JXL)
SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
WRITTEN = tuple(suffix for known in FORMATS if known.written for suffix in known.suffixes)
MAGIC = {
    "HEIF": (b"ftypheic", b"ftypheix", b"ftypheim", b"ftyphevc", b"ftypmif1", b"ftypmsf1"),
    "JXL": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
}


def of_suffix(suffix: str) -> Format | None:
    """The format that a suffix such as .JPG names."""
    return next((known for known in FORMATS if suffix.lower() in known.suffixes), None)


def of_name(name: str | None) -> Format | None:
    """The format that Pillow calls so."""
    name = {"MPO": "JPEG", "DIB": "BMP"}.get(name or "", name)
    return next((known for known in FORMATS if known.name == name), None)


def of_option(name: str) -> Format:
    """The format that a user names, such as jpg; OptionError for one that is not written."""
    found = of_suffix(f".{name.lower().removeprefix('.')}")
    if found is None or not found.written:
        known = ", ".join(known.suffix[1:] for known in FORMATS if known.written)
        raise OptionError(f"expected one of {known}, got {name!r}", "format")
    return found


def of_result(found: Format | None, alpha: bool, exact: bool) -> Format:
    """What a result is written in: the format of its file, or PNG where that would lose some of it: a palette
    in any case, transparency where the file has some, and, if it has to be `exact`, lossy compression."""
    if found is None or not found.written or found.few_colours:
        return PNG
    return PNG if (alpha and not found.alpha) or (exact and found.lossy) else found


def suffix_for(chosen: Format, path: Path) -> str:
    """The suffix of a result in that format: that of the file at `path`, if it fits."""
    suffix = path.suffix.lower()
    return suffix if suffix in chosen.suffixes else chosen.suffix


def ready(head: bytes, name: str) -> None:
    """Make Pillow read the format of a file that begins with `head`, where an extra does that; ImageError
    that names the extra, if it is not installed."""
    for known in FORMATS:
        start = head[4:12] if known is HEIC else head[:8]
        if known.extra and start.startswith(MAGIC[known.name]):
            extra, module = known.extra
            try:
                plugin = importlib.import_module(module)
            except ImportError:
                raise ImageError(
                    f"{name}: {extra.upper()} pictures need an optional package; install it with "
                    f"pip install 'restora[{extra}]', or convert the picture to JPEG or PNG"
                ) from None
            if known is HEIC:
                plugin.register_heif_opener()

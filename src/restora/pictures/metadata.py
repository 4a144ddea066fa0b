"""What a file says beside its pixels, in terms that several formats share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image, PngImagePlugin

from restora.pictures import exif
from restora.pictures.formats import GIF, JPEG, PNG, Format

XMP_TEXT, RAW_EXIF = "XML:com.adobe.xmp", "Raw profile type exif"
ONCE, FOREVER = 1, 0
_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))\d")


@dataclass(frozen=True)
class Metadata:
    """Of an upright picture, or of all frames.

    exif: begins with "Exif" and two zeros. dpi: (x, y). gamma: how values are encoded, where no profile says
    it: the gAMA and cHRM chunks of PNG. durations: of frames, in milliseconds. plays: how often, 0 for ever.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    comment: bytes = b""
    gamma: Mapping[bytes, bytes] = field(default_factory=dict)
    durations: tuple[float, ...] = ()
    plays: int = FOREVER

    def resized(self, size: tuple[int, int], old: tuple[int, int]) -> Metadata:
        """For a picture of (height, width) `size` in the place of one of the size `old`: the same paper."""
        ratio = size[0] / old[0], size[1] / old[1]
        dpi = self.dpi and (self.dpi[0] * ratio[1], self.dpi[1] * ratio[0])
        return replace(self, exif=exif.resized(self.exif, size, ratio), dpi=dpi)

    def lost(self, format: Format) -> list[str]:
        """What of it a file in that format does not hold."""
        held = {
            "EXIF": self.exif,
            "XMP": self.xmp,
            "resolution": self.dpi,
            "text": self.text,
            "comment": self.comment,
        }
        return [name for name, value in held.items() if value and name not in format.carries]

    def options(self, format: Format) -> dict[str, Any]:
        """The arguments of Pillow's `save` that hold it."""
        given: dict[str, Any] = {"exif": self.exif, "icc_profile": self.icc, "xmp": self.xmp}
        names = {"exif": "EXIF", "icc_profile": "ICC profile", "xmp": "XMP"}
        given = {name: value for name, value in given.items() if value and names[name] in format.carries}
        if self.dpi and "resolution" in format.carries:
            given["dpi"] = self.dpi
        if self.comment and format in (JPEG, GIF):
            given["comment"] = self.comment
        if format is PNG:
            given.pop("xmp", None)
            given["pnginfo"] = self._chunks()
        return given

    def timing(self, format: Format) -> dict[str, Any]:
        """Those for an animation."""
        durations = list(self.durations) if format is PNG else [round(d) for d in self.durations]
        plays = {} if format is GIF and self.plays == ONCE else {"loop": self.plays}
        return {"duration": durations, **plays}

    def _chunks(self) -> PngImagePlugin.PngInfo:
        chunks = PngImagePlugin.PngInfo()
        if not self.icc:
            for name, data in self.gamma.items():
                chunks.add(name, data)
        for key, value in self.text.items():
            chunks.add_text(key, value)
        if self.xmp:
            chunks.add_itxt(XMP_TEXT, self.xmp.decode("utf-8", "replace"))
        if self.comment and "Comment" not in self.text:
            chunks.add_text("Comment", self.comment.decode("latin-1"))
        return chunks


def read(picture: Image.Image, turned: bool, gamma: Mapping[bytes, bytes]) -> Metadata:
    """Of a picture that Pillow has loaded. turned: whether its sides are swapped when it is upright."""
    info = picture.info
    text = dict(getattr(picture, "text", {}))
    text.pop(XMP_TEXT, None)
    block = info.get("exif", b"")
    if text.pop(RAW_EXIF, None) and not block:
        with contextlib.suppress(Exception):
            block = picture.getexif().tobytes()
    xmp = info.get("xmp", b"")
    return Metadata(
        exif=exif.upright(block) if block else b"",
        icc=info.get("icc_profile") or b"",
        xmp=_ORIENTATION.sub(rb"\g<1>1", xmp if isinstance(xmp, bytes) else str(xmp).encode()),
        dpi=_dpi(info.get("dpi"), turned),
        text=text,
        comment=_bytes(info.get("comment", b"")),
        gamma=gamma,
        plays=info.get("loop", ONCE if picture.format == "GIF" else FOREVER),
    )


def of_tiff(picture: Image.Image, turned: bool, left_out: Collection[int]) -> Metadata:
    """Of a TIFF, for files of other formats: its tags as EXIF, but for those that are left out."""
    tags, block = picture.getexif(), Image.Exif()
    for code in tags.keys() - set(left_out):
        block[code] = tags[code]
    for code in (exif.EXIF, exif.GPS):
        if found := tags.get_ifd(code):
            block.get_ifd(code).update(found)
    return replace(read(picture, turned, {}), exif=block.tobytes() if len(block) else b"", icc=b"")


def _dpi(found: Any, turned: bool) -> tuple[float, float] | None:
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        x, y = (float(value) for value in found)
        if x > 0 and y > 0:
            return (y, x) if turned else (x, y)
    return None


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")

"""Uploaded pictures: checked once, kept as they came."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from restora.errors import MaskError
from restora.pictures import image, masks
from restora.pictures.document import Document
from restora.pictures.file import File
from restora.pictures.formats import ANIMATION, PICTURE, SUFFIXES
from restora.web import findings
from restora.web.limits import Limits
from restora.web.requests import Finding, MaskRead, Picture

DECODING = threading.Semaphore(2)
"""Large pictures take hundreds of megabytes while they are decoded."""
MASK, PROPOSED = "mask.png", "proposed.png"


def safe_name(given: str) -> str:
    """A name for a file that came with this one: the last part of a path, without anything odd."""
    name = re.sub(r"[^\w. ()+-]+", "_", given.replace("\\", "/").rpartition("/")[2]).strip(". ") or "picture"
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:80]}{dot}{suffix[:8]}" if dot else name[:80]


@dataclass
class Upload:
    """A picture of a visit, in a folder of its own: the file, and its mask as white on black."""

    id: str
    path: Path
    size: tuple[int, int]
    planes: int
    facts: str
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def mask(self) -> Path:
        return self.path.parent / "mask" / MASK

    @property
    def proposed(self) -> Path:
        """The mask of what looks like scratches, if any do."""
        return self.path.parent / "mask" / PROPOSED

    def told(self) -> Picture:
        return Picture(
            id=self.id,
            name=self.path.name,
            width=self.size[1],
            height=self.size[0],
            planes=self.planes,
            facts=self.facts,
            notes=self.notes,
            findings=self.findings,
            has_mask=self.mask.exists(),
        )


def receive(id: str, path: Path, limits: Limits) -> Upload:
    """Decode the file at `path`, which says what is wrong with it, if anything is: ImageError."""
    with DECODING:
        file = File(path)
        document = image.load(file, path.name, limits.pixels, partial=True)
        picture = document.picture()
        if file.head.format and path.suffix.lower() not in SUFFIXES:
            path = path.rename(path.with_name(f"{path.name}{file.head.format.suffix}"))
        found, marks = findings.find(picture, file.head)
    facts = _facts(document, picture.size)
    upload = Upload(id, path, picture.size, len(document), facts, list(document.notes), found)
    if marks is not None:
        image.write(upload.proposed, marks.float())
    return upload


def read_mask(upload: Upload, path: Path, limits: Limits) -> MaskRead:
    """Read a mask file of any kind (`restora.pictures.masks`), and keep it as that of the picture. MaskError
    for one that is none, or leaves nothing to do, or nothing to see."""
    with DECODING:
        picture = image.load(File(upload.path), upload.path.name, limits.pixels, partial=True).picture()
        try:
            found = masks.read_sheet(File(path), path.name, limits.pixels).find(picture, upload.path.name)
        except MaskError:
            upload.mask.unlink(missing_ok=True)
            raise
    upload.mask.parent.mkdir(exist_ok=True)
    image.write(upload.mask, 1 - found.observed)
    return MaskRead(missing=1 - found.observed.mean().item(), notes=list(found.notes))


def _facts(document: Document, size: tuple[int, int]) -> str:
    """1200 × 800 · JPEG · 8 bits · colour."""
    colours = document.arrays[0].shape[2] - document.has_alpha
    named = {1: "grey", 3: "colour"}.get(colours, f"{colours} channels")
    kind = document.format.name if document.format else "picture"
    deep = "floating point" if not document.full else f"{document.bits} bits"
    parts = [f"{size[1]} × {size[0]}", kind, deep, named]
    if document.kind != PICTURE:
        parts.append(f"{len(document)} {'frames' if document.kind == ANIMATION else 'planes'}")
    return " · ".join(parts)

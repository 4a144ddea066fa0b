"""The shape of the images behind the pictures in files, by their heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from restora.operators.base import Shape
from restora.pictures.file import File


def images_of(
    files: Iterable[File], behind: Callable[[tuple[int, int]], Shape | None] = lambda size: (3, *size)
) -> Shape | None:
    """(C, H, W) of the colour images; H = W = 0 where they differ, None where no head tells. `behind`: of the
    images behind pictures of some size, None where there are none. No more heads are read than that takes."""
    seen: set[tuple[int, int]] = set()
    found: set[Shape] = set()
    for size in (file.head.size for file in files):
        if size is not None and size not in seen:
            seen.add(size)
            found |= {shape for shape in [behind(size)] if shape is not None}
        if len(found) > 1:
            break
    return found.pop() if len(found) == 1 else (3, 0, 0) if seen else None

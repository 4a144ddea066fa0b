"""Results stay in the folder that the user named."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from restora.errors import OutputError
from restora.pictures.places import real


def check_inside(folder: Path, places: Iterable[Path]) -> None:
    """OutputError where a place for results below `folder` is elsewhere, because a folder is a link."""
    root = real(folder)
    for place in places:
        if not real(place).is_relative_to(root):
            raise OutputError(
                f"{place} is a link that leads out of the output folder {folder}; remove the link, or "
                "choose another folder"
            )

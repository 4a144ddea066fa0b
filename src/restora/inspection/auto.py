"""Options that are "auto": found in the picture that is to be restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from restora.degradations.members import members
from restora.errors import ObservationError
from restora.inspection.blur import find_blur, is_blur
from restora.inspection.inspector import LUMA_NOISE
from restora.inspection.lattice import find_lattice
from restora.inspection.sample import Sample, mosaic, patches
from restora.inspection.tones import find_levels
from restora.noise.level import estimate_sigma
from restora.operators import codec
from restora.pictures.picture import Picture

BLURRED, GAIN, LEAST = 0.4, 2.0, 0.003


def fill(task: str, given: Mapping[str, Any], sought: Sequence[str], pixels: Tensor) -> dict[str, Any]:
    """Estimate options of a task from an observation.

    Args:
        task: the name of the task.
        given: the options that are known.
        sought: the names of the options to estimate.
        pixels: the observation, (C, H, W).

    Returns:
        The estimated options, and others that belong to them.

    Raises:
        ObservationError: if an option cannot be estimated.
        ShapeError: for a number of channels that JPEG does not support.
    """
    parts = Sample(Picture(pixels)).tiles
    found: dict[str, Any] = {}
    known = {name: value for name, value in given.items() if name not in sought}
    if "quality" in sought:
        found |= _quality(parts, pixels, known)
    if "levels" in sought:
        found |= _levels(parts)
    if "width" in sought:
        found |= _width(task, parts, known, "sigma" in sought)
    elif "sigma" in sought:
        found["sigma"] = _sigma(parts, pixels)
    return found


def _quality(parts: Tensor, pixels: Tensor, known: Mapping[str, Any]) -> dict[str, Any]:
    codec.colours(len(pixels), pixels)  # refuses what no JPEG holds
    lattice = find_lattice(parts[:: max(1, len(parts) // 3)]) if len(parts) else None
    if lattice is None:
        raise ObservationError(
            "no JPEG artefacts were found: the file is not a JPEG, and there are no blocks on the lattice of "
            "one (scaled, cropped or changed since?); give its quality, such as quality=30"
        )
    return {"quality": lattice.quality} | (
        {} if "subsampling" in known else {"subsampling": lattice.subsampling}
    )


def _levels(parts: Tensor) -> dict[str, Any]:
    levels = find_levels(parts) if len(parts) else None
    if levels is None:
        raise ObservationError(
            "no equal levels were found, up to 64 per channel; give their number, such as levels=8"
        )
    return {"levels": levels[0]}


def _width(task: str, parts: Tensor, known: Mapping[str, Any], noise_too: bool) -> dict[str, Any]:
    colours, names = LUMA_NOISE if parts.shape[1] == 3 else 1.0, members(task)
    sigma = None if noise_too or "sigma" not in known else colours * float(known["sigma"])
    blur = find_blur(patches(parts), sigma=sigma) if parts.shape[1] in (1, 3) else None
    if blur is None or not is_blur(blur, BLURRED, GAIN):
        raise ObservationError("no Gaussian blur was found; give its width in pixels, such as width=1.6")
    first = "superres" in names and names.index("deblur") < names.index("superres")
    scale = known.get("scale", 4) if first else 1
    found: dict[str, Any] = {"width": round(blur.width * scale, 3)}
    return found | ({"sigma": round(max(blur.sigma / colours, LEAST), 5)} if noise_too else {})


def _sigma(parts: Tensor, pixels: Tensor) -> float:
    image = mosaic(parts) if len(parts) and min(parts.shape[-2:]) >= 32 else pixels
    return round(min(float(estimate_sigma(image[None])[0]), 1.0), 5)

"""What is wrong with a picture, as far as it can be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restora.inspection import marks, tones
from restora.inspection.blur import HIGHEST, Blur, find_blur, is_blur
from restora.inspection.finding import Finding, Inspection
from restora.inspection.grain import find_noise
from restora.inspection.lattice import Lattice, find_lattice, quality_of
from restora.inspection.sample import GRAIN, Sample, grey, mosaic, patches
from restora.inspection.suggest import suggest
from restora.limits import MAX_PIXELS
from restora.noise.level import Estimate, estimate_noise
from restora.operators import codec
from restora.pictures.colour import LUMA
from restora.pictures.file import File, Head
from restora.pictures.image import load
from restora.pictures.picture import Picture

WIDTH, GAIN = 0.75, 10.0  # a blur from which on a picture counts as blurred, and what it gains in log p
NOISE = 0.012  # a deviation from which on it counts
BORNE_OUT = 0.7  # of it, what the highest frequencies have to hold
QUALITY = 75  # below which the traces of JPEG count
UNSEEN = 0.5  # of a step: what the coefficients of a frequency have to reach to tell of blur
BOUND = 0.15  # cycles a pixel, up to which a JPEG has to hold frequencies
LUMA_NOISE = float(np.linalg.norm(LUMA))  # of the luma of white noise of deviation 1


def inspect(
    source: Picture | Path | str | File,
    max_pixels: float = MAX_PIXELS,
    *,
    head: Head | None = None,
    faces: bool = False,
) -> Inspection:
    """Measure the damage in an image, or in the first image of a file.

    Args:
        source: a Picture, or a file.
        max_pixels: refuse larger images.
        head: the header of the file that a Picture comes from.
        faces: also look for faces; takes seconds.

    Raises:
        ImageError: if the file cannot be read.
        PackageError: for `faces` without the extra `faces`.
    """
    if isinstance(source, Picture):
        return _inspect(Sample(source), head or Head(), faces)
    file = source if isinstance(source, File) else File(Path(source) if isinstance(source, str) else source)
    return _inspect(Sample(load(file, max_pixels=max_pixels, partial=True)), file.head, faces)


def _inspect(sample: Sample, head: Head, look: bool) -> Inspection:
    if sample.channels not in (1, 3) or min(sample.size) < GRAIN:
        return Inspection((_size(sample), Finding("damage", None, _unusual(sample.channels), 0.0)))
    parts, channels = sample.tiles, sample.channels
    lattice = _lattice(parts, head)
    impulses = marks.find_impulses(parts)
    levels = None if impulses.found or lattice else tones.find_levels(parts)
    clean = not (impulses.found or levels)
    mask, dead, scratches = marks.find_marks(sample, impulses.dead > 0) if clean else (None, 0, 0)
    blur = find_blur(_unmarked(parts, mask), _held(parts, lattice)) if clean else None
    noise = _noise(parts) if clean and min(parts.shape[-2:]) >= 32 else None
    sigma = deviation(blur, noise, channels) if clean else 0.0
    under = find_noise(parts, lattice) if clean and lattice and lattice.quality < QUALITY else 0.0
    findings = [
        _size(sample),
        _colour(parts),
        _jpeg(lattice, head),
        _blurred(blur, sigma),
        _under(under, channels) if under else _noisy(noise, sigma, blur, channels),
        _levels(levels),
        _cut(parts),
        _impulses(impulses),
        _marked(dead, scratches),
    ]
    seen = [_faces(sample.picture)] if look else []
    return Inspection((*findings, *seen), suggest(findings), mask)


def _unusual(channels: int) -> str:
    if channels not in (1, 3):
        return f"{channels} channels; grey pictures and RGB are inspected"
    return "too small to be inspected; at least 16 pixels a side are"


def _lattice(parts: Tensor, head: Head) -> Lattice | None:
    """Of a JPEG file by its tables, of another picture by its cosines."""
    if head.jpeg is None:
        return find_lattice(parts[:: max(1, len(parts) // 3)])
    tables = torch.tensor(head.jpeg.tables).float().view(2, codec.BLOCK, codec.BLOCK)
    return Lattice(quality_of(tables)[0], 1.0, "4:2:0" if head.jpeg.sampling == 2 else "4:4:4")


def _held(parts: Tensor, lattice: Lattice | None) -> float:
    """The highest frequency that compression left, in cycles a pixel."""
    if lattice is None:
        return HIGHEST
    block, table = codec.blocks(grey(parts)), codec.tables(lattice.quality)[0] / 255
    power = block[:, 0].unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8)).square().mean((0, 1, 3))
    for k in range(1, codec.BLOCK):
        seen = ((power[0, k] + power[k, 0]) / 2).sqrt()
        if seen < UNSEEN * table[0, k]:
            return (k - 0.5) / (2 * codec.BLOCK)
    return HIGHEST


def _unmarked(parts: Tensor, mask: Tensor | None) -> Tensor:
    """The patches without scratches, whose width is none of a blur; all, where no patch is without."""
    found = patches(parts)
    if mask is None or not len(found):
        return found
    clear = patches(Sample(Picture(mask)).tiles).amax((1, 2)) == 0
    return found[clear] if bool(clear.any()) else found


def _noise(parts: Tensor) -> Estimate:
    return estimate_noise(mosaic(parts)[None])[0]


def deviation(blur: Blur | None, noise: Estimate | None, channels: int) -> float:
    """The standard deviation of the noise of each channel. Where there is a blur, all that is fine is noise,
    so that its evidence sees no more of it than there is."""
    own = 0.0 if noise is None else float(noise.sigma)
    if blur is None or not is_blur(blur, WIDTH, GAIN):
        return own
    seen = blur.sigma / (LUMA_NOISE if channels == 3 else 1.0)
    return seen if own == 0 else min(own, seen / BORNE_OUT)


def _size(sample: Sample) -> Finding:
    height, width = sample.size
    kind = {1: "grey", 3: "colour"}.get(sample.channels, f"{sample.channels} channels")
    text = f"{width}x{height} pixels, {kind}, {sample.bits} bits a channel"
    return Finding("size", [width, height, sample.bits], text)


def _colour(parts: Tensor) -> Finding:
    if parts.shape[1] == 1:
        return Finding("colour", "grey", "grey")
    if tones.is_grey(parts):
        return Finding("colour", "grey", "grey, though stored as colour")
    return Finding("colour", "colour", "colour")


def _jpeg(lattice: Lattice | None, head: Head) -> Finding:
    if lattice is None:
        return Finding("jpeg", None, "no traces of JPEG compression", 0.8)
    quality, match, sampling = lattice
    where = "JPEG" if head.jpeg else "was once a JPEG"
    text = f"{where} of about quality {quality}" + (f", chroma {sampling}" if not head.jpeg else "")
    if quality >= QUALITY:
        return Finding("jpeg", quality, f"{text}: hardly visible", match)
    own = {} if head.jpeg else {"quality": quality, "subsampling": sampling}
    return Finding("jpeg", quality, f"{text}: blocks and ringing", match, "jpeg", own)


def _blurred(blur: Blur | None, sigma: float) -> Finding:
    if blur is None:
        return Finding("blur", None, "cannot be told here", 0.0)
    sure = blur.gain / (blur.gain + GAIN)
    if not is_blur(blur, WIDTH, GAIN):
        return Finding("blur", round(blur.width, 2), "no blur that could be told", max(0.5, 1 - sure))
    options = {"width": round(blur.width, 2), "sigma": round(max(sigma, 0.003), 4)}
    return Finding(
        "blur", options["width"], f"Gaussian blur of width {blur.width:.2f} pixels", sure, "deblur", options
    )


def _noisy(noise: Estimate | None, sigma: float, blur: Blur | None, channels: int) -> Finding:
    if noise is None:
        return Finding("noise", None, "cannot be told here", 0.0)
    if sigma < NOISE:
        return Finding("noise", round(sigma, 4), f"little noise ({sigma:.2g})" if sigma else "no noise", 0.8)
    shared = ", the same in all channels" if noise.covariance is not None else ""
    shape = ", more in bright parts" if noise.map is not None else shared
    text = f"noise of {sigma:.3f} of full scale{shape}"
    if not _borne_out(noise, blur, sigma, channels):
        text = f"fine texture, or {text}; if you see noise: --task denoise"
        return Finding("noise", round(sigma, 4), text, 0.4)
    return Finding(
        "noise", round(sigma, 4), text, min(0.95, 0.5 + 10 * sigma), "denoise", {"sigma": round(sigma, 4)}
    )


def _under(luma: float, channels: int) -> Finding:
    """Noise from before the compression, `luma` that of the luma."""
    sigma = round(luma / (LUMA_NOISE if channels == 3 else 1.0), 4)
    text = f"noise of {sigma:.3f} of full scale, from before it was compressed"
    return Finding("noise", sigma, text, 0.7, "denoise", {"sigma": sigma})


def _borne_out(noise: Estimate, blur: Blur | None, sigma: float, channels: int) -> bool:
    """Whether the highest frequencies hold as much, or the noise follows brightness, as texture does not."""
    if noise.map is not None or blur is None:
        return True
    return blur.sigma / (LUMA_NOISE if channels == 3 else 1.0) >= BORNE_OUT * sigma


def _levels(levels: tuple[int, float] | None) -> Finding:
    if levels is None:
        return Finding("levels", None, "no bands", 0.9)
    count, sure = levels
    return Finding(
        "levels", count, f"only {count} levels a channel: bands", sure, "dequantize", {"levels": count}
    )


def _cut(parts: Tensor) -> Finding:
    black, white = tones.clipped(parts)
    text = f"{black:.1%} of the pixels are black, {white:.1%} white" if black + white > 1e-3 else "hardly any"
    return Finding("clipped", round(black + white, 4), text)


def _impulses(found: marks.Impulses) -> Finding:
    if not found.found:
        return Finding("impulses", round(found.share, 5), "no salt and pepper", 0.9)
    share = min(round(1.05 * found.share, 4), 0.9)
    return Finding(
        "impulses", share, f"salt and pepper on {share:.1%} of the pixels", 0.9, "impulse", {"share": share}
    )


def _marked(dead: int, scratches: int) -> Finding:
    if not dead + scratches:
        return Finding("marks", 0, "no scratches or dead pixels", 0.5)
    found = [f"{dead} dead pixels"] * bool(dead) + [f"{scratches} scratches"] * bool(scratches)
    text = f"perhaps {' and '.join(found)}; --mask FILE writes them, to look at and correct"
    return Finding("marks", dead + scratches, text, 0.4, "inpaint")


def _faces(picture: Picture) -> Finding:
    from restora import faces

    count = len(faces.find(picture.pixels))
    noun = "face" if count == 1 else "faces"
    return Finding("faces", count, f"{count} {noun}; restore takes --faces" if count else "no faces", 0.8)

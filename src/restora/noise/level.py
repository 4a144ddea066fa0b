"""The noise of an image, read off the noisy image alone.

    N = s^2 I,  or a covariance of the channels where they share their noise

1. White noise shows in differences of colours, which hold the noise of a photo and little else:
   sigma = median |w * d| / 0.6745,   w the diagonal details of the Daubechies wavelet with four taps, d two
   orthonormal differences. A file has cut the noise that reached beyond 0 or 1; only where the image keeps
   `MARGIN` deviations away from both is it counted.
2. Other noise (grey, of film, of a JPEG file or a camera, whose colours were made smooth) shows in the
   flattest blocks (`restora.noise.flat`). What a denoiser for white noise has to be told is the deviation at
   middle frequencies of the mean of the channels: measured on photos, by which noise of each kind is removed
   best. Where the flattest blocks look like texture, there is no noise that could be told from it.

Source of 1: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 1994.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.errors import ShapeError
from restora.noise.flat import BINS, MIDDLE, Flat, flat_blocks

TAPS = (-0.12940952255126037, -0.2241438680420134, 0.8365163037378079, -0.48296291314453416)
SMALLEST = len(TAPS)  # pixels a side
COLOURS = ((2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
MEAN = (3**-0.5,) * 3
QUARTILE = 0.6744897501960817  # the median of |e|, e ~ N(0, 1)
MARGIN, FEWEST = 2.0, 400
ENOUGH = 1000  # places a side to look at
SPREAD, GROWTH = (0.4, 1.4), 1.25  # of `Flat`, within and up to which it is noise
GROWS = 1.6  # variance of noise in bright places over that in dark ones, from which on it counts
NEARBY = 7  # pixels a side of a place
WHITE = 1.25  # largest over smallest deviation of the bands
COLOUR, LUMA = 1 / 255, 4 / 255  # least deviations that are noise: differences of colours, and their mean
OWN = 0.35  # differences of colours over their mean, up to which the channels share their noise
CUT = 2.0  # deviations from 0 or 1, below which noise is cut
SHADING = (64.0, 20.0)  # power of a band over that of the next, the lowest first
HIDES = 1.25  # noise over the deviation of the flattest blocks, at most
TEXTURED = 3.2  # power of the mean over the most that is borne out, from which on it is texture
BORNE_OUT, TEXTURE = 2.5, 2.0  # mean of the channels over differences of colours, at most; in texture


class Estimate(NamedTuple):
    """sigma: the deviation for which a denoiser for white noise does best; 0 where no noise was found.
    covariance: (C, C), where the channels share their noise. map: (1, H, W), deviations, where it grows with
    brightness. most: where no noise was found, the most white noise that may hide in the flattest blocks."""

    sigma: Tensor
    covariance: Tensor | None = None
    map: Tensor | None = None
    most: float = 0.0


def estimate_sigma(y: Tensor) -> Tensor:
    """Estimate the standard deviation of the noise in each image.

    The estimate is within 10 % on most photos with white noise of 0.02 to 0.2, and within 25 % on most JPEG
    files of noisy photos. In images with texture everywhere, part of the texture counts as noise. For noise
    that is not white, it is the level of white noise at which denoising works best.

    Args:
        y: images, (B, C, H, W) in [0, 1].

    Returns:
        (B,), full scale 1; 0 if no noise was found.

    Raises:
        ShapeError: for images with fewer than 4 pixels per side.
    """
    return torch.stack([estimate.sigma for estimate in estimate_noise(y)]).to(y) if len(y) else y.new_zeros(0)


def estimate_noise(y: Tensor) -> list[Estimate]:
    """The noise in each of the images y (B, C, H, W); as for `estimate_sigma`."""
    if y.ndim != 4:
        raise ShapeError(f"expected images (B, C, H, W) to find the noise in, got {tuple(y.shape)}")
    if min(y.shape[-2:]) < SMALLEST:
        raise ShapeError(
            f"expected at least {SMALLEST} pixels a side to find the noise, got {y.shape[-1]}x{y.shape[-2]}; "
            "give its standard deviation, such as sigma=0.03"
        )
    return [_estimate(image if image.dtype == torch.float64 else image.float()) for image in y]


def fill_in(found: Sequence[Estimate]) -> list[float | None]:
    """Of pictures that were taken alike, such as the planes of a stack: the median of what was found, for
    those in which nothing was, though so much may hide there, and None for the others; None for all, if it
    was found in less than half of them."""
    levels = [float(one.sigma) for one in found if one.sigma > 0]
    if 2 * len(levels) < len(found):
        return [None] * len(found)
    level = median(levels)
    hidden = [one.sigma == 0 and HIDES * one.most > level for one in found]
    return [level if each else None for each in hidden]


def _estimate(image: Tensor) -> Estimate:
    """That of one image (C, H, W)."""
    channels = len(image)
    basis = image.new_tensor((MEAN, *COLOURS)) if channels == 3 else torch.eye(channels).to(image)
    flat = flat_blocks(image, basis) if channels in (1, 3) else None
    if flat is None:
        return Estimate(_details(image))
    noise, most, level = _is_noise(flat), _most(flat), flat.power[:, 0, MIDDLE[0]]
    likely = noise | (level <= TEXTURED * most)
    found, many = bool(noise.any()), len(noise) == BINS
    kept = noise if found else _nearest(flat)
    power = flat.power[kept].median(0).values
    deviation = power.sqrt()
    nothing = Estimate(image.new_zeros(()), most=float(deviation[0].min()))
    if channels == 1:
        limit = flat.limit.median(0).values.sqrt()
        sigma = _of_grey(torch.where(limit > LUMA, torch.minimum(deviation[0], limit), deviation[0]))
        return Estimate(sigma) if found and sigma > 0 else nothing
    mean, colours = deviation[0], power[1:].mean(0).sqrt()
    white = bool(colours.min() > COLOUR) and _white(colours[1:])
    own = found and bool((mean[1:] > 1.8 * colours[1:]).all())
    if white and not own:
        return (_estimate_map(image, flat, likely) if found and many else None) or Estimate(_details(image))
    sigma = _borne_out(mean[1], deviation[2, 1])
    if found:
        alike = noise if noise.sum() > 1 else likely  # one range alone may be even by chance
        sigma = torch.minimum(level, most)[alike].quantile(0.5).sqrt()
    if sigma < LUMA:
        return nothing
    if not found or not many:
        return Estimate(sigma)
    covariance = flat.covariance[kept].mean(0)
    if covariance.diagonal()[1:].max().sqrt() < OWN * sigma:
        return Estimate(sigma, _shared(covariance, sigma, basis))
    return _estimate_map(image, flat, likely) or Estimate(sigma)


def _is_noise(flat: Flat) -> Tensor:
    """The ranges of brightness whose blocks are like noise, as a mask."""
    even = (flat.spread > SPREAD[0]) & (flat.spread < SPREAD[1]) & (flat.growth < GROWTH)
    return even & ~_shaded(flat)


def _most(flat: Flat) -> Tensor:
    """For each range, the power of the mean that the differences of colours, which hold little texture, bear
    out. No limit where they hold nothing, or noise was cut at 0 or 1, in them too."""
    if flat.power.shape[1] == 1:
        return torch.full_like(flat.brightness, torch.inf)
    most = BORNE_OUT**2 * flat.power[:, 2, MIDDLE[0]]
    whole = torch.minimum(flat.brightness, 1 - flat.brightness).square() > CUT**2 * most
    return torch.where(whole & (most > (4 * BORNE_OUT * COLOUR) ** 2), most, torch.inf)


def _shaded(flat: Flat) -> Tensor:
    """Ranges whose coefficients fall off with frequency as those of smooth shading do, and of no noise."""
    power = flat.power[:, 0]
    return (power[:, 0] > SHADING[0] * power[:, 1]) & (power[:, 1] > SHADING[1] * power[:, 2])


def _borne_out(mean: Tensor, difference: Tensor) -> Tensor:
    """As much of the deviation of the mean as that of a difference of colours bears out."""
    return torch.minimum(mean, TEXTURE * difference) if difference > 2 * COLOUR else 0 * mean


def _estimate_map(image: Tensor, flat: Flat, likely: Tensor) -> Estimate | None:
    """Of a variance a m + b, for the brightness m nearby, by the ranges that are likely to show noise; None
    where it hardly varies, or there is one range."""
    flat = Flat(*(values[likely] for values in flat))
    if len(flat.brightness) < 2:
        return None
    power = flat.power[:, 0, MIDDLE[0]]
    weight = (1 / (power * flat.spread * flat.growth)).nan_to_num(0, 0, 0)  # where there is no noise at all
    a, b = _line(flat.brightness, power, weight)
    near = F.avg_pool2d(image.mean(0, keepdim=True)[None], NEARBY, 1, NEARBY // 2, count_include_pad=False)[0]
    variance = a * near.clamp(flat.brightness.min().item(), flat.brightness.max().item()) + b
    low, high = variance.flatten()[:: 1 + variance.numel() // 10000].quantile(variance.new_tensor((0.1, 0.9)))
    if high < GROWS * low:
        return None
    return Estimate(variance.mean().sqrt(), map=variance.sqrt())


def _line(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """a, b >= 0 of the line a x + b that is nearest to y: least weighted squares."""
    rows, right = torch.stack([x, torch.ones_like(x)], 1) * weight[:, None], y * weight
    found = torch.linalg.lstsq(rows, right).solution
    if bool((found >= 0).all()):
        return found
    alone = ((rows.T @ right) / rows.square().sum(0)).clamp(min=0)
    error = (rows * alone - right[:, None]).square().sum(0)
    return torch.where(error == error.min(), alone, 0)


def _nearest(flat: Flat) -> Tensor:
    """The range of brightness whose blocks are the most like noise, as a mask."""
    order = flat.spread * flat.growth
    return order == order.min()


def _white(deviation: Tensor) -> bool:
    return bool(deviation.max() < WHITE * deviation.min())


def _of_grey(deviation: Tensor) -> Tensor:
    """From the deviation of each band."""
    sigma = deviation[2:].mean() if _white(deviation[2:]) else deviation[1]
    return sigma if sigma >= LUMA else 0 * sigma


def _shared(covariance: Tensor, sigma: Tensor, basis: Tensor) -> Tensor:
    """The covariance of the channels, given that of the mean and two differences in the lowest band; smooth
    shading is in that of the mean, of which the deviation is known to be `sigma`."""
    scale = torch.ones_like(covariance[0])
    scale[0] = sigma / covariance[0, 0].sqrt()
    return basis.T @ (scale[:, None] * covariance * scale) @ basis


def _details(image: Tensor) -> Tensor:
    """The deviation of white noise, by wavelet details."""
    size, taps = len(TAPS), image.new_tensor(TAPS)
    stride = max(1, math.isqrt(image[0].numel()) // ENOUGH)
    channels = torch.einsum("kc,chw->khw", image.new_tensor(COLOURS), image) if len(image) == 3 else image
    details = F.conv2d(channels[:, None], taps.outer(taps)[None, None], stride=stride).flatten(1).abs()
    mean = F.avg_pool2d(image[None], size, stride)[0]
    room = torch.minimum(mean, 1 - mean).amin(0).flatten()
    most = room.topk(min(FEWEST, len(room))).values[-1]
    level = image.new_tensor(0.01)
    for _ in range(6):
        level = details[:, room >= torch.minimum(MARGIN * level, most)].median() / QUARTILE
    return level

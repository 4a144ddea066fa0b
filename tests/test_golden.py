"""Every shipped prior restores the astronaut as well as when these numbers were measured.

Observations are rounded to 8 bits, as files hold them; the noise and the solvers have seed 0. Priors of faces
see her face, priors of any size the whole picture at 128x128. Other threads and bfloat16 move a number by up
to 0.06 dB. A change that moves one further changes quality: if that is intended, measure the table again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from skimage import data
from torch import Tensor
from torch.nn import functional as F

from restora import (
    AdditiveNoise,
    Blur,
    Downsample,
    Grayscale,
    Mask,
    Poisson,
    Quantize,
    load_prior,
    restore,
)
from restora.align import astronaut
from restora.degradations import JPEG, Degradation
from restora.metrics import psnr
from restora.random import generators

TOLERANCE = 0.1  # dB

TASKS: dict[str, Callable[[tuple[int, int]], Degradation]] = {
    "inpaint": lambda size: Mask.center(size),
    "colorize": lambda size: Grayscale(),
    "superres": lambda size: Downsample(4),
    "denoise": lambda size: AdditiveNoise(0.1),
    "dequantize": lambda size: Quantize(5),
    "jpeg": lambda size: JPEG(10),
    "deblur": lambda size: Blur(),
    "poisson": lambda size: Poisson(),
}

# PSNR in dB, by prior and method.
GOLDEN = {
    ("faces64", "mmse"): {
        "inpaint": 26.06,
        "colorize": 29.70,
        "superres": 26.77,
        "denoise": 31.57,
        "dequantize": 30.74,
        "jpeg": 28.28,
        "deblur": 31.65,
        "poisson": 30.02,
    },
    ("faces64-dcgan", "map"): {
        "inpaint": 25.09,
        "colorize": 29.58,
        "superres": 25.79,
        "denoise": 30.20,
        "dequantize": 28.20,
    },
    ("faces64-gaussian", "lmmse"): {
        "inpaint": 25.90,
        "colorize": 28.09,
        "superres": 25.82,
        "denoise": 30.35,
        "dequantize": 28.21,
    },
    ("faces64-dictionary", "sparse"): {
        "inpaint": 24.39,
        "superres": 25.32,
        "denoise": 30.08,
        "dequantize": 28.68,
    },
    ("natural", "onepass"): {
        "inpaint": 16.89,
        "colorize": 19.45,
        "superres": 21.47,
        "denoise": 29.13,
        "dequantize": 26.73,
        "jpeg": 24.29,
        "deblur": 26.17,
        "poisson": 27.24,
    },
    ("natural", "mmse"): {
        "inpaint": 16.90,
        "colorize": 18.95,
        "superres": 21.43,
        "denoise": 29.13,
        "dequantize": 26.52,
        "jpeg": 24.12,
        "deblur": 26.21,
        "poisson": 27.24,
    },
    ("natural-gaussian", "lmmse"): {
        "inpaint": 17.05,
        "colorize": 18.81,
        "superres": 20.48,
        "denoise": 25.79,
        "dequantize": 26.07,
    },
}

DEFAULT = {
    "faces64": "mmse",
    "faces64-dcgan": "map",
    "faces64-gaussian": "lmmse",
    "natural": "onepass",
    "natural-gaussian": "lmmse",
}

SAMPLES = (26.54, 26.24)
"""Super-resolution by `faces64`: the mean with which samples come, and a sample."""


load = cache(load_prior)


@cache
def truth(prior: str) -> Tensor:
    """(1, 3, H, W)."""
    if not prior.startswith("natural"):
        return astronaut()[None]
    return F.avg_pool2d(torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255, 4)


def observe(task: str, x: Tensor) -> tuple[Tensor, Degradation]:
    degradation = TASKS[task]((x.shape[2], x.shape[3]))
    y = degradation(x, generators(0, 1))
    return (255 * y.clamp(0, 1)).round() / 255, degradation


CASES = [(*key, task) for key, values in GOLDEN.items() for task in values]


@pytest.mark.parametrize(("name", "method", "task"), CASES)
def test_restores_as_well_as_ever(name: str, method: str, task: str) -> None:
    x = truth(name)
    y, degradation = observe(task, x)
    chosen = "auto" if method == DEFAULT.get(name) else method
    result = restore(y, degradation, prior=load(name), method=chosen, seed=0)
    assert result.method == method
    assert psnr(result.image, x).item() == pytest.approx(GOLDEN[name, method][task], abs=TOLERANCE)


def test_samples_are_as_good_as_ever() -> None:
    x = truth("faces64")
    y, degradation = observe("superres", x)
    result = restore(y, degradation, prior=load("faces64"), samples=2, seed=0)
    found = psnr(result.samples[0], x.expand(2, -1, -1, -1))
    assert found.tolist() == pytest.approx(SAMPLES, abs=TOLERANCE)

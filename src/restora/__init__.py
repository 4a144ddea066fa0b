"""Restore images from any known degradation with one generative prior."""

from restora.degradations import (
    AdditiveNoise,
    Blur,
    Degradation,
    Downsample,
    Grayscale,
    LinearDegradation,
    Mask,
    Quantize,
    degradations,
)
from restora.errors import RestoraError
from restora.priors import GANPrior, GaussianPrior, Prior, load_prior, priors
from restora.restore import Restoration, restore, stream
from restora.solvers import LMMSE, LatentMAP, Solver, Step, solvers

__version__ = "0.1.0"

__all__ = [
    "LMMSE",
    "AdditiveNoise",
    "Blur",
    "Degradation",
    "Downsample",
    "GANPrior",
    "GaussianPrior",
    "Grayscale",
    "LatentMAP",
    "LinearDegradation",
    "Mask",
    "Prior",
    "Quantize",
    "RestoraError",
    "Restoration",
    "Solver",
    "Step",
    "degradations",
    "load_prior",
    "priors",
    "restore",
    "solvers",
    "stream",
]

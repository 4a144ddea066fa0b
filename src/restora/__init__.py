"""Restore images from any known degradation with one generative prior."""

from restora.degradations import (
    AdditiveNoise,
    Blur,
    Chain,
    Degradation,
    Downsample,
    Grayscale,
    Impulse,
    LinearDegradation,
    Mask,
    Poisson,
    Quantize,
    UnknownNoise,
    degradations,
    estimate_sigma,
)
from restora.errors import RestoraError
from restora.priors import DictionaryPrior, GANPrior, GaussianPrior, Prior, load_prior, priors
from restora.restoration import Restoration, restore, stream
from restora.solvers import LMMSE, TV, LatentMAP, LowRank, Solver, Sparse, Step, solvers

__version__ = "0.1.0"

__all__ = [
    "LMMSE",
    "TV",
    "AdditiveNoise",
    "Blur",
    "Chain",
    "Degradation",
    "DictionaryPrior",
    "Downsample",
    "GANPrior",
    "GaussianPrior",
    "Grayscale",
    "Impulse",
    "LatentMAP",
    "LinearDegradation",
    "LowRank",
    "Mask",
    "Poisson",
    "Prior",
    "Quantize",
    "RestoraError",
    "Restoration",
    "Solver",
    "Sparse",
    "Step",
    "UnknownNoise",
    "degradations",
    "estimate_sigma",
    "load_prior",
    "priors",
    "restore",
    "solvers",
    "stream",
]

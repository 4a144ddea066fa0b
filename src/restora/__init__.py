"""Restore images from any known degradation with one generative prior."""

from restora.degradations import (
    JPEG,
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
    estimate_sigma,
    from_physics,
)
from restora.errors import RestoraError
from restora.noise import GaussianNoise, Noise
from restora.operators import Function, Operator
from restora.plan import Plan, decide
from restora.priors import DictionaryPrior, FlowPrior, GANPrior, GaussianPrior, Prior, load_prior
from restora.restoration import Restoration, restore, stream
from restora.solvers import LMMSE, MMSE, TV, Flower, LatentMAP, LowRank, Solver, Sparse, Step

__version__ = "0.1.0"

__all__ = [
    "JPEG",
    "LMMSE",
    "MMSE",
    "TV",
    "AdditiveNoise",
    "Blur",
    "Chain",
    "Degradation",
    "DictionaryPrior",
    "Downsample",
    "FlowPrior",
    "Flower",
    "Function",
    "GANPrior",
    "GaussianNoise",
    "GaussianPrior",
    "Grayscale",
    "Impulse",
    "LatentMAP",
    "LinearDegradation",
    "LowRank",
    "Mask",
    "Noise",
    "Operator",
    "Plan",
    "Poisson",
    "Prior",
    "Quantize",
    "RestoraError",
    "Restoration",
    "Solver",
    "Sparse",
    "Step",
    "decide",
    "estimate_sigma",
    "from_physics",
    "load_prior",
    "restore",
    "stream",
]

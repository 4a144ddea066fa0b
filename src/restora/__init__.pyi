from . import degradations as degradations
from . import device as device
from . import errors as errors
from . import faces as faces
from . import figure as figure
from . import gaussian as gaussian
from . import isolation as isolation
from . import networks as networks
from . import noise as noise
from . import observation as observation
from . import operators as operators
from . import options as options
from . import orientation as orientation
from . import pairing as pairing
from . import pictures as pictures
from . import plan as plan
from . import priors as priors
from . import random as random
from . import registry as registry
from . import restoration as restoration
from . import result as result
from . import solvers as solvers
from . import tiles as tiles
from .degradations import (
    JPEG,
    AdditiveNoise,
    Blur,
    Chain,
    Degradation,
    Demosaic,
    Downsample,
    Grayscale,
    Impulse,
    LinearDegradation,
    Mask,
    Poisson,
    Quantize,
    Stacked,
    estimate_sigma,
    from_physics,
)
from .errors import RestoraError
from .noise import GaussianNoise, Noise
from .operators import Function, Operator
from .plan import Plan, decide
from .priors import DictionaryPrior, FlowPrior, GANPrior, GaussianPrior, Prior, load_prior
from .restoration import restore, stream
from .result import Restoration
from .solvers import LMMSE, MMSE, TV, Flower, LatentMAP, LowRank, Solver, Sparse, Step

__version__: str

__all__ = [
    "JPEG",
    "LMMSE",
    "MMSE",
    "TV",
    "AdditiveNoise",
    "Blur",
    "Chain",
    "Degradation",
    "Demosaic",
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
    "Stacked",
    "Step",
    "decide",
    "estimate_sigma",
    "from_physics",
    "load_prior",
    "restore",
    "stream",
]

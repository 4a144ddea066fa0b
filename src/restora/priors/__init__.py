"""Priors: trained models of clean images. CONTRIBUTING.md shows how to add one."""

from restora.priors.amortised import AmortisedPrior
from restora.priors.base import Prior
from restora.priors.dictionary import DictionaryPrior
from restora.priors.direct import DirectPrior
from restora.priors.flow import FlowPrior
from restora.priors.gan import GANPrior
from restora.priors.gaussian import GaussianPrior
from restora.priors.store import load as load_prior
from restora.registry import Registry

priors: Registry[type[Prior]] = Registry("kind of prior", "restora.priors")
priors.register("gan", GANPrior)
priors.register("gaussian", GaussianPrior)
priors.register("dictionary", DictionaryPrior)
priors.register("flow", FlowPrior)
priors.register("direct", DirectPrior)
priors.register("amortised", AmortisedPrior)

__all__ = [
    "AmortisedPrior",
    "DictionaryPrior",
    "DirectPrior",
    "FlowPrior",
    "GANPrior",
    "GaussianPrior",
    "Prior",
    "load_prior",
    "priors",
]

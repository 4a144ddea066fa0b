"""Conventions of networks: a new one is one file here and one line below."""

from dataclasses import asdict
from typing import Any

from restora.priors.conventions.base import SCALE, Convention, Preconditioned
from restora.priors.conventions.exploding import VarianceExploding
from restora.priors.conventions.karras import Karras
from restora.priors.conventions.matching import FlowMatching
from restora.priors.conventions.preserving import VariancePreserving
from restora.registry import Registry

conventions: Registry[type[Convention]] = Registry("convention")
conventions.register("ve", VarianceExploding)
conventions.register("vp", VariancePreserving)
conventions.register("edm", Karras)
conventions.register("flow", FlowMatching)

VELOCITY = FlowMatching()
DENOISER = FlowMatching(low=0.0, spread=SCALE, answer="image")
"""What a FlowPrior calls by these names."""


def to_config(convention: Convention) -> dict[str, Any]:
    """For `from_config`; JSON types only."""
    return {"name": conventions.name_of(type(convention)), **asdict(convention)}


def from_config(config: dict[str, Any]) -> Convention:
    """UnknownNameError, TypeError and OptionError for what is none."""
    return conventions.get(config["name"])(**{name: config[name] for name in config if name != "name"})


__all__ = [
    "DENOISER",
    "SCALE",
    "VELOCITY",
    "Convention",
    "FlowMatching",
    "Karras",
    "Preconditioned",
    "VarianceExploding",
    "VariancePreserving",
    "conventions",
    "from_config",
    "to_config",
]

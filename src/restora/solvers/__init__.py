"""Solvers: observation + degradation + prior -> restoration. A new one is one file here and one line below."""

from restora.registry import Registry
from restora.solvers.base import Solver, Step
from restora.solvers.latent_map import LatentMAP

solvers: Registry[type[Solver]] = Registry("method")
solvers.register("map", LatentMAP)

__all__ = ["LatentMAP", "Solver", "Step", "solvers"]

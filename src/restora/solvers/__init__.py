"""Solvers: observation + degradation + prior -> restoration. A new one: one file here, one line below."""

from restora.registry import Registry
from restora.solvers.base import Solver, Step
from restora.solvers.latent_map import LatentMAP
from restora.solvers.lmmse import LMMSE
from restora.solvers.reference import ReferenceMAP

solvers: Registry[type[Solver]] = Registry("method")
solvers.register("map", LatentMAP)
solvers.register("reference", ReferenceMAP)
solvers.register("lmmse", LMMSE)

__all__ = ["LMMSE", "LatentMAP", "ReferenceMAP", "Solver", "Step", "solvers"]

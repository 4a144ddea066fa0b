"""Solvers: methods that restore an image from an observation, a degradation and a prior.

CONTRIBUTING.md shows how to add one.
"""

from restora.registry import Registry
from restora.solvers.base import Solver, Step
from restora.solvers.classical import Bicubic, Biharmonic, Observed
from restora.solvers.d_flow import DFlow
from restora.solvers.deconvolution import RichardsonLucy, WienerDeconvolution
from restora.solvers.denoisers import NLMeans, Wavelet
from restora.solvers.direct import Direct
from restora.solvers.dps import DPS
from restora.solvers.flower import Flower
from restora.solvers.hqs import HQS
from restora.solvers.latent_map import LatentMAP
from restora.solvers.lmmse import LMMSE
from restora.solvers.low_rank import LowRank
from restora.solvers.mmse import MMSE
from restora.solvers.onepass import OnePass
from restora.solvers.packaged import BM3D, OpenCV
from restora.solvers.pnp_flow import PnPFlow
from restora.solvers.reference import ReferenceMAP
from restora.solvers.sparse import Sparse
from restora.solvers.tv import TV

solvers: Registry[type[Solver]] = Registry("method", "restora.solvers")
solvers.register("map", LatentMAP)
solvers.register("reference", ReferenceMAP)
solvers.register("lmmse", LMMSE)
solvers.register("onepass", OnePass)
solvers.register("mmse", MMSE)
solvers.register("flower", Flower)
solvers.register("hqs", HQS)
solvers.register("pnpflow", PnPFlow)
solvers.register("dflow", DFlow)
solvers.register("dps", DPS)
solvers.register("direct", Direct)
solvers.register("tv", TV)
solvers.register("lowrank", LowRank)
solvers.register("sparse", Sparse)
solvers.register("observed", Observed)
solvers.register("bicubic", Bicubic)
solvers.register("biharmonic", Biharmonic)
solvers.register("wavelet", Wavelet)
solvers.register("nlmeans", NLMeans)
solvers.register("opencv", OpenCV)
solvers.register("bm3d", BM3D)
solvers.register("richardson", RichardsonLucy)
solvers.register("wiener", WienerDeconvolution)

__all__ = [
    "BM3D",
    "DPS",
    "HQS",
    "LMMSE",
    "MMSE",
    "TV",
    "Bicubic",
    "Biharmonic",
    "DFlow",
    "Direct",
    "Flower",
    "LatentMAP",
    "LowRank",
    "NLMeans",
    "Observed",
    "OnePass",
    "OpenCV",
    "PnPFlow",
    "ReferenceMAP",
    "RichardsonLucy",
    "Solver",
    "Sparse",
    "Step",
    "Wavelet",
    "WienerDeconvolution",
    "solvers",
]

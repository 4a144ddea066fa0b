"""Latent MAP with the settings that the authors of Yeh et al., ICASSP 2018, released.

    z_hat = argmin_z  sum_i w_i |y - A(G(z))|_i - lambda log D(G(z)),   images in [-1, 1]

One start, Nesterov momentum 0.9, z clipped to [-1, 1] at each step; the quantiser taken for the identity. For
inpainting w = m conv(1 - m, 15 x 15) and Poisson blending at the end; the other tasks keep G(z_hat).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import PairingError
from restora.options import Auto, option
from restora.priors.base import Prior
from restora.priors.gan import GANPrior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.kind import kind
from restora.solvers.latent_map import LatentMAP

# kind of degradation: (rate, lambda, iterations)
RELEASED: dict[str, tuple[float, float, int]] = {
    "mask": (3e-4, 0.2, 3000),
    "luma": (0.01, 0.1, 1000),
    "reduction": (1e-4, 0.01, 1000),
    "gaussian": (1e-4, 0.03, 1000),
    "rounding": (1e-4, 0.001, 1000),
}


@dataclass(frozen=True)
class ReferenceMAP(Solver[GANPrior]):
    """Latent MAP with the released settings of Yeh et al., for comparison; `map` is better."""

    needs: ClassVar[type[Prior] | None] = GANPrior

    iterations: int | Auto = option("auto", "gradient steps; auto: as in the released settings", 1)

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: GANPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        name = kind(degradation)
        if name not in RELEASED:
            known = ", ".join(RELEASED)
            raise PairingError(
                f"'reference' only has settings for {known}, not for {name}; use the method 'map'"
            )
        if name == "rounding":
            nearest = replace(degradation.noise, distance="identity")  # type: ignore[call-arg]
            degradation = Degradation(degradation.operator, nearest)
        solver = released(degradation)
        if self.iterations != "auto":
            solver = replace(solver, iterations=self.iterations)
        yield from solver.steps(y, degradation, prior, generator)


def released(degradation: Degradation) -> Released:
    """The settings for such a degradation; one of those in `RELEASED`."""
    rate, weight, iterations = RELEASED[kind(degradation)]
    hole = degradation.operator.mask is not None
    return Released(
        p=1,
        rate=rate,
        lambda_d=weight,
        lambda_z=0.0,
        iterations=iterations,
        restarts=1,
        start="random",
        optimizer="nesterov",
        schedule="constant",
        window=15 if hole else 0,
        patience=0,
        precision="float32",
        finish="blend" if hole else "none",
    )


@dataclass(frozen=True)
class Released(LatentMAP):
    """The released objective: residuals are twice as large in [-1, 1], and -log D stands for the logit."""

    def objective(self, x: Tensor, z: Tensor, fidelity: Tensor, prior: GANPrior) -> Tensor:
        return 2 * fidelity + self.lambda_d * F.softplus(-prior.logit(x))

"""The settings of the latent searches, and the two formulas that depend on them alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from restora.options import Auto, chosen, option
from restora.priors.base import Prior
from restora.priors.gan import GANPrior
from restora.solvers.base import Solver

SEARCH = 100  # iterations, where there are any and none are set


@dataclass(frozen=True)
class LatentSettings(Solver[GANPrior]):
    """What `LatentMAP` and its parts share."""

    needs: ClassVar[type[Prior] | None] = GANPrior

    p: int = option(2, "power of the data term", 1, 2)
    lambda_d: float = option(0.1, "weight of the discriminator's logit", 0)
    lambda_z: float = option(0.3, "weight of the latent's log prior", 0)
    start: Literal["auto", "random", "encoder", "lookup"] = option(
        "auto",
        "start of the search; auto: the table if given, otherwise the prior's encoder if it has one",
    )
    table: str = option("", "folder written by 'restora train lookup'")
    iterations: int | Auto = option(
        "auto",
        "maximum number of gradient steps; 0: no search; auto: 0 for a single start from an encoder with a "
        f"measured correction, which a search would make worse, otherwise {SEARCH}",
        0,
    )
    budget: float = option(0.0, "time limit of the search in seconds per image; 0: none", 0)
    restarts: int | Auto = option(
        "auto", "starts per image; auto: 1 from the encoder or the table, 3 random ones", 1
    )
    survivors: int = option(1, "starts per image that continue after the trial (the best ones)", 1)
    trial: float = option(0.2, "fraction of the iterations that every start gets", 0, 1)
    rate: float = option(0.2, "largest step size of the optimiser", above=0)
    optimizer: Literal["adam", "nesterov"] = option("adam", "optimiser; nesterov clips z to [-1, 1]")
    schedule: Literal["cosine", "constant"] = option("cosine", "step size over the iterations")
    window: int = option(
        0, "inpainting: side of the window in which missing pixels increase a weight; 0: equal weights", 0
    )
    patience: int = option(30, "stop a latent after this many steps without progress; 0: never", 0)
    tolerance: float = option(1e-3, "relative decrease of the objective that counts as progress", 0)
    precision: Literal["auto", "float32"] = option(
        "auto", "precision of the search; auto: bfloat16 on processors where it is faster"
    )
    adapt: int = option(0, "steps that fit a copy of the generator to each image, after the search", 0)
    adapt_rate: float = option(
        3e-4, "step size for the weights of that copy; 30 times this for its latent", above=0
    )
    finish: Literal["auto", "gaussian", "smooth", "blend", "project", "none"] = option(
        "auto",
        "how G(z) is corrected by y: gaussian, as measured with the encoder on real images; smooth, by a "
        "smooth field; blend, by Poisson blending (inpainting only); project, by the smallest correction; or "
        "none. auto: gaussian if the prior has that measurement, otherwise smooth",
    )

    def rate_at(self, done: float) -> float:
        """Of a step, when the part `done` of the steps, or of the budget, is over."""
        if self.schedule == "constant":
            return self.rate
        warm_up = min(1.0, (done + 1 / chosen(self.iterations)) / 0.05)
        return self.rate * warm_up * 0.5 * (1 + math.cos(math.pi * done))

    def objective(self, x: Tensor, z: Tensor, fidelity: Tensor, prior: GANPrior) -> Tensor:
        """-log posterior up to constants, (N,)."""
        loss = fidelity + self.lambda_z * z.flatten(1).square().sum(1) / 2
        if self.lambda_d and prior.discriminator is not None:
            loss = loss - self.lambda_d * prior.logit(x)
        return loss

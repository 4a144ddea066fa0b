"""The one optimiser of the classical methods: the alternating direction method of multipliers.

    x_hat = argmin_x |A x - y|^2 / (2 sigma^2) + (weight / sigma) R(x)

split as x = z and multiplied by sigma^2, with the scaled multiplier u and the penalty rho:

    x <- argmin_x |A x - y|^2 / 2 + rho/2 |x - z + u|^2     degradation.prox_l2, exact
    z <- argmin_z weight sigma R(z) + rho/2 |z - x - u|^2   the proximal operator of R
    u <- u + x - z

weight / sigma, and not weight, is in front of R because the best factor falls about as 1 / sigma. An exact
observation (sigma = 0) is a constraint: x is projected on what explains y, and weight is scaled by `NOMINAL`
for sigma; where R is convex it then sets how fast the minimum is reached, and not where it is. Where A is not
linear, its `tangent` stands for it, and x is made to `fit` y: quantisation is noise of variance step^2 / 12
that keeps to its cell. Source: Afonso, Bioucas-Dias and Figueiredo, IEEE TIP
2011; Boyd et al., Foundations and Trends in Machine Learning 2011.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor

from restora.degradations import Degradation, whitened
from restora.noise import GaussianNoise
from restora.operators.luma import Grey
from restora.options import Auto, chosen, option
from restora.priors.base import Prior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.kind import OTHER, kind

NOMINAL = 0.1
STEPS, USUAL = 20, 100
SMALL, FIRST = 0.1, 10
"""A way shorter than this part of the image counts as so long; it begins slowly."""
Settings = Mapping[str, Any]


class Regularizer(Protocol):
    """R in one run. An operator that is itself found by iteration keeps its state from call to call."""

    def prox(self, v: Tensor, step: float) -> Tensor:
        """argmin_z step R(z) + |z - v|^2 / 2, images (B, C, H, W)."""
        ...

    def value(self, x: Tensor) -> Tensor:
        """R(x) of each image, (B,)."""
        ...


def tuned(help: str, low: float = -math.inf, above: float = -math.inf) -> Any:
    """An option that is "auto" by default: the best value on held-out pictures for the task at hand."""
    return option("auto", f"{help}; auto: the best for the task", low, above=above)


@dataclass(frozen=True)
class ADMM(Solver[Prior | None]):
    """A classical method: a subclass gives R, and the settings that are best for each degradation, by `kind`;
    those of `other` are for all without a row."""

    best: ClassVar[Mapping[str, Settings]]

    weight: float | Auto = tuned("weight of R, for noise of standard deviation 1", above=0)
    penalty: float | Auto = tuned("rho of ADMM; for convex R it affects the speed only", above=0)
    iterations: int | Auto = tuned("iterations", low=1)

    def handles(self, degradation: Degradation, prior: Prior | None = None) -> bool:
        """No such R says anything of the colours of a grey picture."""
        parts = getattr(degradation.operator, "parts", [degradation.operator])
        return not any(isinstance(part, Grey) for part in parts)

    def settled(self, degradation: Degradation) -> Self:
        """This solver with a value in the place of every one to be the best."""
        row = self.best.get(kind(degradation), self.best[OTHER])
        return replace(self, **{name: value for name, value in row.items() if getattr(self, name) == "auto"})

    @property
    def precision(self) -> float | None:
        """How near its minimum an image is done, as a part of the way there; None: all `iterations` are."""
        return None

    def regularizer(self, start: Tensor, prior: Prior | None) -> Regularizer:
        """R for images like `start`; called on a settled solver."""
        raise NotImplementedError

    def start(self, y: Tensor, degradation: Degradation) -> Tensor:
        """The first z, (B, C, H, W): A^dagger y where it is a formula, else y, if that is an image."""
        same = degradation.operator.image_shape(tuple(y.shape[1:])) == tuple(y.shape[1:])
        return y if same and degradation.operator.gram is None else degradation.A_dagger(y)

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        stabilizer = degradation.noise.stabilizer
        if not degradation.noise.shared:
            yield from self._each(y, degradation, prior, generator)
            return
        if stabilizer is not None and degradation.operator.identity:
            white = Degradation(degradation.operator, GaussianNoise(stabilizer.deviation))
            for step in self.steps(stabilizer.forward(y), white, prior, generator):
                yield replace(step, x=stabilizer.inverse(step.x))
            return
        solver, start = self.settled(degradation), self.start(y, degradation)
        yield from admm(y, degradation, solver.regularizer(start, prior), start, solver)

    def _each(
        self, y: Tensor, degradation: Degradation, prior: Prior | None, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        """One image after the other, where each has noise of its own: the last steps alone."""
        rows = torch.arange(len(y), device=y.device).split(1)
        found = []
        for i, stream in zip(rows, generator, strict=True):
            *_, last = self.steps(y[i], degradation.take(i), prior, [stream])
            found.append(last)
        x, loss = (torch.cat([getattr(step, name) for step in found]) for name in ("x", "loss"))
        ended = [step.converged for step in found if step.converged is not None]
        yield Step(1, 1, x, loss, converged=torch.cat(ended) if ended else None)


def admm(
    y: Tensor, degradation: Degradation, regularizer: Regularizer, start: Tensor, settings: ADMM
) -> Iterator[Step]:
    """About `STEPS` steps in `USUAL` iterations, with the objective times sigma^2 as their loss.

    Of an exact observation the restoration is x, which explains it; of a noisy one z, which is regular. An
    image is done, and stays as it is, when neither it nor x - z moves by more than a part of its way so far.
    """
    model, observed = whitened(*degradation.gaussian(start, y))
    factor, total = chosen(settings.weight) * (model.sigma or NOMINAL), chosen(settings.iterations)
    penalty = chosen(settings.penalty)
    gamma = 1 / penalty if model.sigma > 0 else math.inf
    every = max(1, min(total, USUAL) // STEPS)
    z, u, found = start, torch.zeros_like(start), start
    done = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    for i in range(1, total + 1):
        x = degradation.project(model.prox_l2(z - u, observed, gamma), y)
        z = regularizer.prox(x + u, factor / penalty)
        u = u + x - z
        new = z if degradation.noise.level > 0 else x
        ended = done
        if settings.precision is not None and i > FIRST:
            way = torch.maximum(_size(new - start), SMALL * _size(new))
            still = torch.maximum(_size(new - found), _size(x - z)) <= settings.precision * way
            ended = done | still
        found, done = torch.where(done.view(-1, 1, 1, 1), found, new), ended
        last = i == total or bool(done.all())
        if i % every == 0 or last:
            loss = model.fidelity(found, observed) / 2 + factor * regularizer.value(found)
            converged = done if last and settings.precision is not None else None
            yield Step(total if last else i, total, found, loss, converged=converged)
        if last:
            return


def _size(x: Tensor) -> Tensor:
    """|x| of each image, (B,)."""
    return x.flatten(1).norm(dim=1)

"""D-Flow: latent MAP with the flow's ODE as the generator.

    z_hat = argmin_z  d(y, A T(z)) + lambda R(z),   T(z) = w_1 from w_0 = s z,   lambda = weight 2 sigma^2
    R = |z|^2 / 2 - (d - 1) log |z|   radius: minus the log density of the length of a standard normal z
    R = |z|^2 / 2                     gaussian: at weight 1, z_hat is the most probable z given y

Were T linear, `gaussian` would give the posterior mean, exactly. L-BFGS with gradients through the ODE, whose
steps are computed anew on the way back, so that memory holds one at a time. It starts from
sqrt(alpha) T^-1(A^dagger y) + sqrt(1 - alpha) e, the first held to the length sqrt(d) of a latent, which what
no image has, an empty hole or noise, exceeds by far. Noise below 0.01 counts as 0.01.
Source: Ben-Hamu, Puny, Gat, Karrer, Singer and Lipman, "D-Flow: Differentiating through Flows for Controlled
Generation", ICML 2024.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from restora.degradations import Degradation
from restora.options import option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream, randn
from restora.solvers.base import Solver, Step
from restora.solvers.ode import slope, times

LEAST_SIGMA = 0.01
STRIDE = 5
HISTORY = 20


@dataclass(frozen=True)
class DFlow(Solver[FlowPrior]):
    """D-Flow: optimises the latents of a flow by L-BFGS. Takes minutes per image without a GPU."""

    needs: ClassVar[type[Prior] | None] = FlowPrior

    iterations: int = option(40, "maximum number of L-BFGS iterations", 1)
    restarts: int = option(1, "random starts per image", 1)
    ode_steps: int = option(6, "steps of the ODE, two network evaluations each", 1)
    regularizer: Literal["gaussian", "radius"] = option(
        "gaussian", "penalty on latents: their density, or the density of their length"
    )
    weight: float = option(1.0, "weight of the regulariser, in units of 2 sigma^2", 0)
    alpha: float = option(0.9, "fraction of the flow's inverse of A^dagger y in the start", 0, 1)

    def for_samples(self, count: int) -> DFlow:
        return replace(self, restarts=max(self.restarts, count))

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: FlowPrior,
        generator: Sequence[Stream],
    ) -> Iterator[Step]:
        starts = self._starts(y, degradation, prior, generator)
        rows = torch.arange(len(y), device=y.device).repeat_interleave(self.restarts)
        # One search a latent: L-BFGS and its line search have one objective, that of a batch would be the
        # sum over its images, and none would be restored as it is alone.
        searches = [
            _Search(self, prior, degradation.take(row), y[row], z)
            for row, z in zip(rows.split(1), starts.split(1), strict=True)
        ]
        for done in range(0, self.iterations, STRIDE):
            for search in searches:
                search.advance(min(STRIDE, self.iterations - done))
            x, loss = self._ranked(searches)
            if done + STRIDE < self.iterations:
                yield Step(done + STRIDE, self.iterations, x[:, 0], loss)
        x = degradation.take(rows).project(x.flatten(0, 1), y[rows]).view_as(x)
        yield Step(self.iterations, self.iterations, x[:, 0], loss, x)

    def transport(self, prior: FlowPrior, z: Tensor) -> Tensor:
        """T(z), (B, C, H, W), differentiable in z."""

        def advance(w: Tensor, t: float, after: float) -> Tensor:
            return w + (after - t) * slope(prior.denoise, w, t, after)

        w = prior.scale * z
        for t, after in itertools.pairwise(times(self.ode_steps)):
            w = checkpoint(advance, w, t, after, use_reentrant=False, preserve_rng_state=False)
        return w

    @torch.no_grad()
    def inverse(self, prior: FlowPrior, x: Tensor) -> Tensor:
        """T^-1(x) but for the last step, over which x is taken for its own denoised self."""
        grid = times(self.ode_steps)[-2::-1]
        w = grid[0] * x
        for t, before in itertools.pairwise(grid):
            w = w + (before - t) * slope(prior.denoise, w, t, before)
        return w / prior.scale

    def objective(self, z: Tensor, fidelity: Tensor, sigma: float) -> Tensor:
        """(B,), of which `fidelity` is d(y, A T(z))."""
        squares = z.flatten(1).square().sum(1)
        cost = squares / 2
        if self.regularizer == "radius":
            cost = cost - (z[0].numel() - 1) * squares.log() / 2
        return fidelity + self.weight * 2 * max(sigma, LEAST_SIGMA) ** 2 * cost

    def _starts(
        self, y: Tensor, degradation: Degradation, prior: FlowPrior, generator: Sequence[Stream]
    ) -> Tensor:
        """(B restarts, C, H, W), those of an image together."""
        z = self.inverse(prior, degradation.A_dagger(y))
        length = torch.linalg.vector_norm(z, dim=(1, 2, 3), keepdim=True)
        z = z * (math.sqrt(z[0].numel()) / length).clamp(max=1)
        z = z.repeat_interleave(self.restarts, 0)
        noise = randn(z.shape, [g for g in generator for _ in range(self.restarts)], like=z)
        return math.sqrt(self.alpha) * z + math.sqrt(1 - self.alpha) * noise

    def _ranked(self, searches: Sequence[_Search]) -> tuple[Tensor, Tensor]:
        """The images found, best first, (B, restarts, C, H, W), and the least objective (B,)."""
        loss = torch.stack([search.loss for search in searches]).view(-1, self.restarts)
        x = torch.cat([search.x for search in searches]).unflatten(0, (-1, self.restarts))
        order = loss.argsort(dim=1, stable=True)
        return x[torch.arange(len(x), device=x.device).unsqueeze(1), order], loss.amin(1)


class _Search:
    """The descent of one latent (1, C, H, W); x and loss are its best image and objective so far."""

    def __init__(self, solver: DFlow, prior: FlowPrior, degradation: Degradation, y: Tensor, start: Tensor):
        self.solver, self.prior, self.degradation, self.y = solver, prior, degradation, y
        self.z = start.clone().requires_grad_()
        self.loss, self.x = y.new_tensor(math.inf), torch.empty_like(start)
        self.optimizer = torch.optim.LBFGS([self.z], history_size=HISTORY, line_search_fn="strong_wolfe")

    def advance(self, iterations: int) -> None:
        """Some more iterations of L-BFGS, whose memory of the earlier ones stays."""
        self.optimizer.param_groups[0].update(max_iter=iterations, max_eval=2 * iterations)
        self.optimizer.step(self._evaluate)

    def _evaluate(self) -> float:
        x = self.solver.transport(self.prior, self.z)
        fidelity = self.degradation.fidelity(x, self.y)
        loss = self.solver.objective(self.z, fidelity, self.degradation.sigma).squeeze()
        (self.z.grad,) = torch.autograd.grad(loss, self.z)
        if loss < self.loss:
            self.loss, self.x = loss.detach(), x.detach()
        return loss.item()

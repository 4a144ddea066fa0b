"""Latent MAP (Yeh et al., ICASSP 2018): search the latent whose image explains the observation.

    z_hat = argmin_z  d(y, A(G(z))) + lambda_D (-logit D(G(z))) + lambda_z |z|^2 / 2
    x_hat = G(z_hat), then made to agree with y

with d(y, Ax) = sum_i w_i |y - Ax|_i^p. The last two terms are -log p_X up to a constant, since
log p_X = log D - log(1 - D) + log p_z and p_z is standard normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from restora.degradations import Degradation, Mask
from restora.device import fast_bfloat16
from restora.errors import OptionError, PairingError
from restora.priors.base import Prior
from restora.priors.gan import GANPrior
from restora.solvers.base import Solver, Step
from restora.solvers.descent import Adam, Nesterov
from restora.solvers.poisson import poisson_blend
from restora.solvers.residual import SmoothField


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class LatentMAP(Solver):
    """Latents by gradient descent from several random starts, the best kept."""

    needs: ClassVar[type[Prior] | None] = GANPrior

    p: int = _setting(2, "power of the data term, 1 or 2")
    lambda_d: float = _setting(0.1, "weight of the discriminator's logit")
    lambda_z: float = _setting(0.3, "weight of the latent's log prior")
    iterations: int = _setting(100, "gradient steps at most")
    restarts: int = _setting(3, "random starts an image")
    survivors: int = _setting(1, "starts an image that go on after the trial, the best ones")
    trial: float = _setting(0.2, "share of the iterations that every start gets")
    rate: float = _setting(0.2, "largest step size of the optimiser")
    optimizer: Literal["adam", "nesterov"] = _setting("adam", "rule of descent; nesterov clips z to [-1, 1]")
    schedule: Literal["cosine", "constant"] = _setting("cosine", "step size over the iterations")
    window: int = _setting(0, "inpainting: pixels this near the hole weigh more (0: all weigh the same)")
    patience: int = _setting(30, "a latent stops after so many steps without progress (0: never)")
    tolerance: float = _setting(1e-3, "relative decrease of the objective that counts as progress")
    precision: Literal["auto", "float32"] = _setting(
        "auto", "arithmetic of the search; auto: bfloat16 where the processor multiplies it faster"
    )
    finish: Literal["smooth", "blend", "project", "none"] = _setting(
        "smooth",
        "how G(z) is made to agree with y: by a smooth correction, by Poisson blending (inpainting only), "
        "by the least correction, or not at all",
    )

    def __post_init__(self) -> None:
        if self.p not in (1, 2):
            raise OptionError(f"p must be 1 or 2, got {self.p}")
        for name in ("iterations", "restarts", "survivors"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.rate > 0:
            raise OptionError(f"rate must be positive, got {self.rate}")
        for name in ("lambda_d", "lambda_z", "trial", "window", "patience", "tolerance"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must be at least 0, got {getattr(self, name)}")

    def for_samples(self, count: int) -> LatentMAP:
        return replace(self, restarts=max(self.restarts, count), survivors=max(self.survivors, count))

    def steps(
        self,
        y: Tensor,
        degradation: Degradation,
        prior: Prior | None,
        generator: Sequence[torch.Generator],
    ) -> Iterator[Step]:
        assert isinstance(prior, GANPrior)
        if self.finish == "blend" and not isinstance(degradation, Mask):
            name = type(degradation).__name__
            raise PairingError(f"finish=blend is for inpainting, not {name}; use finish=smooth")
        search = _Search(self, y, degradation, prior, generator)
        for i in range(self.iterations):
            search.advance(i)
            if i + 1 == round(self.trial * self.iterations):
                search.drop_losers()
            if i + 1 < self.iterations and search.active.numel():
                yield Step(i + 1, self.iterations, *search.present())
            else:
                break
        samples, loss = search.result()
        samples = self._finish(samples, y, degradation)
        yield Step(i + 1, i + 1, samples[:, 0], loss, samples)

    def rate_at(self, i: int) -> float:
        if self.schedule == "constant":
            return self.rate
        warm_up = min(1.0, (i + 1) / (0.05 * self.iterations))
        return self.rate * warm_up * 0.5 * (1 + math.cos(math.pi * i / self.iterations))

    def objective(self, x: Tensor, z: Tensor, fidelity: Tensor, prior: GANPrior) -> Tensor:
        """-log posterior up to constants, (N,)."""
        loss = fidelity + self.lambda_z * z.flatten(1).square().sum(1) / 2
        if self.lambda_d and prior.discriminator is not None:
            loss = loss - self.lambda_d * prior.logit(x)
        return loss

    def _finish(self, samples: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
        """Make each of the (B, K, C, H, W) samples agree with y in the way `finish` says."""
        batch, count = samples.shape[:2]
        rows = torch.arange(batch, device=y.device).repeat_interleave(count)
        x = FINISHES[self.finish](samples.flatten(0, 1), y[rows], degradation.take(rows))
        return x.view_as(samples)


def smooth(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    """E[x* | y] for x* = x + r with r a smooth random field; its variance is estimated from y."""
    variance, field = _variance(x, y, degradation), SmoothField()
    return degradation.lmmse(x, lambda u: variance * field(u), y)


def project(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    """E[x* | y] for x* = x + r with r white; without noise, the projection onto {x : A x = y}."""
    return degradation.condition(x, _variance(x, y, degradation), y)


def blend(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    """Poisson blending of x into the hole of y."""
    assert isinstance(degradation, Mask)
    return poisson_blend(x, project(x, y, degradation), degradation.mask)


FINISHES: dict[str, Callable[[Tensor, Tensor, Degradation], Tensor]] = {
    "smooth": smooth,
    "project": project,
    "blend": blend,
    "none": lambda x, y, degradation: x,
}


def _variance(x: Tensor, y: Tensor, degradation: Degradation) -> Tensor:
    return degradation.model_variance(x, y).clamp(min=1e-4).view(-1, 1, 1, 1)


class _Search:
    """The state of the descent: N = B * restarts latents, rows of one image together."""

    def __init__(
        self,
        solver: LatentMAP,
        y: Tensor,
        degradation: Degradation,
        prior: GANPrior,
        generator: Sequence[torch.Generator],
    ):
        self.solver, self.prior, self.degradation, self.y = solver, prior, degradation, y
        self.weight = degradation.importance(y, solver.window) if solver.window else None
        count = len(y) * solver.restarts
        self.z = prior.latents(count, [g for g in generator for _ in range(solver.restarts)])
        self.owner = torch.arange(len(y), device=y.device).repeat_interleave(solver.restarts)
        self.active = torch.arange(count, device=y.device)
        self.best_z = self.z.clone()
        self.best = self.z.new_full((count,), math.inf)
        self.mark, self.stale = self.best.clone(), torch.zeros_like(self.active)
        self.images = y.new_zeros(count, *prior.image_shape)
        self.descent = Adam(self.z) if solver.optimizer == "adam" else Nesterov(self.z)

    def advance(self, i: int) -> None:
        loss, gradient, x = self._evaluate(self.z)
        rows = self.active
        better = loss < self.best[rows]
        self.best[rows[better]], self.best_z[rows[better]] = loss[better], self.z[better]
        self.images[rows[better]] = x[better]
        self.z = self.descent.step(self.z, gradient, self.solver.rate_at(i))
        self._drop_settled(loss)

    def _evaluate(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Objective (N,), its gradient in z, and the images, of the active latents."""
        owner = self.owner[self.active]
        z = z.detach().requires_grad_()
        half = self.solver.precision == "auto" and fast_bfloat16(z.device)
        with torch.enable_grad(), torch.autocast(z.device.type, torch.bfloat16, enabled=half):
            x = self.prior.generate(z)
            weight = None if self.weight is None else self.weight.expand(len(self.y), -1, -1, -1)[owner]
            degradation = self.degradation.take(owner)
            fidelity = degradation.fidelity(x, self.y[owner], self.solver.p, weight)
            loss = self.solver.objective(x, z, fidelity, self.prior)
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        return loss.detach(), gradient, x.detach()

    def _drop_settled(self, loss: Tensor) -> None:
        """Stop the latents whose objective has not fallen by `tolerance` for `patience` steps."""
        if not self.solver.patience:
            return
        rows = self.active
        progress = loss < self.mark[rows] - self.solver.tolerance * self.mark[rows].abs().nan_to_num()
        progress |= self.mark[rows].isinf()
        self.mark[rows] = torch.where(progress, loss, self.mark[rows])
        self.stale[rows] = torch.where(progress, 0, self.stale[rows] + 1)
        self._keep(self.stale[rows] < self.solver.patience)

    def drop_losers(self) -> None:
        """Go on with the `survivors` best latents of each image."""
        winners = self._order()[:, : self.solver.survivors]
        self._keep(torch.isin(self.active, winners.flatten()))

    def _keep(self, kept: Tensor) -> None:
        """Go on with those of the active latents where `kept`."""
        if not kept.all():
            rows = kept.nonzero().flatten()
            self.active, self.z = self.active[rows], self.z[rows]
            self.descent.keep(rows)

    def _order(self) -> Tensor:
        """Rows of the latents of each image, best first, (B, restarts)."""
        order = self.best.view(len(self.y), -1).argsort(dim=1, stable=True)
        return order + torch.arange(len(self.y), device=order.device).unsqueeze(1) * self.solver.restarts

    def present(self) -> tuple[Tensor, Tensor]:
        rows = self._order()[:, 0]
        return self.images[rows], self.best[rows]

    def result(self) -> tuple[Tensor, Tensor]:
        """The images of the best latents (B, survivors, C, H, W), best first, and the least loss (B,)."""
        rows = self._order()[:, : self.solver.survivors]
        with torch.no_grad():
            images = self.prior.generate(self.best_z[rows.flatten()])
        return images.view(*rows.shape, *images.shape[1:]), self.best[rows[:, 0]]

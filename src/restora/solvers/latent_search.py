"""The descent of a latent MAP: many latents at once, of which those settled or lost leave the batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from restora.degradations import Degradation
from restora.device import fast_bfloat16
from restora.errors import OptionError
from restora.priors.gan import GANPrior
from restora.solvers.descent import Adam, Nesterov
from restora.solvers.latent_settings import LatentSettings


class Search:
    """The state of the descent from latents z (B, restarts, ...): N of them, rows of one image together."""

    def __init__(
        self,
        solver: LatentSettings,
        z: Tensor,
        y: Tensor,
        degradation: Degradation,
        prior: GANPrior,
    ):
        self.solver, self.prior, self.degradation, self.y = solver, prior, degradation, y
        self.weight = importance(y, degradation, solver.window) if solver.window else None
        self.restarts, self.z, self.tried, self.steps = z.shape[1], z.flatten(0, 1), False, 0
        self.owner = torch.arange(len(y), device=y.device).repeat_interleave(self.restarts)
        self.active = torch.arange(len(self.z), device=y.device)
        self.best_z = self.z.clone()
        self.best = self.z.new_full((len(self.z),), math.inf)
        self.mark, self.stale = self.best.clone(), torch.zeros_like(self.active)
        self.images = y.new_zeros(len(self.z), *prior.image_shape)
        self.descent = Adam(self.z) if solver.optimizer == "adam" else Nesterov(self.z)

    def advance(self, done: float) -> None:
        """One step of all that are active, when the part `done` of the steps is over."""
        self.steps += 1
        z = self.z.detach().requires_grad_()
        half = self.solver.precision == "auto" and fast_bfloat16(z.device)
        with torch.enable_grad(), torch.autocast(z.device.type, torch.bfloat16, enabled=half):
            loss, x = self._objective(z)
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        self._note(loss.detach(), x.detach())
        self.z = self.descent.step(self.z, gradient, self.solver.rate_at(done))
        self._drop_settled(loss.detach())

    def _objective(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Of the active latents z: the objective (N,), and their images."""
        owner, x = self.owner[self.active], self.prior.generate(z)
        weight = None if self.weight is None else self.weight.expand(len(self.y), -1, -1, -1)[owner]
        degradation = self.degradation.take(owner)
        fidelity = degradation.fidelity(x, self.y[owner], self.solver.p, weight)
        return self.solver.objective(x, z, fidelity, self.prior), x

    def _note(self, loss: Tensor, x: Tensor) -> None:
        """Keep what is better than all before."""
        better = loss < self.best[self.active]
        rows = self.active[better]
        self.best[rows], self.best_z[rows], self.images[rows] = loss[better], self.z[better], x[better]

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
        """Go on with the `survivors` best latents of each image; once."""
        self.tried = True
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
        return order + torch.arange(len(self.y), device=order.device).unsqueeze(1) * self.restarts

    def present(self) -> tuple[Tensor, Tensor]:
        rows = self._order()[:, 0]
        return self.images[rows], self.best[rows]

    @torch.no_grad()
    def result(self) -> tuple[Tensor, Tensor]:
        """The best latents (B, survivors, ...), best first, and the least loss (B,)."""
        if self.best.isinf().all():  # no step was taken
            self._note(*self._objective(self.z))
        rows = self._order()[:, : self.solver.survivors]
        return self.best_z[rows], self.best[rows[:, 0]]


def importance(y: Tensor, degradation: Degradation, window: int) -> Tensor | None:
    """W = m conv(1 - m, box), the share of missing pixels around an observed one: (B or 1, 1, H, W).

    The box is `window` x `window` (odd) of weight 1/window^2, and the mask is mirrored at the border.
    Source: Yeh et al., CVPR 2017, eq. 3, and its authors' code (7 in the paper, 15 in the code).
    """
    if (seen := degradation.operator.mask) is None:
        return None
    if window < 1 or window % 2 == 0:
        raise OptionError(f"window: expected an odd number of pixels, got {window}; use 7 or 15")
    mask = seen.to(y)
    missing = 1 - mask
    for axis in (-2, -1):
        missing = missing.index_select(axis, _mirrored(mask.shape[axis], window // 2, y.device))
    return mask * F.avg_pool2d(missing, window, stride=1)


def _mirrored(size: int, margin: int, device: torch.device) -> Tensor:
    """Indices -margin ... size + margin - 1 mirrored into 0 ... size - 1, the edge repeated."""
    index = torch.arange(-margin, size + margin, device=device) % (2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)

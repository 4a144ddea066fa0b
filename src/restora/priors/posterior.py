"""What an observation tells of an image, were images Gaussian: the same few numbers whatever the task.

    L = E_G[x | y],   e = x_0 - L(y_0),   y_0 = A x_0 + n_0,   x_0 ~ N(m, S)
    b = A^T N^-1 (z - A L),   b_0 = A^T N^-1 (z_0 - A L(y_0))

z = A x + n is the linear Gaussian observation that stands for y about L. e is a draw of the error of L: where
y tells little it is large. c, its size where it is not 0, tells the level t of white noise at which the
linear denoiser is as wrong: that of a hole does not depend on the size of the image around it. What y holds
beyond L, b, is given in units of the size that it has for x_0, and as large as it would be for white noise of
that level.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from restora.degradations import Degradation, lmmse, system_of
from restora.gaussian.covariance import Diagonal
from restora.gaussian.system import System
from restora.gaussian.wiener import Wiener
from restora.priors.gaussian import GaussianPrior
from restora.random import Generators

LARGEST = 8.0  # of what a network sees of b: noise that is not Gaussian has no bound


class Posterior(NamedTuple):
    """linear: L, (B, C, H, W). residual: b, in its units. draw: e / c. error: c, (B,). level: t, (B,)."""

    linear: Tensor
    residual: Tensor
    draw: Tensor
    error: Tensor
    level: Tensor

    def input(self, sign: float = 1) -> Tensor:
        """What a network sees, (B, 3 C, H, W). sign: of the draw, of which -1 is as likely."""
        return torch.cat([2 * self.linear - 1, self.residual, sign * self.draw], 1)

    def rows(self, index: slice) -> Posterior:
        """That of some of the images."""
        return Posterior(*(part[index] for part in self))


def posterior(
    y: Tensor,
    degradation: Degradation,
    gaussian: GaussianPrior,
    wiener: Wiener,
    streams: Generators,
    tolerance: float,
    system: System | None = None,
) -> Posterior:
    """Of observations y (B, ...). wiener: the linear denoiser of the Gaussian. streams: one per image, for
    the draw. tolerance: part of y - A m that the linear solve may leave unexplained. system: that of
    `degradation`, where it is known and the same about every point."""
    mean, S = gaussian.mean.expand(len(y), -1, -1, -1), gaussian.covariance
    L = lmmse(degradation, mean, S, y, tolerance=tolerance, system=system)
    model, z = degradation.gaussian(L, y)
    system = system or system_of(model)
    x = mean + S.draw(mean, streams)
    noise = system.noise.draw(z, streams).nan_to_num(0, 0, 0)  # infinite where z tells nothing
    z_0 = model.A(x) + noise
    L_0 = system.mean(S, mean, z_0, tolerance)
    error = _strength(x - L_0).clamp(min=1e-6)
    level = wiener.level(error)
    b = _back(model, system, z - model.A(L))
    own, whole = (_size(_back(model, system, z_0 - model.A(at))) for at in (L_0, mean))
    left = 2 * tolerance * whole  # by the linear solve, and says nothing
    unit = (own.square() + left.square()).sqrt().clamp(min=1e-30)
    share = _view(_share(error, level, wiener.scale) / unit)
    return Posterior(L, (share * b).clamp(-LARGEST, LARGEST), (x - L_0) / _view(error), error, level)


def _back(model: Degradation, system: System, residual: Tensor) -> Tensor:
    """A^T N^-1 of a residual, but for a factor."""
    N = system.noise
    if isinstance(N, Diagonal):
        residual = residual * (N.values.min() / N.values).to(residual)
    return model.A_adjoint(residual)


def _share(error: Tensor, t: Tensor, scale: float) -> Tensor:
    """The size of w - t L_t as a flow's network sees it: sqrt(n^2 - t^2 c^2) over sqrt(n^2 + t^2 c^2)."""
    known, noise = (t * error).square(), ((1 - t) * scale).square()
    return ((noise - known).clamp(min=0) / (noise + known).clamp(min=1e-30)).sqrt()


def _size(x: Tensor) -> Tensor:
    """The root mean square of each image, (B,)."""
    return x.flatten(1).square().mean(1).sqrt()


def _strength(e: Tensor) -> Tensor:
    """The root mean square of normal errors where they are, (B,): sqrt(sum v^2 / sum v) of variances v."""
    square = e.flatten(1).square()
    return (square.square().mean(1) / (3 * square.mean(1)).clamp(min=1e-30)).sqrt()


def _view(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)

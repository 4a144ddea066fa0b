"""Half-quadratic splitting: plug-and-play with a denoiser, the data and the prior in turns.

    z = E[x | y] for x ~ N(x, W_t),   x = D_t(t z),   at levels of less and less noise

No noise is added, so that what is well determined by y settles at once: for blur it is better than the mean
over draws (`mmse`), for holes it is worse, since nothing ever leaves the first guess. W_t says how far the
estimate is to be trusted:

    covariance  2 q^-0.6 C_t, with C_t the covariance of x given w (`restora.solvers.conditioning`), and q the
                share of the coefficients that y tells: the fewer there are, the less does the error of z look
                like white noise; 12 levels from sigma = 0.2 to the noise of y
    uneven      sigma_t^2 / 0.23 I; 8 levels from sigma = 0.2 to the noise of those coefficients in the linear
                estimate, which is that of y only where A leaves them as they are
    dpir        sigma_t^2 / 0.23 I; 8 levels from sigma = 49/255 to the noise of y
    auto        `uneven` if singular values of A differ much, as in the Radon transform; else `covariance`

sigma_t = s (1 - t) / t is the noise of t z. All begin with the linear estimate for z. Each level sees the
estimate in another orientation, if the prior has several. Source of `dpir`: Zhang, Li, Zuo, Zhang, Van
Gool and Timofte, "Plug-and-play image restoration with deep denoiser prior", IEEE Transactions on Pattern
Analysis and Machine Intelligence 44, 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from restora.degradations import Degradation
from restora.errors import ShapeError
from restora.options import Auto, option
from restora.priors.base import Prior
from restora.priors.flow import FlowPrior
from restora.random import Stream
from restora.solvers.base import Solver, Step
from restora.solvers.conditioning import Conditioner, signs

LEAST = 1 / 255  # of the noise of y, where it has none


class Schedule(NamedTuple):
    """`iterations` levels from the noise `first` to the share `last` of that of y, with a weight of W_t,
    where y tells everything, and this times q^-`fall` where it tells the share q.

    covariance: whether weights are in units of C_t, not of sigma_t^2. told: whether `last` is in units of the
    noise of what y tells."""

    first: float
    last: float
    iterations: int
    weight: float
    fall: float = 0.0
    covariance: bool = False
    told: bool = False


SCHEDULES = {
    "covariance": Schedule(0.2, 1.0, 12, 2.0, 0.6, covariance=True),
    "uneven": Schedule(0.2, 1.0, 8, 1 / 0.23, told=True),
    "dpir": Schedule(49 / 255, 1.0, 8, 1 / 0.23),
}
UNEVEN = 1.5


def suits(degradation: Degradation, prior: Prior | None) -> bool:
    """Whether it is better than levels with noise: A is `uneven`; or a blur, and the prior's Gaussian has no
    directions, which tell more of what a blur hides."""
    if not degradation.linear:
        return False
    gaussian = getattr(prior, "gaussian", None)
    alike = gaussian is None or not gaussian.rank
    return (alike and degradation.operator.kernel is not None) or uneven(degradation, prior)


def uneven(degradation: Degradation, prior: Prior | None) -> bool:
    """Whether y has half as many values as x, and the singular values of A differ much.

    That is measured by |A A^T u| |u| / |A^T u|^2 for u = A p, p random signs: 1 for masks, pixel means and
    orthonormal rows, 1.1 for Fourier masks, 1.2 for blurs, 2.3 for Radon transforms. False for an A of images
    of another size.
    """
    A = degradation.operator.take(torch.zeros(1, dtype=torch.long))
    if prior is None or not A.linear or A.gram is not None or A.kernel is not None:
        return False
    device = next(prior.parameters(), torch.empty(0)).device
    with torch.no_grad():
        p = signs(prior.image_shape)[None].to(device)
        try:
            u = A(p)
        except ShapeError:
            return False
        back = A.adjoint(u)
        return 2 * u.numel() > p.numel() and bool(A(back).norm() * u.norm() > UNEVEN * back.square().sum())


@dataclass(frozen=True)
class HQS(Solver[FlowPrior]):
    """Plug-and-play by half-quadratic splitting: one network evaluation per level, deterministic."""

    needs: ClassVar[type[Prior] | None] = FlowPrior
    differentiable: ClassVar = True
    explains: ClassVar[bool] = True

    schedule: Literal["auto", "covariance", "uneven", "dpir"] = option(
        "auto", "noise levels; auto: uneven if the singular values of A differ much, else covariance"
    )
    first: float | Auto = option(
        "auto", "noise of the first level, full scale = 1; auto: by the schedule", above=0
    )
    last: float | Auto = option(
        "auto",
        "noise of the last level, in units of the noise of y, or with schedule=uneven of the linear estimate",
        above=0,
    )
    iterations: int | Auto = option("auto", "number of levels; auto: by the schedule", 1)
    weight: float | Auto = option(
        "auto", "weight of y relative to the current estimate; auto: by the schedule", above=0
    )
    tolerance: float = option(
        0.1, "relative residual of y - A x_hat at which the linear solve stops", above=0, below=1
    )

    def evaluations(self, degradation: Degradation, prior: Prior | None = None) -> int:
        return self.settled(degradation, prior).iterations

    def settled(self, degradation: Degradation, prior: Prior | None = None) -> Schedule:
        """What is set, and for the rest the schedule. A weight that is set is the same for any y."""
        name = self.schedule
        if name == "auto":
            name = "uneven" if uneven(degradation, prior) else "covariance"
        own = {name: getattr(self, name) for name in ("first", "last", "iterations", "weight")}
        own["fall"] = "auto" if self.weight == "auto" else 0.0
        return SCHEDULES[name]._replace(**{k: v for k, v in own.items() if v != "auto"})

    def steps(
        self, y: Tensor, degradation: Degradation, prior: FlowPrior, generator: Sequence[Stream]
    ) -> Iterator[Step]:
        conditioner = Conditioner(prior, degradation, tolerance=self.tolerance)
        total = self.evaluations(degradation, prior)
        for i, x in enumerate(self.refine(conditioner.start(y), y, conditioner, settled=True)):
            yield Step(i + 1, total, x, degradation.fidelity(x, y))

    def refine(
        self, x: Tensor, y: Tensor, conditioner: Conditioner, settled: bool = False
    ) -> Iterator[Tensor]:
        """The estimate of each level, from x. settled: x is E[x | y] of some prior already."""
        parts = conditioner.apart(len(y))
        rows = zip(x.chunk(len(parts)), y.chunk(len(parts)), parts, strict=True)
        schedule = self.settled(conditioner.degradation, conditioner.prior)
        runs = [_refine(*row, schedule, settled) for row in rows]
        yield from (torch.cat(level) for level in zip(*runs, strict=True))


def _refine(
    x: Tensor, y: Tensor, conditioner: Conditioner, schedule: Schedule, settled: bool
) -> Iterator[Tensor]:
    weight = schedule.weight
    if schedule.fall:
        weight = weight * conditioner.told(x, y) ** -schedule.fall
    for i, t in enumerate(levels(schedule, conditioner, x, y)):
        z = x if settled and i == 0 else _data(conditioner, x, t, y, weight, schedule.covariance)
        x = conditioner.prior.denoise(t * z, t, i)
        yield x


def levels(schedule: Schedule, conditioner: Conditioner, x: Tensor, y: Tensor) -> list[float]:
    """t of each level, evenly spaced in the logarithm of the noise, none noisier than the prior knows."""
    prior, sigma = conditioner.prior, conditioner.degradation.sigma
    noise = conditioner.noise(x, y) if schedule.told else float(torch.as_tensor(sigma).mean())
    first, last, count = schedule.first, schedule.last * max(noise, LEAST), schedule.iterations
    shares = (i / max(count - 1, 1) for i in range(count))
    noises = [first ** (1 - share) * last**share for share in shares]
    return [max(1 / (1 + noise / prior.scale), prior.first) for noise in noises]


def _data(
    conditioner: Conditioner, x: Tensor, t: float, y: Tensor, weight: float, covariance: bool
) -> Tensor:
    """z, for the next level t."""
    if covariance:
        return conditioner.mean(x, t, y, weight)
    noise = (1 - t) / t * conditioner.prior.scale
    return conditioner.degradation.condition(x, weight * noise**2, y)

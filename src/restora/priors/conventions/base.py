"""The input and output of a network as a denoiser of restora's path: one change of variables for all
conventions.

    w_t = t x + n e,  n = (1 - t) s      the path of restora, images x in [0, 1]
    u = a x' + b e                       the path of the network, images x' = low + (high - low) x
    b / a = (high - low) n / t           gives a, b and the `level` for the network
    u = c w + a low,  c = b / n          input of the network
    x' = g u + h N(u, level)             estimate from its output N

so that D_t(w) = E[x | w_t = w] = (g u + h N - low) / (high - low), exactly. A convention defines:

    name   a, b                        outputs
    ve     1, sigma                    image, noise e, residual sigma e, score: DRUNet, FFDNet, deepinv
    vp     sqrt(A_k), sqrt(1 - A_k)    noise, image, v = a e - b x', score: DDPM, guided diffusion
    edm    c_in, c_in sigma            F of D = c_skip u / c_in + c_out F: EDM without its preconditioner
    flow   k, (1 - k) spread           velocity, image, noise: flow matching, SiT, rectified flow

If a network was trained for noise levels from `least` to `most` only, other levels use the nearest of these,
with w rescaled so that its noise fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from restora.errors import OptionError, ShapeError
from restora.options import check, option

SCALE = 0.5  # s of the project's path
LEAST = "lowest noise level of the network (standard deviation, full scale = 1)"
MOST = "highest noise level of the network (standard deviation, full scale = 1)"
Told = Literal["vector", "column", "map", "nothing"]


class Preconditioned(NamedTuple):
    """What the network sees (B, K, H, W) and is told (B,); its answer N means D = skip + scale N."""

    input: Tensor
    level: Tensor
    skip: Tensor
    scale: Tensor


class Path(NamedTuple):
    """a and b of u = a x' + b e, and what the network is told of the level; each (B,)."""

    a: Tensor
    b: Tensor
    level: Tensor


@dataclass(frozen=True)
class Convention:
    """Base of the conventions; each is a frozen dataclass of options.

    The noise levels `least` and `most` are for images in [0, 1], whatever the range of the network.
    """

    low: float = option(0.0, "value of black for the network")
    high: float = option(1.0, "value of white for the network")
    least: float = option(0.0, LEAST, 0)
    most: float = option(100.0, MOST, above=0)
    told: Told = option(
        "vector", "how the network receives the noise level: (B,), (B, 1, 1, 1), an input channel, or not"
    )
    unit: float = option(1.0, "factor of the noise level, such as 255", above=0)
    clip: bool = option(False, "clip the denoised image to [black, white], as samplers do near pure noise")

    def __post_init__(self) -> None:
        check(self)
        if self.low == self.high:
            raise OptionError(f"must differ from low, got {self.high:g} for both", "high")
        if self.least >= self.most:
            raise OptionError(f"expected less than most={self.most:g}, got {self.least:g}", "least")

    def path(self, sigma: Tensor) -> Path:
        """a, b and the level for noise of strength b / a = sigma (B,), in the network's range."""
        raise NotImplementedError

    def solve(self, path: Path) -> tuple[Tensor, Tensor]:
        """g and h of x' = g u + h N, each (B,)."""
        raise NotImplementedError

    @property
    def levels(self) -> tuple[float, float]:
        """The lowest and the highest noise level of the network, for images in [0, 1]."""
        return self.least, self.most

    def precondition(self, w: Tensor, t: Tensor, scale: float = SCALE) -> Preconditioned:
        """The input of the network for w (B, C, H, W) at t (B,) in [0, 1], with noise of deviation (1 - t)
        `scale`."""
        least, most = self.levels
        known = t.clamp(1 / (1 + most / scale), 1 / (1 + least / scale))
        width, n = self.high - self.low, (1 - known) * scale
        path = self.path(abs(width) * n / known)
        own = torch.where(known > t, (1 - known) / (1 - t).clamp(min=1e-12), known / t.clamp(min=1e-12))
        c = torch.hypot(path.a * width, path.b) / torch.hypot(known, n) * math.copysign(1, width)
        u = _wide(c * own) * w + _wide(path.a * self.low)
        g, h = (_wide(value) / width for value in self.solve(path))
        return Preconditioned(u, path.level * self.unit, g * u - self.low / width, h)

    def evaluate(self, network: nn.Module, u: Tensor, level: Tensor) -> Tensor:
        """The output N of the network, (B, C, H, W), without the channels of a learned variance.

        Raises:
            ShapeError: for an output of another size.
        """
        arguments = {
            "vector": (u, level),
            "column": (u, _wide(level)),
            "map": (torch.cat([u, _wide(level).expand(len(u), 1, *u.shape[2:])], 1),),
            "nothing": (u,),
        }
        answer = network(*arguments[self.told])
        answer = answer[0] if isinstance(answer, tuple | list) else getattr(answer, "sample", answer)
        if answer[:, : u.shape[1]].shape != u.shape:
            raise ShapeError(
                f"the network returns {tuple(answer.shape)} for {tuple(u.shape)}; expected a denoiser, whose "
                "output has the shape of its input"
            )
        return answer[:, : u.shape[1]].to(u.dtype)


def solve(answer: str, path: Path) -> tuple[Tensor, Tensor]:
    """g and h of the usual answers."""
    a, b, _ = path
    one, both = torch.ones_like(a), a.square() + b.square()
    return {
        "image": lambda: (0 * one, one),
        "noise": lambda: (1 / a, -b / a),
        "residual": lambda: (1 / a, -1 / a),
        "score": lambda: (1 / a, b.square() / a),
        "v": lambda: (a / both, -b / both),
    }[answer]()


def _wide(value: Tensor) -> Tensor:
    return value.view(-1, 1, 1, 1)

"""A Gaussian as a prior: a few principal directions, and a stationary rest.

    x ~ N(mean, S),   S = F^T F + T^T diag_k(L_k L_k^T) T

F has r rows, directions times their standard deviations; the rest is stationary
(`restora.gaussian.covariance`). Both parts have the unit of a standard deviation, not of a variance, so that
half precision does them no harm.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from restora.errors import ShapeError
from restora.gaussian.cosine import at_size
from restora.gaussian.covariance import LowRank
from restora.priors import packing
from restora.priors.base import Prior
from restora.random import Generators


class GaussianPrior(Prior):
    """A Gaussian model of images.

    Args:
        mean: (C, H, W), images in [0, 1].
        factors: F, (r, C, H, W): principal directions times their standard deviations; r may be 0.
        spread: L, (C, C, H, W): the stationary rest; for one channel the standard deviations of the cosine
            coefficients.

    Raises:
        ShapeError: if they do not fit each other.
    """

    kind = "gaussian"
    shipped = ("faces64-gaussian", "natural-gaussian")
    mean: Tensor
    factors: Tensor
    spread: Tensor

    def __init__(self, mean: Tensor, factors: Tensor, spread: Tensor):
        super().__init__()
        if mean.ndim != 3 or not factors.shape[1:] == spread.shape[1:] == mean.shape:
            raise ShapeError(
                "a GaussianPrior takes mean (C, H, W), factors (r, C, H, W) and spread (C, C, H, W), got "
                f"{tuple(mean.shape)}, {tuple(factors.shape)} and {tuple(spread.shape)}"
            )
        self.register_buffer("mean", mean)
        self.register_buffer("factors", factors)
        self.register_buffer("spread", spread)
        channels, height, width = mean.shape
        self.image_shape = (channels, height, width)

    @property
    def rank(self) -> int:
        return len(self.factors)

    @property
    def covariance(self) -> LowRank:
        """S, an operator on images (B, C, H, W)."""
        return LowRank(self.spread, self.factors, self.mean.new_ones(self.rank))

    @property
    def peak(self) -> float:
        """Two standard deviations above the mean."""
        variance = torch.as_tensor(self.covariance.variance).mean()
        return float(self.mean.max() + 2 * variance.sqrt())

    def deviation(self, n: int, generator: Generators = None) -> Tensor:
        """Draw n deviations from N(0, S), (n, C, H, W)."""
        return self.covariance.draw(self.mean.expand(n, -1, -1, -1), generator)

    def sample(self, n: int, generator: Generators = None) -> Tensor:
        """Draw n images from the prior, (n, C, H, W), clipped to [0, 1]."""
        return (self.mean + self.deviation(n, generator)).clamp(0, 1)

    def stationary(self) -> GaussianPrior:
        """This prior with one mean for all pixels. ShapeError if it has directions."""
        if self.rank:
            raise ShapeError(
                f"a Gaussian with {self.rank} directions only works for images of {self.image_shape}"
            )
        mean = self.mean.mean((1, 2), keepdim=True).expand_as(self.mean).contiguous()
        return GaussianPrior(mean, self.factors, self.spread)

    def grey(self) -> GaussianPrior:
        """The Gaussian model of the mean of the channels."""
        if self.image_shape[0] == 1:
            return self
        spread = self.spread.mean(0).square().sum(0).sqrt()
        prior = GaussianPrior(
            self.mean.mean(0, keepdim=True), self.factors.mean(1, keepdim=True), spread[None, None]
        )
        prior.name, prior.card = self.name, self.card
        return prior

    @property
    def any_size(self) -> bool:
        """Whether it works for images of any size: no directions, and the same mean for all pixels."""
        return not self.rank and bool((self.mean == self.mean[:, :1, :1]).all())

    def sized(self, height: int, width: int) -> GaussianPrior:
        """This prior for images of another size, with the spectrum at their frequencies. ShapeError if its
        size is fixed."""
        if (height, width) == self.image_shape[1:]:
            return self
        if not self.any_size:
            super().sized(height, width)
        channels = self.image_shape[0]
        mean = self.mean[:, :1, :1].expand(channels, height, width).contiguous()
        factors = self.factors.new_zeros(0, channels, height, width)
        prior = GaussianPrior(mean, factors, at_size(self.spread, height, width))
        prior.name, prior.card = self.name, self.card
        return prior

    def pack(self) -> dict[str, Tensor]:
        rest = {"mean": self.mean.to(torch.float16), "spread": self.spread.to(torch.float16)}
        return {**rest, **packing.pack(self.factors)}

    def unpack(self, tensors: dict[str, Tensor]) -> None:
        factors = packing.unpack(tensors, self.mean.shape[-1])
        self.load_state_dict(
            {"mean": tensors["mean"].float(), "spread": tensors["spread"].float(), "factors": factors}
        )

    def config(self) -> dict[str, Any]:
        return {"shape": list(self.image_shape), "rank": self.rank}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GaussianPrior:
        shape = config["shape"]
        factors, spread = torch.zeros(config["rank"], *shape), torch.zeros(shape[0], *shape)
        return cls(torch.zeros(shape), factors, spread)

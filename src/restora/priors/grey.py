"""Images of one channel by a flow of colours: those whose channels are all equal.

    w = t x + (1 - t) s e,   x and e of one channel,   s = 1 / (2 sqrt(C))
    w' = w 1 + (1 - t) s' P e',   P = I - 1 1^T / C,   s' = 1/2

w' is w'_t for the colour image x 1: the noise of w lies along 1, noise e' of our own lies across it, and
together they are white. So D_t(w) is the mean over the channels of D_t(w'). The noise e' depends on the
orientation alone; two that follow each other, 2 i and 2 i + 1, have it with opposite signs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from restora.errors import WeightsError
from restora.priors.amortised import AmortisedPrior
from restora.priors.flow import FlowPrior
from restora.priors.posterior import Posterior


class OfColour(FlowPrior):
    """What is made of the flow `colour`, of images (C, H, W), for images (1, H, W)."""

    colour: FlowPrior

    def follow(self, colour: FlowPrior) -> None:
        """Take what is not a network from the prior of colours."""
        self.colour, self.name, self.card = colour, colour.name, colour.card
        self.scale = colour.scale / colour.image_shape[0] ** 0.5

    def sized(self, height: int, width: int) -> FlowPrior:
        return self.colour.sized(height, width).grey()

    def denoise(self, w: Tensor, t: Tensor | float, orientation: int = 0) -> Tensor:
        left = 1 - torch.as_tensor(t, dtype=w.dtype, device=w.device).view(-1, 1, 1, 1)
        across = _across(self.colour.image_shape[0], w.shape[-2], w.shape[-1], orientation // 2).to(w)
        noise = left * self.colour.scale * across * (1 - orientation % 2 * 2)
        return self.colour.denoise(w + noise, t, orientation).mean(1, keepdim=True)

    def config(self) -> dict[str, Any]:
        raise WeightsError("a grey version of a prior cannot be stored; store the prior of colour images")


class GreyFlow(OfColour):
    """A flow of colours for images of one channel."""

    def __init__(self, colour: FlowPrior):
        gaussian = None if colour.gaussian is None else colour.gaussian.grey()
        shape = (1, *colour.image_shape[1:])
        super().__init__(colour.network, gaussian, colour.form, shape, colour.symmetries)
        self.follow(colour)


class GreyAmortised(OfColour, AmortisedPrior):
    """The same with an estimator, to which all channels are alike."""

    colour: AmortisedPrior

    def __init__(self, colour: AmortisedPrior):
        assert colour.gaussian is not None
        gaussian, shape = colour.gaussian.grey(), (1, *colour.image_shape[1:])
        AmortisedPrior.__init__(self, colour.network, gaussian, colour.estimator, colour.symmetries, shape)
        self.follow(colour)

    def estimate(self, posterior: Posterior, orientation: int = 0) -> tuple[Tensor, Tensor]:
        assert self.colour.wiener is not None
        count = self.colour.image_shape[0]
        linear, residual, draw = (part.expand(-1, count, -1, -1) for part in posterior[:3])
        level = self.colour.wiener.level(posterior.error)
        seen = Posterior(linear, residual, draw, posterior.error, level)
        mean, logs = self.colour.estimate(seen, orientation)
        return mean.mean(1, keepdim=True), logs.exp().mean(1, keepdim=True).log()


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _across(channels: int, height: int, width: int, number: int) -> Tensor:
    """P e', (1, C, H, W); not to be written to."""
    noise = torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(number))
    return noise - noise.mean(1, keepdim=True)

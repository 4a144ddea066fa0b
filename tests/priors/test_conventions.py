"""Conventions: an exact denoiser of Gaussian images, in the words of each, is the known linear denoiser."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from restora.errors import OptionError, ShapeError, UnknownNameError
from restora.gaussian.wiener import Wiener
from restora.priors import FlowPrior, GaussianPrior
from restora.priors.conventions import conventions, from_config, to_config
from restora.priors.foreign import named

SHAPE = (3, 8, 8)
LEVELS = torch.tensor([0.97, 0.8, 0.45, 0.1]).double()
RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


def gaussian() -> GaussianPrior:
    generator = torch.Generator().manual_seed(0)
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.06 * torch.eye(3) + 0.02)[:, :, None, None] / (1 + frequency)
    return GaussianPrior(0.4 + 0.2 * torch.rand(SHAPE, generator=generator), torch.zeros(0, *SHAPE), spread)


TRUTH = Wiener(gaussian().mean, gaussian().covariance).double()


def clean(z: Tensor, sigma: Tensor) -> Tensor:
    """E[x | x + sigma e = z] of images in [0, 1]; sigma (B,)."""
    t = 1 / (1 + sigma / 0.5)
    return TRUTH(t.view(-1, 1, 1, 1) * z, t)[0]


def smoothed(z: Tensor, sigma: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(nn.functional.pad(z, (2, 2, 2, 2), mode="replicate"), 5, 1)


class Exact(nn.Module):
    """Knows of images in [low, high]: answers for u = a x' + b e, whatever the question.

    path: what it is told -> a, b. question: x', e, a, b -> the answer; e is what is left of u.
    """

    def __init__(
        self,
        value_range: tuple[float, float],
        path: Callable[[Tensor], tuple[Tensor, Tensor]],
        question: Callable[..., Tensor],
        denoiser: Callable[[Tensor, Tensor], Tensor] = clean,
    ):
        super().__init__()
        self.range, self.path, self.question, self.denoiser = value_range, path, question, denoiser

    def forward(self, u: Tensor, level: Tensor) -> Tensor:
        low, high = self.range
        a, b = (value.view(-1, 1, 1, 1) for value in self.path(level))
        z = (u / a - low) / (high - low)
        x = low + (high - low) * self.denoiser(z, (b / a / (high - low)).flatten())
        return self.question(x, (u - a * x) / b, a, b)


def ve(sigma: Tensor) -> tuple[Tensor, Tensor]:
    return torch.ones_like(sigma), sigma


def steps(betas: np.ndarray) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Between two steps, the logarithm of the strength of the noise is interpolated."""
    bar = np.cumprod(1 - betas)
    strengths = np.log(np.sqrt((1 - bar) / bar))

    def path(k: Tensor) -> tuple[Tensor, Tensor]:
        sigma = torch.from_numpy(np.exp(np.interp(k.numpy(), np.arange(len(betas)), strengths)))
        return 1 / (1 + sigma**2).sqrt(), sigma / (1 + sigma**2).sqrt()

    return path


def cosine() -> np.ndarray:
    bar = [math.cos((i / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(1001)]
    return np.array([min(1 - after / before, 0.999) for before, after in itertools.pairwise(bar)])


LINEAR = np.linspace(1e-4, 0.02, 1000)
SCALED = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
QUESTIONS: dict[str, Callable[..., Tensor]] = {
    "image": lambda x, e, a, b: x,
    "noise": lambda x, e, a, b: e,
    "residual": lambda x, e, a, b: b * e,
    "score": lambda x, e, a, b: -e / b,
    "v": lambda x, e, a, b: a * e - b * x,
}


def cases() -> list[Any]:
    found = []

    def add(name: str, path: Any, question: Any, **options: Any) -> None:
        for value_range in (
            RANGES if name != "vp" else RANGES[1:2]
        ):  # whose steps end before t = 0.1 of others
            text = "-".join(map(str, [name, *options.values(), value_range[1]]))
            found.append(pytest.param(name, path, question, options, value_range, id=text))

    for answer in ("image", "noise", "residual", "score"):
        add("ve", ve, QUESTIONS[answer], answer=answer)
    for answer in ("noise", "image", "v", "score"):
        add("vp", steps(LINEAR), QUESTIONS[answer], answer=answer)
    add("vp", steps(SCALED), QUESTIONS["noise"], schedule="scaled", beta_start=0.00085, beta_end=0.012)
    add("vp", steps(cosine()), QUESTIONS["v"], schedule="cosine", answer="v")
    add("flow", lambda k: (k, 1 - k), lambda x, e, a, b: x - e)
    add("flow", lambda k: (1 - k, k), lambda x, e, a, b: e - x, data_at="0")
    add("flow", lambda k: (1 - k / 1000, k / 1000), lambda x, e, a, b: e - x, data_at="0", unit=1000.0)
    add("flow", lambda k: (k, (1 - k) * 0.5), QUESTIONS["image"], answer="image", spread=0.5)
    add("flow", lambda k: (k, 1 - k), QUESTIONS["noise"], answer="noise")
    return found


@pytest.mark.parametrize(("name", "path", "question", "options", "value_range"), cases())
def test_the_denoiser_is_exact(
    name: str, path: Any, question: Any, options: dict[str, Any], value_range: tuple[float, float]
) -> None:
    network = Exact(value_range, path, question)
    prior = FlowPrior.from_denoiser(network, name, value_range, size=8, check=False, **options)
    w = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(prior.denoise(w, LEVELS), TRUTH(w, LEVELS)[0], rtol=0, atol=2e-5)


@pytest.mark.parametrize("value_range", RANGES[:2], ids=str)
def test_the_network_inside_edm(value_range: tuple[float, float]) -> None:
    s, width = 0.3, value_range[1] - value_range[0]

    class Inside(nn.Module):
        def forward(self, u: Tensor, level: Tensor) -> Tensor:
            sigma = (4 * level).exp().view(-1, 1, 1, 1)
            noisy = u * (sigma**2 + s**2).sqrt()
            x = clean((noisy - value_range[0]) / width, sigma.flatten() / width) * width + value_range[0]
            skip = s**2 / (sigma**2 + s**2)
            return (x - skip * noisy) / (sigma * s / (sigma**2 + s**2).sqrt())

    prior = FlowPrior.from_denoiser(Inside(), "edm", value_range, size=8, spread=s, check=False)
    w = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(prior.denoise(w, LEVELS), TRUTH(w, LEVELS)[0], rtol=0, atol=2e-5)


class Limited(Exact):
    """FFDNet's way, and no further: refuses noise above 0.2."""

    def __init__(self) -> None:
        super().__init__((0.0, 1.0), ve, QUESTIONS["image"])

    def forward(self, u: Tensor, level: Tensor) -> Tensor:
        assert (level < 0.2 + 1e-6).all()
        return super().forward(u, level.clamp(min=1e-6))


def test_outside_its_levels_a_network_is_not_asked() -> None:
    alone = FlowPrior.from_denoiser(Limited(), levels=(0.0, 0.2), size=8, check=False)
    options = {"levels": (0.0, 0.2), "size": 8, "gaussian": gaussian(), "check": False}
    known = FlowPrior.from_denoiser(Limited(), **options).double()
    assert alone.first == known.first == pytest.approx(1 / 1.4)
    t = torch.tensor([0.0, 0.3, 0.7, 0.75, 1.0]).double()
    w = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(1)).double()
    assert alone.denoise(w, t).isfinite().all()
    torch.testing.assert_close(known.denoise(w, t), TRUTH(w, t)[0], rtol=0, atol=1e-4)


def test_how_the_level_is_told() -> None:
    seen: list[Any] = []

    class Told(nn.Module):
        def forward(self, u: Tensor, *more: Tensor) -> Any:
            seen.append((u.shape[1], [tuple(value.shape) for value in more]))
            return torch.cat([u[:, :3], u[:, :3]], 1), "what else it found"

    for told in ("vector", "column", "map", "nothing"):
        prior = FlowPrior.from_denoiser(Told(), told=told, unit=255.0, size=8, check=False)
        prior.denoise(torch.rand(2, *SHAPE), 0.8)
    assert seen == [(3, [(2,)]), (3, [(2, 1, 1, 1)]), (4, []), (3, [])]


@pytest.mark.parametrize("value_range", RANGES[:2], ids=str)
@pytest.mark.parametrize("answer", ["image", "residual"])
def test_a_contradiction_is_told_with_what_fits(answer: str, value_range: tuple[float, float]) -> None:
    network = Exact(value_range, ve, QUESTIONS[answer], smoothed)
    FlowPrior.from_denoiser(network, "ve", value_range, answer=answer)
    with pytest.raises(OptionError, match=rf"contradicts the network.*it fits.*answer={answer}.*check=False"):
        FlowPrior.from_denoiser(network, "ve", value_range, answer="noise")


def test_answers_of_the_wrong_size() -> None:
    for network in (nn.AvgPool2d(2), nn.Conv2d(3, 2, 1)):
        with pytest.raises(ShapeError, match="expected a denoiser, whose output has the shape"):
            FlowPrior.from_denoiser(network, told="nothing", size=8)


def test_options_that_do_not_fit() -> None:
    with pytest.raises(UnknownNameError, match="unknown convention 'vee'"):
        named("vee")
    with pytest.raises(OptionError, match=r"^schedule: expected an option of this convention: low, high"):
        named("ve", schedule="linear")
    with pytest.raises(OptionError, match=r"^high: must differ from low"):
        named("ve", (1.0, 1.0))
    with pytest.raises(OptionError, match=r"^least: expected less than most=0.1"):
        named("ve", levels=(0.2, 0.1))


@pytest.mark.parametrize("name", conventions.names())
def test_a_convention_is_stored(name: str) -> None:
    convention = conventions.get(name)(most=3.0)
    assert from_config(to_config(convention)) == convention

"""What the classical methods share: tasks, constraints, batches, settings."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import restora
from restora.align import astronaut
from restora.degradations import (
    AdditiveNoise,
    Blur,
    Degradation,
    Downsample,
    Grayscale,
    LinearDegradation,
    Mask,
    Quantize,
)
from restora.errors import OptionError, PairingError
from restora.metrics import psnr
from restora.priors import DictionaryPrior, load_prior
from restora.random import generators
from restora.solvers import TV, LowRank, Solver, Sparse, Step, solvers
from restora.solvers.admm import ADMM
from restora.solvers.kind import OTHER

METHODS = [TV, LowRank, Sparse]


class Half(LinearDegradation):
    """A degradation of a user, which no table knows."""

    def __init__(self) -> None:
        super().__init__(
            lambda x: x[..., ::2], lambda y: torch.repeat_interleave(y, 2, -1) * _even(y), sigma=0.02
        )


def _even(y: Tensor) -> Tensor:
    return (torch.arange(2 * y.shape[-1]) % 2 == 0).to(y)


TASKS: dict[str, Degradation] = {
    "inpaint": Mask.center((64, 64), 16),
    "superres": Downsample(4),
    "denoise": AdditiveNoise(0.1),
    "dequantize": Quantize(5),
    "deblur": Blur(boundary="circular"),
    "user": Half(),
}


def run(solver: Solver, y: Tensor, degradation: Degradation) -> Step:
    prior = load_prior("faces64-dictionary") if solver.needs else None
    *_, last = solver.steps(y, degradation, prior, generators(0, len(y)))
    return last


def observe(degradation: Degradation) -> tuple[Tensor, Tensor]:
    """A photo and its mirror image, darker; and what is seen of them."""
    x = torch.stack([astronaut(), 0.8 * astronaut().flip(-1)])
    return x, degradation(x, generators(0, 2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", TASKS)
def test_better_than_the_observation_and_the_same_alone(method: type[ADMM], task: str) -> None:
    degradation = TASKS[task]
    x, y = observe(degradation)
    found = run(method(), y, degradation)
    seen = run(solvers.get("observed")(), y, degradation).x
    assert (psnr(found.x, x) > psnr(seen, x) + 0.7).all()
    assert found.loss.shape == (2,)
    alone = run(method(), y[1:], degradation)
    torch.testing.assert_close(found.x[1:], alone.x, rtol=0, atol=2e-3)
    torch.testing.assert_close(found.loss[1:], alone.loss, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", ["inpaint", "superres", "dequantize"])
def test_what_is_known_exactly_is_kept(method: type[ADMM], task: str) -> None:
    degradation = TASKS[task]
    _, y = observe(degradation)
    x = run(method(iterations=2), y, degradation).x
    assert degradation.fidelity(x, y).max() < 1e-8


@pytest.mark.parametrize("method", METHODS)
def test_any_size_and_a_mask_for_each_image(method: type[ADMM]) -> None:
    x = astronaut()[None, :, 20:33, 10:31].repeat(2, 1, 1, 1)
    mask = torch.ones(2, 1, 13, 21)
    mask[0, :, 4:9, 5:9] = 0
    mask[1, :, :3, 12:] = 0
    degradation = Mask(mask)
    found = run(method(), degradation(x), degradation).x
    assert found.shape == x.shape
    assert (psnr(found, x) > psnr(degradation(x), x) + 8).all()


@pytest.mark.parametrize("method", METHODS)
def test_more_noise_needs_no_other_weight(method: type[ADMM]) -> None:
    for sigma in (0.03, 0.2):
        x, y = observe(AdditiveNoise(sigma))
        found = [
            psnr(
                run(method(weight=factor * method.best["gaussian"]["weight"]), y, AdditiveNoise(sigma)).x,
                x,
            )
            for factor in (0.6, 1, 1.6)
        ]
        assert found[1].mean() > max(found[0].mean(), found[2].mean())


@pytest.mark.parametrize("method", METHODS)
def test_settings(method: type[ADMM]) -> None:
    degradation = Downsample(4)
    assert method(iterations=3).settled(degradation).iterations == 3
    assert method().settled(degradation).weight == method.best["reduction"]["weight"]
    assert method().settled(Half()).weight == method.best[OTHER]["weight"]
    for name in ("weight", "penalty", "iterations"):
        with pytest.raises(
            OptionError, match=rf"^{name}: expected .* or 'auto' .*, got 0; the default is 'auto'"
        ):
            method(**{name: 0})
    for name in ("stride", "sparsity"):
        with pytest.raises(OptionError, match=f"^{name}: expected a whole number of at least 1"):
            Sparse(**{name: 0})


def test_levels_as_a_file_holds_them_are_the_levels() -> None:
    _, exact = observe(Quantize(5))
    file = (255 * exact).round() / 255
    assert not torch.equal(file, exact)
    torch.testing.assert_close(run(TV(), file, Quantize(5)).x, run(TV(), exact, Quantize(5)).x)


@pytest.mark.parametrize("name", ["tv", "lowrank", "sparse"])
def test_grey_has_no_colours_to_find(name: str) -> None:
    with pytest.raises(PairingError, match=r"no answer to task 'colorize'"):
        restora.restore(torch.zeros(1, 1, 64, 64), Grayscale(), method=name)


def test_the_shipped_dictionary_denoises_a_photo() -> None:
    x, y = observe(AdditiveNoise(0.1))
    assert isinstance(load_prior("faces64-dictionary"), DictionaryPrior)
    result = restora.restore(y, AdditiveNoise(0.1), method="sparse", device="cpu")
    assert (psnr(result.image, x) > 27).all()
    assert (psnr(result.image, x) > psnr(run(TV(), y, AdditiveNoise(0.1)).x, x) + 0.5).all()

"""`restora train gaussian`: the estimate against a known covariance, and the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from restora.errors import DataError, OptionError
from restora.pictures import image
from restora.priors import GaussianPrior, load_prior
from restora.training.gaussian import GaussianConfig, GaussianTrainer

SHAPE, SIZE = (3, 8, 8), 192
Command = Callable[..., Any]


def fit(pixels: Tensor, **settings: Any) -> GaussianPrior:
    trainer = GaussianTrainer(GaussianConfig(size=8, **settings), pixels)
    while trainer.images_seen < trainer.length:
        trainer.step(0.0)
    return trainer.prior()


def matrix(prior: GaussianPrior) -> Tensor:
    double = prior.double()
    return double.covariance(torch.eye(SIZE).double().view(SIZE, *SHAPE)).flatten(1)


def known() -> GaussianPrior:
    """Three strong directions, and a smooth rest whose channels vary together; no mirror symmetry."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(SIZE, 3, generator=generator)).Q.T
    factors = torch.tensor([0.4, 0.3, 0.2])[:, None] * directions
    frequency = torch.arange(8.0)[:, None] ** 2 + torch.arange(8.0)[None] ** 2
    mixing = torch.eye(3)[:, :, None, None] * 0.3 + 0.7 / 3
    return GaussianPrior(
        torch.full(SHAPE, 0.5),
        factors.view(3, *SHAPE),
        mixing * 0.02 / (1 + frequency) + 0.02 * torch.eye(3)[:, :, None, None],
    )


def photos(count: int, prior: GaussianPrior | None = None) -> Tensor:
    drawn = (prior or known()).sample(count, torch.Generator().manual_seed(1))
    return (drawn * 255).round().to(torch.uint8)


def test_the_covariance_is_recovered() -> None:
    truth, count = known(), 40_000
    estimate = fit(photos(count, truth), rank=3, mirror=False, floor=0.0, batch=1000)
    assert estimate.rank == 3
    S, found = matrix(truth), matrix(estimate)
    std = S.diagonal().sqrt()
    noise = ((std[:, None] * std[None]) ** 2 + S**2).div(count).sqrt()
    assert ((found - S).abs() < 6 * noise + 3e-5).all()  # 3e-5: what the directions take of the rest
    assert (estimate.mean - truth.mean).abs().max() < 6 * std.max() / count**0.5


@pytest.mark.parametrize("mirror", [False, True])
def test_at_full_rank_it_is_the_covariance_of_the_images(mirror: bool) -> None:
    images = photos(2000)
    flat = (torch.cat([images, images.flip(-1)]) if mirror else images).flatten(1).double() / 255
    estimate = fit(images, rank=192, mirror=mirror, floor=0.0)
    torch.testing.assert_close(estimate.mean.flatten().double(), flat.mean(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(matrix(estimate), torch.cov(flat.T, correction=0), rtol=0, atol=2e-6)


def test_without_directions_each_frequency_keeps_its_channels() -> None:
    images = photos(500)
    estimate = fit(images, rank=0, floor=0.0)
    flat = torch.cat([images, images.flip(-1)]).flatten(1).double() / 255
    exact = torch.cov(flat.T, correction=0)
    assert abs(matrix(estimate).trace() - exact.trace()) < 1e-4
    brightness = flat.view(-1, 3, 64).mean(2)
    expected = torch.cov(brightness.T, correction=0)
    L = estimate.spread[:, :, 0, 0].double()
    torch.testing.assert_close(L @ L.T, 64 * expected, rtol=1e-4, atol=1e-6)


def test_floor_odd_sizes_and_images_that_are_all_alike() -> None:
    grey = torch.full((30, 1, 7, 7), 100, dtype=torch.uint8)
    prior = fit(grey, rank=2, floor=1e-4)
    torch.testing.assert_close(prior.mean, torch.full((1, 7, 7), 100 / 255))
    torch.testing.assert_close(prior.covariance(torch.ones(1, 1, 7, 7)), torch.full((1, 1, 7, 7), 1e-4))


def test_few_images_give_few_directions() -> None:
    assert fit(photos(45), rank=512).rank == 4
    assert fit(photos(45), rank=512, images=20).rank == 2
    with pytest.raises(DataError, match="needs at least 2"):
        GaussianTrainer(GaussianConfig(), photos(1))
    for setting in ("rank", "images", "floor", "passes"):
        with pytest.raises(OptionError, match=f"^{setting}: expected .*at least"):
            GaussianConfig(**{setting: -1})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, pixels in enumerate(photos(24)):
        image.write(tmp_path / "photos" / f"{i:02}.png", pixels / 255)
    return tmp_path / "photos"


def test_train_and_restore(folder: Path, tmp_path: Path, restora: Command) -> None:
    run = restora(
        "train", "gaussian", folder, "-o", tmp_path / "run", "--size", 8, "--device", "cpu", "--json"
    )
    assert (run.code, json.loads(run.out)["images_seen"]) == (0, 72)
    assert "24 images of 8x8" in run.err
    prior = load_prior(tmp_path / "run")
    assert isinstance(prior, GaussianPrior)
    assert (prior.rank, prior.card["training_images"]) == (2, 24)
    assert image.read(tmp_path / "run" / "samples.png").size == (78, 78)
    image.write(tmp_path / "grey.png", image.read(folder / "00.png", 1).pixels)
    words = ("--task", "colorize", "--prior", tmp_path / "run", "--samples", 2, "--device", "cpu")
    assert restora("restore", tmp_path / "grey.png", "-o", tmp_path / "out", *words).code == 0
    assert image.read(tmp_path / "out" / "grey.png", 3).size == (8, 8)
    assert (tmp_path / "out" / "grey-2.png").exists()
    again = restora("train", "gaussian", folder, "-o", tmp_path / "run", "--size", 8)
    assert "add --resume" in again.error()


def test_a_run_that_stops_continues(tmp_path: Path) -> None:
    images, config = photos(100), GaussianConfig(size=8, rank=4, batch=30)
    whole, first, second = (GaussianTrainer(config, images) for _ in range(3))
    while whole.images_seen < whole.length:
        whole.step(0.0)
    for _ in range(6):
        first.step(0.0)
    second.load_state(first.state())
    while second.images_seen < second.length:
        second.step(0.0)
    for name, value in whole.prior().state_dict().items():
        assert torch.equal(value, second.prior().state_dict()[name])


@pytest.mark.parametrize("mirror", [False, True])
def test_exact_is_the_covariance_of_a_few_images_too(mirror: bool) -> None:
    images = photos(300)
    flat = (torch.cat([images, images.flip(-1)]) if mirror else images).flatten(1).double() / 255
    estimate = fit(images, exact=True, mirror=mirror, floor=0.0)
    assert estimate.rank == 192
    torch.testing.assert_close(matrix(estimate), torch.cov(flat.T, correction=0), rtol=0, atol=2e-6)

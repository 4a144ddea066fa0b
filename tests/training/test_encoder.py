"""`restora train encoder`: it learns latents, resumes exactly, and is stored with its GAN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from restora.degradations import AdditiveNoise, Mask, degradations
from restora.errors import OptionError
from restora.priors import GANPrior, load_prior
from restora.training import checkpoint, loop
from restora.training.encoder import EncoderConfig, EncoderTrainer
from restora.training.observations import fitting, observe

SETTINGS: dict[str, Any] = {
    "width": 8,
    "batch": 16,
    "group": 4,
    "warmup": 16,
    "average_images": 64,
    "rank": 2,
    "directions": 3,
}


@pytest.fixture
def config(tiny: Path) -> EncoderConfig:
    return EncoderConfig(prior=str(tiny), **SETTINGS)


def images(config: EncoderConfig, count: int = 80) -> torch.Tensor:
    """What the GAN draws, as files hold it."""
    drawn = config.gan.sample(count, torch.Generator().manual_seed(3))
    return (255 * drawn).round().to(torch.uint8)


def test_it_learns_the_latents(tiny: Path) -> None:
    config = EncoderConfig(prior=str(tiny), **SETTINGS | {"rate": 5e-3, "tie": 0.1, "pull": 0.0})
    trainer = EncoderTrainer(config, images(config, 400))
    before = trainer.check()["validation_psnr"]
    for _ in range(150):
        trainer.step(0.3)
    assert trainer.check()["validation_psnr"] > before + 2
    gan, denoise = config.gan, AdditiveNoise(0.02)
    z = gan.latents(64, torch.Generator().manual_seed(9))
    prior = GANPrior(gan.generator, latent_shape=gan.latent_shape, encoder=trainer.average.cpu())
    guess = prior.encode(denoise(gan.generate(z)), denoise)
    assert (guess - z).square().mean() < 0.75 * z.square().mean()


def test_degradations_are_drawn_for_every_group(config: EncoderConfig) -> None:
    x = torch.rand(160, 3, 8, 8)
    found = observe(x, 4, torch.Generator().manual_seed(0))
    assert sum(len(y) for y, _ in found) == 160
    assert {type(a) for _, a in found} == {degradations.get(name) for name in fitting((3, 8, 8))}
    assert "impulse" not in fitting((3, 8, 8))  # which becomes inpainting
    assert "colorize" not in fitting((1, 8, 8))
    masks = Mask.random((3, 16, 16), 200, torch.Generator().manual_seed(0)).mask
    assert len(masks) == 200
    assert 0.3 < masks.mean() < 0.9


def test_a_resumed_run_is_the_run_itself(config: EncoderConfig, tmp_path: Path) -> None:
    whole, first = EncoderTrainer(config, images(config)), EncoderTrainer(config, images(config))
    for _ in range(4):
        whole.step(0.5)
    for _ in range(2):
        first.step(0.5)
    checkpoint.save(tmp_path / "c", first.state())
    second = EncoderTrainer(config, images(config))
    second.load_state(checkpoint.load(tmp_path / "c"))
    for _ in range(2):
        second.step(0.5)
    for name in ("encoder", "average"):
        one, two = whole.state()[name], second.state()[name]
        assert [key for key, value in one.items() if not torch.equal(two[key], value)] == []


def test_it_is_stored_with_its_gan(config: EncoderConfig, tmp_path: Path) -> None:
    trainer = EncoderTrainer(config, images(config))
    for _ in loop.run(trainer, tmp_path / "out", loop.Budget(images=32)):
        pass
    stored, gan = load_prior(tmp_path / "out"), config.gan
    assert isinstance(stored, GANPrior)
    z = gan.latents(2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(stored.generate(z), gan.generate(z), rtol=0, atol=1e-3)
    mask = Mask.center((8, 8))
    y = mask(torch.rand(2, 3, 8, 8))
    with torch.no_grad():
        expected = trainer.average.cpu()(trainer._see([(y, mask)]))
    torch.testing.assert_close(stored.encode(y, mask), expected, rtol=0.05, atol=0.05)

    # What the correction leaves of the photographs has the variance that it says.
    assert stored.correction is not None
    x = trainer.batches.images / 255
    found = trainer.restore_all(observe(x, 4, torch.Generator().manual_seed(1)))
    spread = (x - stored.correction.predict(found)).square().mean().item()
    residual = stored.correction.residual
    drawn = (residual.deviation(500, torch.Generator().manual_seed(0))).square().mean().item()
    assert drawn == pytest.approx(spread, rel=0.3)


def test_only_a_gan_can_have_one() -> None:
    with pytest.raises(OptionError, match="prior: expected a GAN, got faces64-gaussian, a GaussianPrior"):
        EncoderConfig(prior="faces64-gaussian")

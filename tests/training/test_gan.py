from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from restora.errors import DataError, OptionError, OutputError, TrainingError
from restora.priors import load_prior
from restora.training import checkpoint, loop
from restora.training.gan import DCGANConfig, DCGANTrainer

SETTINGS = {"size": 8, "latent": 4, "width": 4, "width_discriminator": 4, "batch": 8}
CONFIG = DCGANConfig(**SETTINGS)


def images(count: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=generator)


def test_both_players_get_the_gradients_of_their_own_losses() -> None:
    trainer = DCGANTrainer(CONFIG, images())
    trainer.discriminator.eval()  # power iteration would move the weights between the two computations
    real, fake = trainer.batches[0], torch.rand(8, 3, 8, 8) * 2 - 1
    loss_g = F.softplus(-trainer.discriminator(x := fake.clone().requires_grad_())).mean()
    (expected,) = torch.autograd.grad(loss_g, x)
    loss_d = F.softplus(-trainer.discriminator(real)).mean() + F.softplus(trainer.discriminator(fake)).mean()
    last = list(trainer.discriminator.parameters())[-1]
    (expected_d,) = torch.autograd.grad(loss_d, last)
    losses, found = trainer._discriminator_step(real, fake)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(last.grad, expected_d)
    assert losses["loss_g"] == pytest.approx(loss_g.item(), rel=1e-5)
    assert losses["loss_d"] == pytest.approx(loss_d.item(), rel=1e-5)


def test_training_improves_the_average_and_moves_it_slowly() -> None:
    trainer = DCGANTrainer(CONFIG, images())
    before = [p.clone() for p in trainer.average.parameters()]
    for _ in range(3):
        trainer.step(0.0)
    for start, mean, now in zip(
        before, trainer.average.parameters(), trainer.generator.parameters(), strict=True
    ):
        assert 0 < (mean - start).norm() < (now - start).norm()
    assert trainer.images_seen == 24


def test_rates_decay_to_zero() -> None:
    trainer = DCGANTrainer(CONFIG, images())
    trainer.step(0.6)
    assert trainer.adam_g.param_groups[0]["lr"] == pytest.approx(2e-4)
    trainer.step(0.8)
    assert trainer.adam_d.param_groups[0]["lr"] == pytest.approx(2e-4)
    trainer.step(1.0)
    assert trainer.adam_d.param_groups[0]["lr"] == 0


def test_a_resumed_run_is_the_run_itself(tmp_path: Path) -> None:
    whole, first = DCGANTrainer(CONFIG, images()), DCGANTrainer(CONFIG, images())
    for _ in range(6):
        whole.step(0.0)
    for _ in range(3):
        first.step(0.0)
    checkpoint.save(tmp_path / "c", first.state())
    second = DCGANTrainer(CONFIG, images())
    second.load_state(checkpoint.load(tmp_path / "c"))
    for _ in range(3):
        second.step(0.0)
    for name in ("generator", "discriminator", "average"):
        expected = getattr(whole, name).state_dict()
        for key, value in getattr(second, name).state_dict().items():
            assert torch.equal(value, expected[key]), key


def test_other_settings_are_refused_on_resume() -> None:
    state = DCGANTrainer(CONFIG, images()).state()
    with pytest.raises(TrainingError, match="latent"):
        DCGANTrainer(DCGANConfig(**{**SETTINGS, "latent": 5}), images()).load_state(state)


def test_divergence_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    for _ in loop.run(DCGANTrainer(CONFIG, images()), tmp_path, loop.Budget(images=16)):
        pass
    before, trainer = path.read_bytes(), DCGANTrainer(CONFIG, images())
    run = loop.run(trainer, tmp_path, loop.Budget(images=64), resume=True, every=0.0)
    next(run)
    next(trainer.average.parameters()).data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="diverged"):
        next(run)
    assert path.read_bytes() == before


def test_collapse_is_seen() -> None:
    trainer = DCGANTrainer(CONFIG, images())
    trainer.average.project.weight.data.zero_()
    trainer.images_seen = 200_000
    with pytest.raises(TrainingError, match="collapsed"):
        trainer.check()


def test_the_exported_prior_is_the_average(tmp_path: Path) -> None:
    trainer = DCGANTrainer(CONFIG, images())
    for report in loop.run(trainer, tmp_path, loop.Budget(images=40), facts={"summary": "test"}):
        assert 0 < report.images <= 40
    prior, (generator, discriminator) = load_prior(tmp_path), trainer.final_networks()
    z = torch.randn(4, 4)
    torch.testing.assert_close(prior.generate(z), generator(z) / 2 + 0.5, atol=2e-3, rtol=0)
    x = torch.rand(4, 3, 8, 8)
    torch.testing.assert_close(prior.logit(x), discriminator(2 * x - 1), atol=2e-2, rtol=0)
    assert prior.card["images_seen"] == 40
    assert prior.card["summary"] == "test"
    assert {p.name for p in tmp_path.iterdir()} >= {"samples.png", "log.jsonl", "README.md"}


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    for _ in loop.run(DCGANTrainer(CONFIG, images()), tmp_path, loop.Budget(images=8)):
        pass
    with pytest.raises(OutputError, match="resume=True"):
        next(loop.run(DCGANTrainer(CONFIG, images()), tmp_path, loop.Budget(images=16)))


def test_budgets() -> None:
    assert loop.Budget(minutes=2).fraction(60, 0) == 0.5
    assert loop.Budget(images=10).fraction(0, 20) == 1
    for bad in ({}, {"minutes": 1, "images": 1}, {"minutes": 0}, {"images": -1}):
        with pytest.raises(OptionError):
            loop.Budget(**bad)


def test_bad_settings_and_data() -> None:
    with pytest.raises(OptionError, match="power of two"):
        DCGANConfig(size=48)
    with pytest.raises(DataError, match="at least 8"):
        DCGANTrainer(CONFIG, images(7))

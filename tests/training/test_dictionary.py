"""`restora train dictionary`: it finds planted atoms, is the same for a seed, and resumes to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import OptionError
from restora.pictures import image
from restora.priors import DictionaryPrior, load_prior
from restora.training.dictionary import DictionaryConfig, DictionaryTrainer

SETTINGS = {"size": 8, "patch": 4, "atoms": 12, "sparsity": 1, "batch": 20, "patches": 10}


def planted(count: int = 2000) -> tuple[Tensor, Tensor]:
    """Images (count, 1, 8, 8), each grey and some of one of 6 atoms; and the atoms, unit and centred."""
    generator = torch.Generator().manual_seed(0)
    atoms = torch.randn(6, 64, generator=generator)
    atoms = F.normalize(atoms - atoms.mean(1, keepdim=True), dim=1)
    which = torch.randint(0, 6, (count,), generator=generator)
    amount = 2 * torch.rand(count, 1, generator=generator) - 1
    pixels = (amount * atoms[which] + 0.5).view(count, 1, 8, 8)
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8), atoms


def trained(images: Tensor, **settings: Any) -> DictionaryTrainer:
    trainer = DictionaryTrainer(
        DictionaryConfig(**{**SETTINGS, "channels": images.shape[1], **settings}), images
    )
    while trainer.images_seen < trainer.length:
        trainer.step(0.0)
    return trainer


def test_planted_atoms_are_found() -> None:
    """And their mirror images, which the training sees as often."""
    images, atoms = planted()
    settings = {"channels": 1, "patch": 8, "atoms": 24, "batch": 50, "patches": 1, "passes": 2}
    trainer = DictionaryTrainer(DictionaryConfig(**{**SETTINGS, **settings}), images)
    errors = []
    while trainer.images_seen < trainer.length:
        errors.append(trainer.step(0.0)["error"])
    assert sum(errors[-10:]) < 0.3 * sum(errors[:10])
    assert trainer.check()["error"] == errors[-1]
    learnt = trainer.prior().atoms.flatten(1)
    torch.testing.assert_close(learnt.norm(dim=1), torch.ones(24))
    assert (atoms @ learnt.T).abs().amax(1).min() > 0.95
    mirrored = atoms.view(6, 8, 8).flip(-1).flatten(1)
    assert (mirrored @ learnt.T).abs().amax(1).min() > 0.95


def test_the_seed_decides() -> None:
    images, _ = planted(60)
    one, same, other = trained(images), trained(images), trained(images, seed=1)
    assert torch.equal(one.atoms, same.atoms)
    assert not torch.allclose(one.atoms, other.atoms)


def test_a_run_that_stops_continues() -> None:
    images, _ = planted(60)
    config = DictionaryConfig(**{**SETTINGS, "channels": 1, "passes": 3})
    whole, first, second = (DictionaryTrainer(config, images) for _ in range(3))
    for _ in range(6):
        whole.step(0.0)
    for _ in range(2):
        first.step(0.0)
    state = first.state()
    first.step(0.0)  # does not reach the state
    second.load_state(state)
    for _ in range(4):
        second.step(0.0)
    assert torch.equal(whole.atoms, second.atoms)


def test_flat_images_give_finite_atoms() -> None:
    trainer = trained(torch.full((40, 3, 8, 8), 90, dtype=torch.uint8))
    assert trainer.atoms.isfinite().all()
    torch.testing.assert_close(trainer.atoms.norm(dim=1), torch.ones(12))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"patch": 9}, "patch: expected at most the size of the images, 8, got 9"),
        ({"atoms": 0}, "atoms: expected a whole number of at least 1"),
        ({"batch": 1}, "batch: a batch needs at least as many patches"),
    ],
)
def test_settings_that_cannot_be(setting: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DictionaryConfig(**{**SETTINGS, **setting})


def test_train_and_restore(tmp_path: Path, restora: Callable[..., Any]) -> None:
    images, _ = planted(24)
    for i, pixels in enumerate(images):
        image.write(tmp_path / "photos" / f"{i:02}.png", pixels.repeat(3, 1, 1) / 255)
    options = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    run = restora("train", "dictionary", tmp_path / "photos", "-o", tmp_path / "run", *options, "--json")
    assert (run.code, json.loads(run.out)["images_seen"]) == (0, 40)
    prior = load_prior(tmp_path / "run")
    assert isinstance(prior, DictionaryPrior)
    assert (prior.atoms.shape, prior.card["training_images"]) == ((12, 3, 4, 4), 24)
    words = ("--task", "denoise", "--method", "sparse", "--prior", tmp_path / "run", "--set", "weight=0.5")
    done = restora(
        "restore", tmp_path / "photos" / "00.png", "-o", tmp_path / "out", *words, "--device", "cpu"
    )
    assert done.code == 0
    assert image.read(tmp_path / "out" / "00.png", 3).size == (8, 8)

"""`restora train lookup`: what the table holds, and that its folder serves `map`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from restora.degradations import Downsample
from restora.errors import OptionError
from restora.priors import lookup, store
from restora.priors.lookup import Lookup
from restora.restoration import restore
from restora.solvers import LatentMAP
from restora.training import checkpoint, loop
from restora.training.lookup import LookupConfig, LookupTrainer

IMAGES = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)


@pytest.fixture
def config(tiny: Path) -> LookupConfig:
    return LookupConfig(prior=str(tiny), entries=300, rank=40, batch=64)


def test_codes_stand_for_images(config: LookupConfig, tmp_path: Path) -> None:
    trainer = LookupTrainer(config, IMAGES)
    for _ in loop.run(trainer, tmp_path / "out", loop.Budget(images=trainer.length)):
        pass
    gan: Any = store.load(config.prior)
    table = Lookup.load(tmp_path / "out", gan)
    assert (table.entries, len(table.directions)) == (300, 40)
    x = gan.generate(trainer.latents)
    drawn = table.mean + torch.einsum("nr,rchw->nchw", trainer.codes, table.directions)
    assert (drawn - x).square().mean() < 0.2 * (x - table.mean).square().mean()
    assert trainer.check()["held"] > 0.8
    y = Downsample()(x[7:8])
    z = table.nearest(y, Downsample(), gan, 1)
    torch.testing.assert_close(z[0, 0], trainer.latents[7], rtol=1e-2, atol=1e-3)
    method = LatentMAP(table=str(tmp_path / "out"), iterations=0, finish="none")
    found = restore(y, Downsample(), method=method, prior=gan)
    torch.testing.assert_close(found.image, x[7:8].clamp(0, 1), rtol=0, atol=2e-2)


def test_a_resumed_table_is_the_table_itself(config: LookupConfig, tmp_path: Path) -> None:
    whole, first = LookupTrainer(config, IMAGES), LookupTrainer(config, IMAGES)
    for _ in range(5):
        whole.step(0.0)
    first.step(0.0)
    checkpoint.save(tmp_path / "c", first.state())
    second = LookupTrainer(config, IMAGES)
    second.load_state(checkpoint.load(tmp_path / "c"))
    for _ in range(4):
        second.step(0.0)
    for name in lookup.TENSORS:
        torch.testing.assert_close(second.state()[name], whole.state()[name])
    assert second.images_seen == second.length == 300


def test_only_a_gan_has_latents() -> None:
    with pytest.raises(OptionError, match="expected a GAN, got faces64-gaussian, a GaussianPrior"):
        LookupConfig(prior="faces64-gaussian")

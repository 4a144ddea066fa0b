"""A table of latents: the nearest by their codes are the nearest by their images, for all degradations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, Grayscale, Mask, Quantize
from restora.errors import OptionError, WeightsError
from restora.priors import GANPrior, lookup
from restora.priors.lookup import Lookup

MASKS = (torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(2)) < 0.4).float()


@pytest.mark.parametrize(
    "degradation",
    [
        Mask.center((8, 8)),
        Mask(MASKS),
        Grayscale(),
        Downsample(),
        AdditiveNoise(),
        Blur(width=0.5),
        Quantize(5),
    ],
    ids=lambda d: type(d).__name__,
)
def test_it_finds_what_a_search_of_all_finds(prior: GANPrior, table: Path, degradation: Degradation) -> None:
    generator = torch.Generator().manual_seed(5)
    y = degradation(prior.generate(prior.latents(4, generator)), generator)
    found = Lookup.load(table, prior).nearest(y, degradation, prior, 3)
    assert found.shape == (4, 3, 5)
    z = prior.latents(500, torch.Generator().manual_seed(1)).to(torch.float16).float()
    for i in range(4):
        rows = torch.full((500,), i)
        misfit = degradation.take(rows).fidelity(prior.generate(z), y[rows])
        best = misfit.sort().values[:3]
        mine = degradation.take(rows[:3]).fidelity(prior.generate(found[i]), y[rows[:3]])
        torch.testing.assert_close(mine, best, rtol=1e-3, atol=1e-4)


def test_it_is_read_a_part_at_a_time(prior: GANPrior, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    y = Downsample()(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    whole = Lookup.load(table, prior).nearest(y, Downsample(), prior, 5)
    monkeypatch.setattr(lookup, "PART", 64)
    torch.testing.assert_close(Lookup.load(table, prior).nearest(y, Downsample(), prior, 5), whole)


def test_tables_that_do_not_fit(prior: GANPrior, table: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="500 entries, fewer than the 501"):
        Lookup.load(table, prior).nearest(torch.rand(1, 3, 8, 8), AdditiveNoise(), prior, 501)
    with torch.no_grad():
        prior.generator.weight.mul_(2)
    with pytest.raises(OptionError, match="of the generator of 'unnamed'"):
        Lookup.load(table, prior)
    (tmp_path / "other").mkdir()
    for content in (b"", b"no table"):
        (tmp_path / "other" / lookup.FILE).write_bytes(content)
        with pytest.raises(WeightsError, match="cannot be read as a table"):
            Lookup.load(tmp_path / "other", prior)
    with pytest.raises(WeightsError, match="cannot be read as a table"):
        Lookup.load(tmp_path / "nowhere", prior)

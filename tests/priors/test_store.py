from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from restora.errors import OutputError, UnknownNameError, WeightsError
from restora.networks.dcgan import Discriminator, Generator
from restora.priors import GANPrior, load_prior, store


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    generator, discriminator = Generator(6, 4, size=8).eval().fold(), Discriminator(4, size=8).eval().bake()
    store.save(tmp_path / "tiny", GANPrior(generator, discriminator, (6,)), {"summary": "tiny", "n": [1, 2]})
    return tmp_path / "tiny"


def test_round_trip_in_half_precision(stored: Path) -> None:
    first, second = load_prior(stored), load_prior(str(stored))
    assert first.name == "tiny"
    assert first.card == {"summary": "tiny", "n": [1, 2]}
    z = torch.randn(2, 6)
    torch.testing.assert_close(first.generate(z), second.generate(z))
    assert all(p.dtype == torch.float32 for p in first.parameters())
    assert (stored / store.WEIGHTS).stat().st_size < 2.2 * sum(p.numel() for p in first.parameters()) + 4000


def test_the_card_has_a_yaml_head(stored: Path) -> None:
    text = (stored / "README.md").read_text()
    assert text.startswith("---\n")
    assert "library_name: restora" in text
    assert "\n# tiny\n" in text


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown prior 'faces65'"):
        load_prior("faces65")
    with pytest.raises(WeightsError, match=r"no prior\.safetensors"):
        load_prior(tmp_path)


def test_damaged_and_foreign_files(stored: Path) -> None:
    path = stored / store.WEIGHTS
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        load_prior(stored)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(WeightsError, match="damaged or not a safetensors"):
        load_prior(stored)
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not a restora prior"):
        load_prior(stored)
    save_file({"a": torch.zeros(3)}, path, metadata={"restora.prior": '{"kind": "gan", "config": {}}'})
    with pytest.raises(WeightsError, match="do not match"):
        load_prior(stored)
    save_file({"a": torch.zeros(3)}, path, metadata={"restora.prior": "{"})
    with pytest.raises(WeightsError):
        load_prior(stored)


def test_weights_with_nan_are_refused(stored: Path) -> None:
    prior = load_prior(stored)
    next(prior.parameters()).data[0] = float("nan")
    with pytest.raises(WeightsError, match="not finite"):
        store.save(stored, prior, {})


def test_a_full_disk_leaves_the_earlier_file(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (stored / store.WEIGHTS).read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        store.save(stored, load_prior(stored), {})
    assert (stored / store.WEIGHTS).read_bytes() == before
    assert sorted(p.name for p in stored.iterdir()) == ["README.md", store.WEIGHTS]

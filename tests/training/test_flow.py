"""`restora train flow`: its loss, its rate, exact resume, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora.errors import DataError, OptionError, TrainingError
from restora.pictures import image
from restora.priors import FlowPrior, load_prior
from restora.training import checkpoint, loop
from restora.training.flow import FlowConfig, FlowTrainer

SETTINGS: dict[str, Any] = {
    "size": 8,
    "width": 4,
    "batch": 8,
    "warmup": 8,
    "rate": 1e-3,
    "average_images": 64,
}
CONFIG = FlowConfig(**SETTINGS)
Command = Callable[..., Any]


def images(count: int = 40) -> torch.Tensor:
    """Two colours, side by side, and a little noise: no Gaussian."""
    generator = torch.Generator().manual_seed(0)
    left = torch.rand(count, 3, 1, 1, generator=generator).round().expand(-1, -1, 8, 4)
    noise = 20 * torch.rand(count, 3, 8, 8, generator=generator)
    return (torch.cat([left, 1 - left], 3) * 200 + noise).to(torch.uint8)


@pytest.mark.parametrize("precondition", ["gaussian", "none"])
def test_training_improves_the_average(precondition: Any) -> None:
    config = FlowConfig(**SETTINGS | {"width": 8, "precondition": precondition, "rate": 3e-3, "rank": 0})
    trainer = FlowTrainer(config, images(400))
    before = trainer.check()
    for _ in range(40):
        trainer.step(0.0)
    after = trainer.check()
    assert after["validation_loss"] < 0.98 * before["validation_loss"]
    if precondition == "none":
        assert after["validation_psnr"] > before["validation_psnr"] + 0.5
    else:
        assert before["validation_psnr"] > 30  # what is left to denoise here is white
    assert trainer.images_seen == 320


def test_at_first_it_is_the_linear_denoiser() -> None:
    trainer = FlowTrainer(CONFIG, images(400))
    assert trainer.check()["validation_loss"] == pytest.approx(1, abs=0.3)
    assert trainer.step(0.0)["loss"] == pytest.approx(1, abs=0.3)
    assert trainer.prior.gaussian is not None
    assert trainer.prior.gaussian.rank == 36  # one for ten of the 360 that are not held out


class Oracle(torch.nn.Module):
    """A denoiser of one answer: grey."""

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, 0.5)


def taught(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> FlowTrainer:
    teacher = FlowPrior.from_denoiser(Oracle(), "ve", levels=(0.05, 0.5), check=False)
    monkeypatch.setattr("restora.training.flow.store.load", lambda name: teacher)
    return FlowTrainer(FlowConfig(**SETTINGS | {"teacher": "grey", **settings}), images(400))


def test_a_teacher_answers_at_the_levels_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = taught(monkeypatch)
    x = torch.rand(4, 3, 8, 8)
    t = 1 / (1 + torch.tensor([0.01, 0.06, 0.4, 0.6]) / 0.5)
    target = trainer._target(x, torch.zeros_like(x), t)
    torch.testing.assert_close(target[[0, 3]], x[[0, 3]])
    torch.testing.assert_close(target[[1, 2]], 0.2 * x[[1, 2]] + 0.8 * 0.5)
    torch.testing.assert_close(trainer._target(x, x, torch.zeros(4)), x)


def test_a_network_learns_from_its_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher is wrong here, so that what the student took from it shows."""
    greyness = {}
    for name in ("", "grey"):
        trainer = taught(monkeypatch, teacher=name, rate=3e-3, average_images=64)
        for _ in range(80):
            trainer.step(0.0)
        w = 0.7 * torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        greyness[name] = (trainer.prior.denoise(w, 0.7) - 0.5).abs().mean().item()
    assert greyness["grey"] < 0.9 * greyness[""]


def test_levels_lean_towards_little_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    trainer = FlowTrainer(FlowConfig(**SETTINGS | {"lean": 2.0}), images(400))
    monkeypatch.setattr(trainer, "_noisy", lambda x, t, generator: seen.append(t) or x)
    trainer.loss(trainer.network, torch.rand(400, 3, 8, 8), torch.Generator().manual_seed(0))
    assert (seen[0] > 0.75).float().mean().item() == pytest.approx(0.5, abs=0.01)


def test_a_teacher_has_to_remove_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="expected a flow prior or an imported denoiser, got gaussian"):
        FlowTrainer(FlowConfig(**SETTINGS | {"teacher": "natural-gaussian"}), images(400))


def test_the_rate_rises_and_falls() -> None:
    trainer = FlowTrainer(FlowConfig(**SETTINGS | {"warmup": 16, "decay_from": 0.5}), images())
    rates, muon_rates = [], []
    for done in (0.0, 0.5, 0.75, 1.0):
        trainer.step(done)
        rates.append(trainer.adam.param_groups[0]["lr"])
        muon_rates.append(trainer.muon.param_groups[0]["lr"])
    assert rates == pytest.approx([5e-4, 1e-3, 5e-4, 0])
    assert muon_rates == pytest.approx([3.5e-3, 7e-3, 3.5e-3, 0])


def test_the_average_follows_slowly() -> None:
    trainer = FlowTrainer(CONFIG, images())
    trainer.step(0.0)
    before = [p.clone() for p in trainer.prior.network.parameters()]
    trainer.step(0.0)
    moved = 0
    for start, mean, now in zip(
        before, trainer.prior.network.parameters(), trainer.network.parameters(), strict=True
    ):
        assert (mean - start).norm() <= (now - start).norm()
        moved += int((mean - start).norm() > 0)
    assert moved > len(before) / 2


def test_a_resumed_run_is_the_run_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, first = FlowTrainer(CONFIG, images()), FlowTrainer(CONFIG, images())
    for _ in range(6):
        whole.step(0.0)
    for _ in range(3):
        first.step(0.0)
    checkpoint.save(tmp_path / "c", first.state())
    second = FlowTrainer(CONFIG, images())
    monkeypatch.setattr("restora.training.network.GaussianTrainer", None)  # it is in the checkpoint
    second.load_state(checkpoint.load(tmp_path / "c"))
    for _ in range(3):
        second.step(0.0)
    one, two = whole.state(), second.state()
    for name in ("network", "average", "gaussian"):
        assert [key for key, value in one[name].items() if not torch.equal(two[name][key], value)] == []
    for p, q in zip(whole.muon.param_groups[0]["params"], second.muon.param_groups[0]["params"], strict=True):
        assert torch.equal(whole.muon.state[p]["momentum"], second.muon.state[q]["momentum"])
    assert whole.check() == second.check()


def test_a_new_run_from_a_stored_prior(tmp_path: Path) -> None:
    trainer = FlowTrainer(CONFIG, images())
    for _ in loop.run(trainer, tmp_path / "first", loop.Budget(images=40)):
        pass
    stored = load_prior(tmp_path / "first")
    assert isinstance(stored, FlowPrior)
    w = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(stored.denoise(w, 0.5), trainer.prior.denoise(w, 0.5), rtol=0, atol=5e-3)
    again = FlowTrainer(FlowConfig(**SETTINGS | {"init": str(tmp_path / "first")}), images())
    torch.testing.assert_close(again.prior.denoise(w, 0.5), stored.denoise(w, 0.5))
    assert again.images_seen == 0
    for other in ({"width": 8}, {"precondition": "none"}, {"size": 9}):
        with pytest.raises(OptionError, match=r"^init: expected a"):
            FlowTrainer(FlowConfig(**SETTINGS | other | {"init": str(tmp_path / "first")}), images())


def test_divergence_is_seen() -> None:
    trainer = FlowTrainer(CONFIG, images())
    next(trainer.prior.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="diverged"):
        trainer.check()


def test_other_settings_and_data_are_refused_on_resume() -> None:
    state = FlowTrainer(CONFIG, images()).state()
    with pytest.raises(TrainingError, match="blocks"):
        FlowTrainer(FlowConfig(**SETTINGS | {"blocks": 1}), images()).load_state(state)
    with pytest.raises(TrainingError, match="data"):
        FlowTrainer(CONFIG, images(39)).load_state(state)


def test_bad_settings_and_data() -> None:
    for name, value in {"channels": 17, "width": 5, "blocks": 0, "rate": -1, "muon_rate": -1}.items():
        with pytest.raises(OptionError, match=f"^{name}: expected"):
            FlowConfig(**SETTINGS | {name: value})
    with pytest.raises(DataError, match=r"at least 8 images, one batch \(found 8, 1 held out.*\); .*batch=7"):
        FlowTrainer(CONFIG, images(8))


def test_the_command(tmp_path: Path, restora: Command) -> None:
    for i, pixels in enumerate(images(20)):
        image.write(tmp_path / ("train" if i < 12 else "held") / f"{i}.png", pixels / 255)
    small = ("--size", 8, "--width", 4, "--batch", 4, "--channels", 1, "--device", "cpu", "--json")
    words = ("train", "flow", tmp_path / "train", "-o", tmp_path / "run", *small)
    words = (*words, "--validation", tmp_path / "held")
    assert restora(*words, "--images", 8).code == 0
    run = restora(*words, "--images", 16, "--resume")
    assert run.code == 0
    assert json.loads(run.out)["images_seen"] == 16
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [8, 16]
    assert lines[0]["validation_psnr"] > 10
    prior = load_prior(tmp_path / "run")
    assert isinstance(prior, FlowPrior)
    assert (prior.image_shape, prior.card["training_images"]) == ((1, 8, 8), 12)


@pytest.mark.parametrize(("settings", "symmetries"), [({"mirror": False}, 1), ({"mirror": True}, 2)])
def test_a_prior_has_the_symmetries_of_its_training(settings: dict[str, bool], symmetries: int) -> None:
    trainer = FlowTrainer(FlowConfig(**SETTINGS | settings), images(70))
    assert trainer.prior.symmetries == symmetries


def test_a_flow_of_crops_is_for_images_of_any_size() -> None:
    whole = [images(4)[i % 4].repeat(1, 3, 2)[:, : 16 + i % 9] for i in range(60)]
    trainer = FlowTrainer(FlowConfig(**SETTINGS | {"crop": True}), whole)
    assert trainer.check()["validation_loss"] == pytest.approx(1, abs=0.1)
    gaussian = trainer.prior.gaussian
    assert (gaussian.rank, trainer.prior.symmetries) == (0, 8)
    assert (gaussian.mean == gaussian.mean[:, :1, :1]).all()
    assert trainer.prior.any_size  # so that its network does not compare positions

"""`restora train direct`: the linear estimate it starts from, what it learns, exact resume, its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from restora.degradations import lmmse, named
from restora.errors import OptionError, RestoraError, TrainingError
from restora.gaussian.wiener import Wiener
from restora.pictures import image
from restora.priors import DirectPrior, FlowPrior, GaussianPrior, load_prior
from restora.random import generators
from restora.training import checkpoint, loop
from restora.training.direct import DirectConfig, DirectTrainer, observe
from restora.training.flow import FlowConfig, FlowTrainer
from restora.training.gain import GainMatrix

SIZE: dict[str, Any] = {"size": 8, "width": 4, "batch": 8, "rank": 4}
SETTINGS: dict[str, Any] = {**SIZE, "warmup": 8, "average_images": 64, "task": "denoise"}
CONFIG = DirectConfig(**SETTINGS)
Command = Callable[..., Any]


def images(count: int = 40) -> Tensor:
    """Two colours, side by side, and a little noise: no Gaussian."""
    generator = torch.Generator().manual_seed(0)
    left = torch.rand(count, 3, 1, 1, generator=generator).round().expand(-1, -1, 8, 4)
    noise = 20 * torch.rand(count, 3, 8, 8, generator=generator)
    return (torch.cat([left, 1 - left], 3) * 200 + noise).to(torch.uint8)


def gaussian() -> GaussianPrior:
    generator = torch.Generator().manual_seed(0)
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None]
    spread = (0.06 * torch.eye(3) + 0.02)[:, :, None, None] / (1 + frequency)
    factors = 0.03 * torch.randn(4, 3, 8, 8, generator=generator)
    return GaussianPrior(0.4 + 0.2 * torch.rand(3, 8, 8, generator=generator), factors, spread)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("inpaint", {}),
        ("colorize", {}),
        ("colorize", {"grey": "value"}),
        ("superres", {}),
        ("denoise", {}),
        ("dequantize", {}),
        ("deblur", {"width": 1.0}),
    ],
)
def test_the_matrix_is_the_linear_estimate(task: str, options: dict[str, Any]) -> None:
    degradation, g = named.build(task, (8, 8), options), gaussian()
    y = degradation(g.mean + g.deviation(3, generators(7, 3)), generators(8, 3))
    exact, wide = g.double(), y.double()
    mean = exact.mean.expand(3, -1, -1, -1)
    rounds = 1  # the matrix is that of the tangent at the mean
    expected = lmmse(degradation, mean, exact.covariance, wide, tolerance=1e-9, rounds=rounds).float()
    torch.testing.assert_close(GainMatrix(g.float(), degradation)(y), expected, rtol=0, atol=1e-3)


def test_observations_are_those_of_8_bit_files() -> None:
    trainer = DirectTrainer(CONFIG, images())
    y = observe(trainer.prior, images()[:4] / 255, torch.Generator().manual_seed(0))
    assert torch.equal(y * 255, (y * 255).round())
    assert (y.min(), y.max()) == (0, 1)  # noise would be below and above


def test_units_are_the_errors_on_the_images() -> None:
    trainer = DirectTrainer(CONFIG, images(400))
    units = trainer.prior.units
    assert units.lift == pytest.approx(0.1, rel=0.3)  # less by what is clipped
    assert units.linear < 0.5 * units.lift
    wiener = Wiener(trainer.prior.gaussian.mean, trainer.prior.gaussian.covariance)
    w = torch.zeros(1, 3, 8, 8)
    assert wiener(w, torch.tensor([units.level]))[1].item() == pytest.approx(units.linear, rel=1e-3)
    assert wiener.level(torch.tensor([10.0, 0.0])) == pytest.approx([0, 1], abs=1e-3)


@pytest.mark.parametrize("task", ["colorize", "dequantize"])
def test_training_improves_on_the_linear_estimate(task: str) -> None:
    config = DirectConfig(**SETTINGS | {"width": 8, "rate": 5e-3, "task": task})
    trainer = DirectTrainer(config, images(400))
    before = trainer.check()
    assert before["validation_loss"] == pytest.approx(1, abs=0.3)
    for _ in range(20):
        trainer.step(0.0)
    after = trainer.check()
    assert after["validation_loss"] < 0.8 * before["validation_loss"]
    assert after["validation_psnr"] > before["validation_psnr"] + 1
    assert trainer.picture().shape == (3, 3 * 8 + 2 * 2, 8 * 8 + 7 * 2)


def test_a_resumed_run_is_the_run_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, first = DirectTrainer(CONFIG, images()), DirectTrainer(CONFIG, images())
    for _ in range(6):
        whole.step(0.0)
    for _ in range(3):
        first.step(0.0)
    checkpoint.save(tmp_path / "c", first.state())
    second = DirectTrainer(CONFIG, images())
    monkeypatch.setattr("restora.training.network.GaussianTrainer", None)  # it is in the checkpoint
    second.load_state(checkpoint.load(tmp_path / "c"))
    for _ in range(3):
        second.step(0.0)
    one, two = whole.state(), second.state()
    for name in ("network", "average", "gaussian"):
        assert [key for key, value in one[name].items() if not torch.equal(two[name][key], value)] == []
    assert whole.prior.units == second.prior.units
    assert whole.check() == second.check()
    with pytest.raises(TrainingError, match="task"):
        DirectTrainer(DirectConfig(**SETTINGS | {"task": "superres"}), images()).load_state(first.state())


def test_a_run_from_a_flow_prior(tmp_path: Path) -> None:
    flow = FlowTrainer(FlowConfig(**SIZE, warmup=8, rate=3e-3), images())
    for _ in loop.run(flow, tmp_path / "flow", loop.Budget(images=40)):
        pass
    start = load_prior(tmp_path / "flow")
    assert isinstance(start, FlowPrior)
    assert start.gaussian is not None
    settings = SETTINGS | {"task": "colorize", "init": str(tmp_path / "flow")}
    trainer = DirectTrainer(DirectConfig(**settings), images())
    for name, value in start.network.state_dict().items():
        assert torch.equal(trainer.network.state_dict()[name], value)
        assert torch.equal(trainer.prior.network.state_dict()[name], value)
    assert torch.equal(trainer.prior.gaussian.factors, start.gaussian.factors)
    for _ in loop.run(trainer, tmp_path / "direct", loop.Budget(images=16)):
        pass
    own = load_prior(tmp_path / "direct")
    assert isinstance(own, DirectPrior)
    y = observe(own, images()[:2] / 255, None)
    torch.testing.assert_close(own.estimate(y), trainer.prior.estimate(y), rtol=0, atol=1e-2)
    DirectTrainer(DirectConfig(**settings | {"init": str(tmp_path / "direct"), "task": "denoise"}), images())
    for other, text in {"width": "a prior of this width", "size": "expected a preconditioned flow"}.items():
        with pytest.raises(OptionError, match=text):
            DirectTrainer(DirectConfig(**settings | {other: 16}), images())


def test_bad_settings() -> None:
    for other, text in {
        "": "task: expected one of inpaint.*, got none",
        "denoize": "unknown task 'denoize'. Did you mean 'denoise'",
    }.items():
        with pytest.raises(RestoraError, match=text):
            DirectConfig(**SETTINGS | {"task": other})
    with pytest.raises(OptionError, match="options: sigma=2: expected a number from 0 to 1"):
        DirectConfig(**SETTINGS | {"options": "sigma=2"})
    with pytest.raises(RestoraError, match="scale: expected an image whose sides divide by 3"):
        DirectConfig(**SETTINGS | {"task": "superres", "options": "scale=3"})
    with pytest.raises(OptionError, match="task: a direct network is trained for one fixed degradation"):
        DirectConfig(**SETTINGS | {"task": "impulse"})
    with pytest.raises(OptionError, match="width: expected an even number, got 5"):
        DirectConfig(**SETTINGS | {"width": 5})


def test_the_command(tmp_path: Path, restora: Command) -> None:
    for i, pixels in enumerate(images(16)):
        image.write(tmp_path / ("train" if i < 12 else "held") / f"{i}.png", pixels / 255)
    words = ("train", "direct", tmp_path / "train", "-o", tmp_path / "run", "--validation", tmp_path / "held")
    words = (*words, "--size", 8, "--width", 4, "--batch", 4, "--device", "cpu", "--json")
    assert "--task: expected one of inpaint" in restora(*words, "--images", 8).error()
    words = (*words, "--task", "denoise", "--options", "sigma=0.2")
    assert restora(*words, "--images", 8).code == 0
    run = restora(*words, "--images", 16, "--resume")
    assert (run.code, json.loads(run.out)["images_seen"]) == (0, 16)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [8, 16]
    prior = load_prior(tmp_path / "run")
    assert isinstance(prior, DirectPrior)
    assert prior.card["task"] == "denoise (sigma=0.2)"
    assert "the restoration and the truth:" in (tmp_path / "run" / "README.md").read_text()
    words = ("restore", tmp_path / "held", "-o", tmp_path / "out", "--prior", tmp_path / "run")
    assert restora(*words, "--task", "denoise", "--sigma", 0.2, "--device", "cpu").code == 0
    refused = restora(*words, "--task", "denoise", "--sigma", 0.1).error()
    assert "alone, and this is denoise (--sigma 0.1)" in refused

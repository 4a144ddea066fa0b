"""Training on several devices: two processes take the step that one would take with their gradients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from restora.errors import OptionError
from restora.pictures import image
from restora.random import seed_of
from restora.training import checkpoint, loop
from restora.training.data import load
from restora.training.flow import FlowConfig, FlowTrainer
from restora.training.workers import ALONE, Workers, launch

SETTINGS = {"size": 8, "width": 4, "batch": 8, "warmup": 8, "rank": 8, "average_images": 64}
CPU = torch.device("cpu")


class Halves(Workers):
    """One process that does the work of two: both halves of a batch, each with its own noise."""

    count = 2
    trainer: FlowTrainer

    def backward(self, loss: torch.Tensor) -> None:
        trainer, second = self.trainer, Workers()
        second.rank, second.count = 1, 2
        step = trainer.images_seen // trainer.config.batch
        generator = torch.Generator().manual_seed(seed_of(f"flow step {step} of 1", trainer.config.seed))
        x = second.own(trainer.batches[step]) / 2 + 0.5
        ((loss + trainer.loss(trainer.network, x, generator)) / 2).backward()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for i in range(40):
        image.write(folder / f"{i:02}.png", torch.rand(3, 8, 8, generator=generator))
    return folder


def train(data: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    settings = [text for k, v in SETTINGS.items() for text in (f"--{k.replace('_', '-')}", str(v))]
    command = [
        sys.executable,
        "-m",
        "restora",
        "train",
        "flow",
        str(data),
        "-o",
        str(output),
        "--device",
        "cpu",
    ]
    return subprocess.run([*command, *settings, *more], capture_output=True, text=True, timeout=300)


def test_two_processes_are_one_run(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    done = train(data, tmp_path / "two", "--images", "24", "--devices", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a prior, after 24 images") == 1
    assert done.stderr.count("training on 2 times cpu") == 1
    found = checkpoint.load(tmp_path / "two" / loop.CHECKPOINT)["trainer"]

    workers = Halves()
    trainer = FlowTrainer(FlowConfig(**SETTINGS), load([data], 8)[0], workers=workers)
    workers.trainer = trainer
    start = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    for step in range(3):
        trainer.step(step / 3)
    for name in ("network", "average"):
        now, other = trainer.state()[name], found[name]
        moved = torch.cat([(now[k] - start[k]).flatten() for k in now]).norm()
        apart = torch.cat([(now[k] - other[k]).flatten() for k in now]).norm()
        assert apart < 0.02 * moved, name

    # One process goes on with what two began.
    done = train(data, tmp_path / "two", "--images", "32", "--resume")
    assert done.returncode == 0, done.stderr
    assert "after 32 images" in done.stdout


def test_what_cannot_be_shared() -> None:
    assert launch(1, CPU, 7) == (ALONE, CPU)
    for devices, device, batch, message in (
        (0, "cpu", 8, "at least 1, got 0"),
        (2, "cpu", 9, "batch: expected a multiple of the 2 devices that share it, got 9"),
        (2, "cuda:0", 8, "device: several devices cannot be chosen by number; expected cuda, got cuda:0"),
        (64, "cuda", 64, "torch sees"),
    ):
        with pytest.raises(OptionError, match=message):
            launch(devices, torch.device(device), batch)

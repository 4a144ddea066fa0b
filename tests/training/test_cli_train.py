"""`restora train dcgan`: what it writes, what it refuses, and that it resumes to the bit."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora.cli.train import settings
from restora.pictures import image
from restora.priors import GANPrior, load_prior
from restora.training import DCGANTrainer, checkpoint
from restora.training.flow import FlowConfig

SMALL = (
    "--size",
    8,
    "--width",
    4,
    "--width-discriminator",
    4,
    "--latent",
    8,
    "--batch",
    4,
    "--device",
    "cpu",
)
STEADY = ("--decay-from", 1)  # the decay of the rates depends on the budget

Command = Callable[..., Any]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    for i in range(10):
        image.write(tmp_path / "faces" / f"{i}.png", torch.rand(3, 10, 8, generator=generator))
    return tmp_path / "faces"


@pytest.fixture
def train(restora: Command) -> Command:
    return lambda *words: restora("train", "dcgan", *words, *SMALL)


def tensors(state: Any, key: str = "") -> dict[str, Any]:
    """The leaves of a nested state."""
    if isinstance(state, dict):
        pairs = list(state.items())
    elif isinstance(state, list | tuple):
        pairs = list(enumerate(state))
    else:
        return {key: state}
    return {k: v for name, child in pairs for k, v in tensors(child, f"{key}/{name}").items()}


def same(a: Any, b: Any) -> bool:
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_what_a_run_writes(faces: Path, tmp_path: Path, train: Command) -> None:
    (faces / "bad.png").write_bytes(b"nothing")
    run = train(faces, "-o", tmp_path / "run", "--images", 12, "--json")
    assert run.code == 0
    facts = json.loads(run.out)
    assert {k: facts[k] for k in ("data", "training_images", "images_seen")} == {
        "data": ["faces"],
        "training_images": 10,
        "images_seen": 12,
    }
    assert facts["settings"]["width"] == 4
    assert f"restora: left out: {faces / 'bad.png'}: not an image" in run.err
    assert "10 images of 8x8, training on cpu" in run.err

    names = {path.name for path in (tmp_path / "run").iterdir()} - {"tensorboard"}
    assert names == {"checkpoint.safetensors", "samples.png", "log.jsonl", "prior.safetensors", "README.md"}
    (line,) = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["images"] == 12
    prior = load_prior(tmp_path / "run")
    assert isinstance(prior, GANPrior)
    assert (prior.image_shape, prior.latent_shape, prior.card["images_seen"]) == ((3, 8, 8), (8,), 12)
    assert "faces" in (tmp_path / "run" / "README.md").read_text()


def test_the_prior_of_a_run_restores(faces: Path, tmp_path: Path, train: Command, restora: Command) -> None:
    train(faces, "-o", tmp_path / "run", "--images", 4)
    image.write(tmp_path / "small.png", torch.rand(3, 2, 2))
    words = ("--task", "superres", "--prior", tmp_path / "run", "--set", "iterations=2", "--device", "cpu")
    assert restora("restore", tmp_path / "small.png", "-o", tmp_path / "out", *words).code == 0
    assert image.read(tmp_path / "out" / "small.png").size == (8, 8)


def test_resumed_run_is_the_run_in_one_go(faces: Path, tmp_path: Path, train: Command) -> None:
    assert train(faces, "-o", tmp_path / "one", "--images", 24, *STEADY).code == 0
    assert train(faces, "-o", tmp_path / "two", "--images", 12, *STEADY).code == 0
    half = checkpoint.load(tmp_path / "two" / "checkpoint.safetensors")["trainer"]
    assert train(faces, "-o", tmp_path / "two", "--images", 24, *STEADY, "--resume").code == 0
    one, two = (
        tensors(checkpoint.load(tmp_path / name / "checkpoint.safetensors")["trainer"])
        for name in ("one", "two")
    )
    assert one["/images_seen"] == 24
    assert one.keys() == two.keys()
    assert [k for k in one if not same(one[k], two[k])] == []
    before = tensors(half)
    assert [k for k in one if k.startswith("/generator") and not same(one[k], before[k])]
    assert (tmp_path / "one" / "samples.png").read_bytes() == (tmp_path / "two" / "samples.png").read_bytes()
    first, second = load_prior(tmp_path / "one").state_dict(), load_prior(tmp_path / "two").state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_ctrl_c_keeps_a_checkpoint(
    faces: Path, tmp_path: Path, train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = DCGANTrainer.step

    def interrupted(self: DCGANTrainer, done: float) -> dict[str, float]:
        if self.images_seen == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, done)

    monkeypatch.setattr(DCGANTrainer, "step", interrupted)
    assert train(faces, "-o", tmp_path / "run", "--images", 24, *STEADY).code == 130
    assert checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")["trainer"]["images_seen"] == 12
    monkeypatch.undo()
    assert train(faces, "-o", tmp_path / "run", "--images", 24, *STEADY, "--resume").code == 0
    assert train(faces, "-o", tmp_path / "one", "--images", 24, *STEADY).code == 0
    found, expected = (load_prior(tmp_path / name).state_dict() for name in ("run", "one"))
    assert all(torch.equal(found[k], expected[k]) for k in expected)


def test_checkpoint_is_not_overwritten(faces: Path, tmp_path: Path, train: Command) -> None:
    train(faces, "-o", tmp_path / "run", "--images", 4)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    again = train(faces, "-o", tmp_path / "run", "--images", 8)
    assert (again.code, again.out) == (2, "")
    assert "checkpoint.safetensors exists; add --resume to continue that run" in again.err
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_resume_with_other_settings(faces: Path, tmp_path: Path, train: Command) -> None:
    train(faces, "-o", tmp_path / "run", "--images", 4)
    again = train(faces, "-o", tmp_path / "run", "--images", 8, "--resume", "--seed", 1)
    assert again.code == 2
    assert "made with other settings (seed)" in again.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["faces"], "one of the arguments --minutes --images is required"),
        (["faces", "--minutes", "1", "--images", "4"], "not allowed with argument"),
        (["faces", "--images", "0"], "--images: expected a positive number, got 0"),
        (["faces", "--minutes", "nan"], "--minutes: expected a positive number, got nan"),
        (["faces", "--images", "4", "--resume"], "nothing to continue; start without --resume"),
        (
            ["faces", "--images", "4", "--shift", "-1"],
            "--shift: expected a whole number of at least 0 (augmentation: shift images",
        ),
        (
            ["faces", "--images", "4", "--rate-generator", "nan"],
            "--rate-generator: expected a number from 0 to 1 (learning rate), got nan",
        ),
        (["faces", "--minutes", "-1"], "--minutes: expected a positive number, got -1.0"),
        (["nowhere", "--images", "4"], "nowhere: does not exist; expected images, or a folder or a zip"),
        (["empty", "--images", "4"], "no image in empty; expected .png"),
        (["one.zip", "--images", "4"], "one.zip: is no folder, zip or image"),
        (
            ["few", "--images", "4"],
            "training needs at least 4 images, one batch (found 1); cut squares from large images",
        ),
        (["faces", "--images", "4", "--output", "few/0.png"], "few/0.png is a file; expected a folder"),
    ],
)
def test_bad_input(
    words: list[str],
    message: str,
    faces: Path,
    tmp_path: Path,
    train: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.zip").write_bytes(b"nothing")
    image.write(tmp_path / "few" / "0.png", torch.rand(3, 8, 8))
    assert message in train("-o", "run", *words).error()
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "12"], "--size: expected a power of two, such as 32 or 64, got 12"),
        (["--channels", "17"], "--channels: expected a whole number from 1 to 16"),
        (
            ["--batch", "0"],
            "--batch: expected a whole number of at least 1 (images per step), got 0; the default is 64",
        ),
    ],
)
def test_bad_settings(words: list[str], message: str, faces: Path, tmp_path: Path, restora: Command) -> None:
    run = restora("train", "dcgan", faces, "-o", tmp_path / "run", "--images", 4, *words)
    assert message in run.error()


def test_grey_prior(faces: Path, tmp_path: Path, train: Command) -> None:
    assert train(faces, "-o", tmp_path / "run", "--images", 4, "--channels", 1).code == 0
    assert load_prior(tmp_path / "run").image_shape == (1, 8, 8)


def test_a_card_names_no_folders() -> None:
    config = FlowConfig(validation="/somewhere/faces/val", init="faces64")
    kept = settings(config)
    assert (kept["validation"], kept["init"], kept["size"]) == ("val", "faces64", 64)

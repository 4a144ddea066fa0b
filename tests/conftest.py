"""What several test modules share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from restora.cli import main
from restora.networks.dcgan import Discriminator, Generator
from restora.pictures import image
from restora.priors import GANPrior, store


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    """(24, 32, 3) uint8: smooth enough for JPEG, no two rows, columns or channels alike. Read-only."""
    row, column = np.mgrid[0:24, 0:32]
    ramps = np.stack([9 * row + column, 3 * row + 5 * column, 255 - 2 * row - 6 * column], axis=2)
    noise = np.random.default_rng(0).integers(0, 3, ramps.shape)
    pixels = np.clip(ramps + noise, 0, 255).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored prior of 8x8 colour images, called 'tiny': untrained, so what it draws means nothing."""
    torch.manual_seed(0)
    generator = Generator(latent=8, width=4, size=8).eval().fold()
    with torch.no_grad():  # as they are initialised, all latents give almost the same grey
        for parameter in generator.parameters():
            parameter.mul_(6)
    discriminator = Discriminator(width=4, size=8).eval().bake()
    folder = tmp_path_factory.mktemp("priors") / "tiny"
    store.save(folder, GANPrior(generator, discriminator, latent_shape=(8,)), {"summary": "For tests."})
    return folder


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A folder of five 8x8 colour pictures, a.png to e.png."""
    generator = torch.Generator().manual_seed(1)
    for name in "abcde":
        image.write(tmp_path / "clean" / f"{name}.png", torch.rand(3, 8, 8, generator=generator))
    return tmp_path / "clean"


@dataclass(frozen=True)
class Outcome:
    """What a command of the command line returned and printed."""

    code: int
    out: str
    err: str

    def error(self) -> str:
        """The one line of a command that could do nothing."""
        assert (self.code, self.out) == (2, "")
        assert self.err.startswith("restora: error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("restora: error: ").strip()

    def failures(self) -> list[str]:
        """The lines of the files that failed in a run that went on."""
        assert self.code == 1
        lines = self.err.splitlines()
        assert all(line.startswith("restora: failed: ") for line in lines)
        return [line.removeprefix("restora: failed: ") for line in lines]


@pytest.fixture
def restora(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """restora("degrade", path, "--task", "denoise", ...) runs a command in this process."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run

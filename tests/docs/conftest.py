"""A folder with everything that the pages name: photos, masks, noisy and small images, priors; all tiny."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from pages import FLOW
from torch import Tensor

from restora import AdditiveNoise
from restora.align import astronaut
from restora.cli import main
from restora.networks.dcgan import Discriminator, Generator
from restora.pictures import image
from restora.priors import GANPrior, store

SIDE = 32
FOLDERS = ("photos", "noisy", "blurry", "shaken", "dark", "specks", "small", "poster", "old", "my-images")


def photo(seed: int, channels: int = 3) -> Tensor:
    """(channels, SIDE, SIDE): smooth, with some noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)
    return AdditiveNoise(0.05)(smooth, generator)[0].clamp(0, 1)


def mask() -> Tensor:
    missing = torch.zeros(1, SIDE, SIDE)
    missing[:, 10:14, 5:20] = 1
    return missing


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    for name in FOLDERS:
        for i in range(8 if name == "my-images" else 2):
            image.write(folder / name / f"{i}.png", photo(i))
    for i in range(2):
        image.write(folder / "faces" / f"{i}.png", astronaut())
        image.write(folder / "masks" / f"{i}.png", mask())
    image.write(folder / "mask.png", mask())
    for name in ("photo.jpg", "group.jpg", "group.png"):
        image.write(folder / name, photo(3))
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for path in sorted((folder / "my-images").iterdir()):
            archive.write(path, path.name)
    for kind, channels in (("textures", 1), ("stains", 2)):
        for part in ("train", "test"):
            for i in range(4):
                image.write(folder / "own" / kind / part / f"{i}.tif", photo(i, channels), bits=16)
    _priors(folder)
    return folder


def _priors(folder: Path) -> None:
    images = str(folder / "my-images")
    assert main(["train", "flow", images, "-o", str(folder / "my-prior"), "--crop", *FLOW]) == 0
    assert (
        main(["train", "gaussian", images, "-o", str(folder / "my-gaussian"), "--crop", "--size", "16"]) == 0
    )
    torch.manual_seed(0)
    networks = Generator(8, 4, size=16).eval().fold(), Discriminator(4, size=16).eval().bake()
    store.save(folder / "my-gan", GANPrior(*networks, latent_shape=(8,)), {})
    _programs(folder)


class Average(torch.nn.Module):
    """A denoiser that takes the level as one more channel."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(x[:, :3], 5, 1, 2, count_include_pad=False)


def _programs(folder: Path) -> None:
    """Networks as TorchScript."""
    latents, generator = torch.zeros(1, 512), torch.nn.Sequential(torch.nn.Linear(512, 192), View())
    torch.jit.trace(Average(), torch.zeros(1, 4, 64, 64)).save(folder / "my-denoiser.pt")
    torch.jit.trace(generator, latents).save(folder / "generator.pt")
    torch.jit.trace(torch.nn.Linear(512, 512), latents).save(folder / "mapping.pt")


class View(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.view(-1, 3, 8, 8)


@pytest.fixture
def here(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the world, which is the working folder."""
    shutil.copytree(world, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path / "here"

"""JPEG against libjpeg itself (Pillow's), and what the generic tests cannot ask."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut
from torch import Tensor
from torch.nn import functional as F

from restora import restore
from restora.degradations import JPEG
from restora.errors import ImageError
from restora.metrics import psnr
from restora.operators import codec
from restora.operators.coefficients import Transform
from restora.random import generators, randn

PICTURE = astronaut()[:256, 128:384]


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].double() / 255


def compressed(quality: int, subsampling: str, array: np.ndarray = PICTURE) -> tuple[Image.Image, Tensor]:
    """What Pillow makes of the picture: the file, and its pixels."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    file = Image.open(stream)
    return file, tensor(np.array(file))


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 95, 100])
def test_tables_are_those_of_libjpeg(quality: int) -> None:
    file, _ = compressed(quality, "4:4:4")
    found = torch.tensor([file.quantization[0], file.quantization[1]]).view(2, 8, 8)  # type: ignore[attr-defined]
    assert torch.equal(codec.tables(quality), found.float())


@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("subsampling", list(codec.FACTORS))
def test_what_pillow_makes_of_a_picture(quality: int, subsampling: str) -> None:
    """But for roundings to 8 bits: of the coefficients that they carry across the border of a cell, and of
    the pixels, within a level."""
    _, y = compressed(quality, subsampling)
    d = JPEG(quality, subsampling)
    assert rms(d(tensor(PICTURE)).clamp(0, 1) - y) < 2.5 / 255
    decoded = d(y)
    plain = -F.max_pool2d(-((decoded > 0) & (decoded < 1)).all(1, keepdim=True).double(), 3, 1, 1) > 0
    assert plain.double().mean() > 0.4
    assert rms((decoded - y)[plain.expand_as(y)]) < 0.8 / 255


@pytest.mark.parametrize("quality", [10, 50, 75])
@pytest.mark.parametrize("subsampling", list(codec.FACTORS))
def test_indices_survive_rounding_to_bytes(quality: int, subsampling: str) -> None:
    """Pillow's picture has coefficients near whole steps; nothing is cut here. All pixels of a flat block are
    rounded alike, by up to half a level, so that its mean (8 times a pixel) may be off by 4."""
    array = (PICTURE / 2 + 64).astype(np.uint8)
    _, y = compressed(quality, subsampling, array)
    d = JPEG(quality, subsampling)
    steps = d.noise._with_steps(d.noise.transform.read(y - 128 / 255))
    for step, c in steps:
        assert ((c / step - (c / step).round()).abs() < 0.4).double().mean() > 0.995
    own = d(tensor(array))
    assert ((own > 0) & (own < 1)).all()
    for (step, c), (_, e) in zip(steps, d.noise._with_steps(d.noise._planes(tensor(array))), strict=True):
        assert ((c - e).abs() < step / 2 + 1 / 255).double().mean() > 0.995


@pytest.mark.parametrize("subsampling", list(codec.FACTORS))
@pytest.mark.parametrize("size", [(16, 32), (13, 21)])
def test_the_tangent_has_an_adjoint(subsampling: codec.Subsampling, size: tuple[int, int]) -> None:
    d = JPEG(25, subsampling, sigma=0.02)
    x, y = (torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(i)).double() for i in (0, 1))
    model, observed = d.gaussian(x, d(y))
    assert model.linear
    v = randn(observed.shape, generators(0, 2), like=observed)
    left, right = (model.A(x) * v).flatten(1).sum(1), (x * model.A_adjoint(v)).flatten(1).sum(1)
    torch.testing.assert_close(left, right, rtol=0, atol=1e-10)
    assert model.A(x).shape == v.shape


@pytest.mark.parametrize("subsampling", list(codec.FACTORS))
def test_the_tangent_sees_the_rounding_as_noise_of_its_sigma(subsampling: codec.Subsampling) -> None:
    """Where steps are small to the coefficients, as for noise; the copies of a chroma value count once."""
    d, x = (
        JPEG(90, subsampling),
        torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)).double(),
    )
    model, observed = d.gaussian(x, d(x))
    shares = (1.0, *(1 / float(np.prod(codec.FACTORS[subsampling])),) * 2)
    for p, share in enumerate(shares):
        squares = (observed - model.A(x))[:, p].square().mean().item()
        said = model.noise.N.values[:, p].mean().item()
        assert squares == pytest.approx(said * share, rel=0.1)


@pytest.mark.parametrize("subsampling", list(codec.FACTORS))
@pytest.mark.parametrize("channels", [1, 3])
def test_condition_is_exact_for_independent_planes(subsampling: codec.Subsampling, channels: int) -> None:
    """x - E[x | y] has mean 0 and is orthogonal to E[x | y], by Monte Carlo."""
    d, count, std = JPEG(50, subsampling), 400, 0.05
    T = Transform(subsampling)
    x_hat = 0.35 + 0.3 * torch.rand(1, channels, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    x_hat = x_hat.expand(count, -1, -1, -1)
    noise = [randn(c.shape, generators(p, count), like=c) for p, c in enumerate(T.planes(x_hat))]
    x = x_hat + T.lift([std * T.norm(p, channels) ** 0.5 * n for p, n in enumerate(noise)])
    mean = d.condition(x_hat, std**2, d(x))
    error = x - mean
    z_score = error.mean(0) / (error.std(0) / count**0.5 + 1e-3 * std)
    assert z_score.abs().max() < 6
    for a, b in zip(T.planes(error), T.planes(mean - x_hat), strict=True):
        inner = (a * b).flatten(1).sum(1)
        assert inner.mean().abs() < 5 * inner.std() / count**0.5 + 1e-9
        assert b.square().sum() > 1e-3


def test_each_image_has_its_own_tables() -> None:
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    both = JPEG(tables=torch.stack([codec.tables(5), codec.tables(80)]))
    expected = torch.cat([JPEG(q)(x[i : i + 1]) for i, q in enumerate((5, 80))])
    torch.testing.assert_close(both(x), expected)
    torch.testing.assert_close(both.take(torch.tensor([1]))(x[1:]), expected[1:])


def test_total_variation_removes_blocks() -> None:
    x = tensor(PICTURE).float()[..., :64, 96:160]
    d = JPEG(10)
    y = d(x).clamp(0, 1)
    found = restore(y, d, method="tv").image
    assert psnr(found, x).item() > psnr(y, x).item() + 0.2


def test_a_file_tells_its_tables(tmp_path: Path) -> None:
    for subsampling in codec.FACTORS:
        Image.fromarray(PICTURE).save(tmp_path / "a.jpg", quality=30, subsampling=subsampling)
        told = JPEG.of_file(tmp_path / "a.jpg")
        assert torch.equal(told["tables"][0], codec.tables(30))
        assert told["subsampling"] == subsampling
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    assert JPEG.of_file(tmp_path / "a.png") == {}
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PICTURE).save(tmp_path / "turned.jpg", exif=exif)
    assert JPEG.of_file(tmp_path / "turned.jpg")["tables"].shape == (1, 2, 8, 8)  # of the blocks as stored
    Image.fromarray(PICTURE).convert("CMYK").save(tmp_path / "print.jpg")
    with pytest.raises(ImageError, match="blocks cannot be found, because it is CMYK, or of"):
        JPEG.of_file(tmp_path / "print.jpg")

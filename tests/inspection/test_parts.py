"""What inspection looks at, and what it finds in what was made to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import nnls
from scipy.special import gammaincinv
from skimage import data

from restora.inspection.blur import find_blur
from restora.inspection.grain import find_noise
from restora.inspection.lattice import Lattice
from restora.inspection.marks import find_marks
from restora.inspection.sample import GRAIN, WORKING, Sample, patches
from restora.noise.flat import BANDS, _band, _width
from restora.noise.level import _line
from restora.pictures import image
from restora.pictures.picture import Picture


def test_a_file_and_its_picture_have_the_same_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restora.inspection.sample.WORKING", 10_000)
    Image.fromarray(data.astronaut()[:300, :421]).save(tmp_path / "a.png")
    document = image.load(tmp_path / "a.png")
    file, picture = Sample(document), Sample(document.picture())
    assert (file.size, file.channels, file.bits) == (picture.size, picture.channels, picture.bits)
    assert file.size == (300, 421)
    assert torch.equal(file.tiles, picture.tiles)
    assert file.tiles.shape[-1] % GRAIN == 0
    assert (file.small - picture.small).abs().max() <= 0.51 / 255
    assert file.small[0].numel() < 2 * 10_000 < WORKING


def test_noise_from_before_compression_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0.3, 0.7, 256).expand(1, 1, 256, 256)
    for sigma in (0.03, 0.06):
        noisy = (ramp + sigma * torch.randn(ramp.shape, generator=generator)) * 255
        held = Image.fromarray(noisy[0, 0].round().clamp(0, 255).byte().numpy())
        decoded = _compressed(held, 50)
        found = find_noise(decoded, Lattice(50, 1.0, "4:4:4"))
        assert found == pytest.approx(sigma, rel=0.15)
    assert (
        find_noise(
            _compressed(Image.fromarray((255 * ramp[0, 0]).byte().numpy()), 50), Lattice(50, 1.0, "4:4:4")
        )
        == 0
    )


def _compressed(picture: Image.Image, quality: int) -> torch.Tensor:
    import io

    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(stream))).float()[None, None] / 255


def test_texture_is_no_noise_from_before_compression() -> None:
    grass = torch.from_numpy(data.grass()[:256, :256].copy())
    assert find_noise(_compressed(Image.fromarray(grass.numpy()), 50), Lattice(50, 1.0, "4:4:4")) == 0


@pytest.mark.parametrize("tone", [0.95, 0.05])
def test_a_scratch_is_proposed_and_a_coloured_line_is_not(tone: float) -> None:
    x = torch.full((3, 200, 200), 0.45) + 0.1 * torch.rand(
        1, 200, 200, generator=torch.Generator().manual_seed(0)
    )
    scratched, painted = x.clone(), x.clone()
    scratched[:, 20:170, 90:93] = tone
    painted[:, 20:170, 90:93] = torch.tensor([tone, 0.5, 0.5])[:, None, None]
    mask, _, count = find_marks(Sample(Picture(scratched)))
    assert count == 1
    assert mask is not None
    assert mask[0, 20:170, 90:93].mean() > 0.9
    assert mask.mean() < 0.04
    assert find_marks(Sample(Picture(painted)))[2] == 0


def test_dead_pixels_stand_out_and_a_frame_is_no_scratch() -> None:
    flat = torch.full((3, 200, 300), 0.5)
    places = [(30, 40), (90, 200), (150, 100), (170, 260), (60, 250)]
    stuck = flat.clone()
    for row, column in places:
        stuck[:, row, column] = 1.0
    mask, dead, _ = find_marks(Sample(Picture(stuck)))
    assert dead == 5
    assert mask is not None
    assert mask.sum() == 5
    detailed = stuck.clone()  # much else is far from its neighbours: five may be chance
    detailed[:, :, 275::4] = 1.0
    assert find_marks(Sample(Picture(detailed)))[1] == 0
    framed = flat.clone()
    framed[:, :, 1:3] = 0.02
    assert find_marks(Sample(Picture(framed)))[2] == 0
    framed[:, :, 100:102] = 0.02
    assert find_marks(Sample(Picture(framed)))[2] == 1


def test_the_search_for_a_blur_ends_at_the_least_cost() -> None:
    """Of coefficients that the model itself draws, what was drawn."""
    from restora.inspection.blur import RINGS, ROUNDING, SIDE, _Fit, _tables

    tables = _tables()
    keep, counts = tables.frequency <= 0.5, torch.full((RINGS,), 1e4).double()
    fit = _Fit(keep, torch.ones(RINGS).double(), counts, None, None)
    z = torch.tensor([0.3, 0.2, np.log(1.3), np.log(0.01)]).double()
    found = _Fit(keep, fit.log_v(z).exp(), counts, None, None).best()
    assert found.width == pytest.approx(1.3, rel=0.02)
    assert found.sigma == pytest.approx(0.01, rel=0.02)
    assert found.dispersion == 1  # what the model draws fits it
    uneven = fit.log_v(z).exp() * torch.tensor([1.2, 0.8]).repeat(RINGS // 2)
    assert _Fit(keep, uneven, counts, None, None).best().dispersion > 10
    assert find_blur(patches(torch.zeros(0, 3, SIDE, SIDE))) is None
    assert ROUNDING > 0


def test_short_formulas_agree_with_scipy() -> None:
    for k in range(len(BANDS)):
        n = int(_band(k).sum())
        assert _width(k) == pytest.approx(np.log(gammaincinv(n / 2, 0.8) / gammaincinv(n / 2, 0.2)), rel=1e-6)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        x, y, w = torch.randn(3, 4, generator=generator).double()
        rows = torch.stack([x, torch.ones_like(x)], 1) * w[:, None]
        assert torch.allclose(
            _line(x, y, w), torch.from_numpy(nnls(rows.numpy(), (y * w).numpy())[0]), atol=1e-8
        )

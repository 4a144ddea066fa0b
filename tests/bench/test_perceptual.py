"""Columns that need trained networks; those of packages are tested where these are installed."""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest
import torch

from restora.align import astronaut
from restora.bench import frechet, identity
from restora.bench.perceptual import Frechet, Identity, Lpips

needs_bench = pytest.mark.skipif(
    not all(map(find_spec, (*frechet.NEEDS, *identity.NEEDS))), reason="needs pip install 'restora[bench]'"
)


def test_frechet_distance_of_known_gaussians() -> None:
    rows = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)).double()
    assert frechet.frechet(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet.frechet(rows, rows + torch.tensor([3.0, 4, 0, 0, 0])) == pytest.approx(25)
    scaled = rows.mean(0) + 2 * (rows - rows.mean(0))
    assert frechet.frechet(rows, scaled) == pytest.approx(rows.var(0).sum().item())


@needs_bench
def test_frechet_column(capsys: pytest.CaptureFixture[str]) -> None:
    truth = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    column, index = Frechet(truth), [0, 2]
    assert column(truth[index], index) == pytest.approx(0, abs=1e-6)
    far, near = column(truth[index].flip(2) * 0.5, index), column(truth[index] * 0.95, index)
    assert far > near > 0
    assert column(truth[:1], [0]) is None
    assert capsys.readouterr().out == ""


@needs_bench
def test_identity_column() -> None:
    face = astronaut()[None]
    noisy = (face + 0.1 * torch.randn(face.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    column, index = Identity(face), [0]
    assert column(face, index) == pytest.approx([1])
    assert 0.8 < column(noisy, index)[0] < 0.995
    assert column(face.flip(2), index)[0] < column(noisy, index)[0]
    assert Identity.suits(face)
    assert not Identity.suits(torch.rand(2, 3, 64, 64))
    assert not Identity.suits(torch.rand(1, 3, 64, 48))


def test_frame_of_the_face_has_the_eyes_where_dlib_has_them() -> None:
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., 9:12, 16:18] = 1  # around (17, 10.5)
    (chip,) = identity.chips(picture)
    row, column = (chip[..., 0] > 200).nonzero()
    assert chip.shape == (150, 150, 3)
    assert math.dist((column.mean(), row.mean()), (47.7, 47.1)) < 2


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lpips, "needs", ())
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "/nowhere")
    assert not Lpips.is_installed()

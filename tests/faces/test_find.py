from __future__ import annotations

import numpy as np
import pytest
import torch
from photo import astronaut

from restora.errors import PackageError, ShapeError
from restora.faces import cascade, find


@pytest.mark.parametrize("size", [28, 64, 97])
def test_a_face_is_found_at_every_size(size: int) -> None:
    (face,) = find(astronaut(size))
    assert face.size == pytest.approx(size, rel=0.12)
    assert abs(face.angle) < 6


@pytest.mark.parametrize("angle", [-30, 30])
def test_a_turned_face_is_found_with_its_angle(angle: float) -> None:
    (face,) = find(astronaut(80, angle))
    assert face.angle == pytest.approx(angle, abs=8)


def test_several_faces_are_found_largest_first() -> None:
    small = torch.nn.functional.pad(
        astronaut(48), (0, 0, 0, astronaut(80).shape[-2] - astronaut(48).shape[-2])
    )
    first, second = find(torch.cat([small, astronaut(80)], -1))
    assert first.size > 1.4 * second.size
    assert first.box[0] > second.box[0]


def test_a_face_is_found_at_the_border() -> None:
    (face,) = find(astronaut(80)[..., 74:, :])  # through the forehead
    assert face.points[0][1] < 12


def test_nothing_is_found_where_no_face_is() -> None:
    assert find(torch.rand(3, 100, 100, generator=torch.Generator().manual_seed(0))) == []
    assert find(torch.full((1, 40, 40), 0.5)) == []
    assert find(torch.zeros(3, 5, 4)) == []


def test_pictures_of_every_kind_are_the_same_to_it() -> None:
    x = astronaut(64)
    bytes_ = (x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    (face,) = find(x)
    assert find(x[0].numpy()) == find(bytes_) == find(x.double()) == [face]
    (grey,) = find(x.mean(1))
    assert np.allclose(grey.points, face.points, atol=3)


def test_a_large_picture_is_shrunk_first(monkeypatch: pytest.MonkeyPatch) -> None:
    (face,) = find(astronaut(97))
    monkeypatch.setattr("restora.faces.detection.LARGEST", 10_000)
    (shrunk,) = find(astronaut(97))
    assert np.allclose(shrunk.points, face.points, atol=3)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ShapeError, match="expected \\(C, H, W\\) of one channel or three"):
        find(torch.zeros(2, 3, 10, 10))
    with pytest.raises(ShapeError, match="got shape \\(5, 8, 8\\)"):
        find(torch.zeros(5, 8, 8))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cascade, "PACKAGE", "no_such_package")
    cascade.networks.cache_clear()
    with pytest.raises(PackageError, match=r"pip install 'restora\[faces\]'"):
        find(astronaut(64))
    cascade.networks.cache_clear()


def test_small_faces_of_a_large_photo_are_found_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restora.faces.detection.LARGEST", 64**2)
    monkeypatch.setattr("restora.faces.detection.SIDE", 160)
    x = torch.full((1, 3, 330, 330), 0.4)
    corners = (
        (10, 20),
        (100, 118),
        (240, 190),
    )  # in the first piece, across the borders of several, in the last
    for top, left in corners:
        face = astronaut(30)
        x[..., top : top + face.shape[-2], left : left + face.shape[-1]] = face
    (alone,) = find(astronaut(30))
    found = sorted(face.points[0] for face in find(x))
    wanted = sorted((left + alone.points[0][0], top + alone.points[0][1]) for top, left in corners)
    assert np.allclose(found, wanted, atol=2.5)

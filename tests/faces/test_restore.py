"""Photos with faces, restored: what changes, what does not, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from photo import astronaut
from torch import Tensor

from restora import Function, GaussianNoise, LinearDegradation, Mask, restore
from restora.cli import main
from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, degradations
from restora.errors import PairingError
from restora.faces import find
from restora.faces.local import local
from restora.metrics import psnr
from restora.pictures import image
from restora.random import Window

LINEAR = {
    "noise": AdditiveNoise(0.1),
    "blur": Blur(width=1.6, sigma=0.01),
    "superres": Downsample(4),
    "grey": degradations.get("colorize")(),
    "own": LinearDegradation(lambda x: x.flatten(1)[:, ::7], lambda y: _spread(y), sigma=0.02),
}
OTHERS = {
    "photons": degradations.get("poisson")(peak=30.0),
    "levels": degradations.get("dequantize")(levels=5),
    "jpeg": degradations.get("jpeg")(quality=20),
    "value": degradations.get("colorize")("value"),
    "gamma": Degradation(Function(lambda x: x.clamp(min=0) ** 2, linear=False), GaussianNoise(0.02)),
}


def _spread(y: Tensor) -> Tensor:
    x = y.new_zeros(len(y), 3 * 144 * 144)
    x[:, ::7] = y
    return x.view(-1, 3, 144, 144)


def hole(x: Tensor) -> Mask:
    """Over the right eye."""
    mask = torch.ones(1, 1, *x.shape[-2:])
    column, row = (round(v) for v in find(x)[0].points[1])
    mask[..., row - 9 : row + 12, column - 12 : column + 10] = 0
    return Mask(mask)


@pytest.mark.parametrize("name", [*LINEAR, *OTHERS])
def test_a_face_explains_the_observation_of_the_whole(name: str) -> None:
    """A (b - S P b) + A S g is what A makes of the picture with the face g in it, wherever that is seen."""
    degradation, x = (LINEAR | OTHERS)[name], astronaut()[..., :144, :144]
    y = degradation(x, torch.Generator().manual_seed(0))
    (face,) = find(x)
    here = local(degradation, y, x, face)
    g = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mixed = x.clone()
    here.window.of(mixed).add_(here.spread(g - here.base))
    own = here.degradation.fidelity(g, here.y)
    whole = degradation.fidelity(mixed, y)
    # What is outside the window is the same with any face.
    own = own - here.degradation.fidelity(here.base, here.y)
    assert own.item() == pytest.approx((whole - degradation.fidelity(x, y)).item(), rel=2e-3)
    assert here.degradation.operator.linear == degradation.operator.linear


def test_a_hole_in_a_face_is_filled_by_the_prior_of_faces() -> None:
    x = astronaut()
    degradation = hole(x)
    y = degradation(x)
    found, plain = restore(y, degradation, faces=True), restore(y, degradation, prior="natural")
    (placed,) = found.faces[0]
    assert placed.prior == "faces64"
    assert placed.share > 0
    assert "faces64" in found.notes[0][0]
    assert "all else: natural" in found.notes[0][0]
    known = degradation.operator.mask.expand_as(x) > 0
    assert torch.equal(found.image[known], y[known])
    missing = degradation.operator.mask[0, 0] == 0
    assert psnr(found.image[..., missing, None], x[..., missing, None]) > 1 + psnr(
        plain.image[..., missing, None], x[..., missing, None]
    )


def test_away_from_a_face_nothing_changes() -> None:
    x = astronaut()
    degradation = Downsample(2)
    y = degradation(x)
    found = restore(y, degradation, method="lmmse", faces=True)
    plain = restore(y, degradation, method="lmmse", prior="natural-gaussian")
    changed = (found.image != plain.image).any(1)[0].nonzero()
    left, top, right, bottom = found.faces[0][0].face.box
    side = found.faces[0][0].face.size
    assert len(changed) > 0
    assert changed[:, 0].min() > top - side / 2
    assert changed[:, 0].max() < bottom + side / 2
    assert changed[:, 1].min() > left - side / 2
    assert changed[:, 1].max() < right + side / 2
    assert found.residual.item() < 2e-3


def test_samples_and_uncertainty_are_those_of_both_priors() -> None:
    x = astronaut(48)
    degradation = Downsample(4)
    options = {"method": "lmmse", "samples": 3, "uncertainty": True}
    found = restore(degradation(x), degradation, faces=True, **options)
    plain = restore(degradation(x), degradation, prior="natural-gaussian", **options)
    assert found.faces[0][0].share > 0
    assert found.samples.shape == plain.samples.shape
    assert torch.equal(found.samples[:, 0], found.image)
    assert found.std is not None
    weight = found.faces[0][0].face.mask(Window(0, 0, *x.shape[-2:]))
    assert (weight * found.std).mean() < 0.9 * (weight * plain.std).mean()
    assert torch.equal(found.std[..., 0, :], plain.std[..., 0, :])
    again = restore(degradation(x), degradation, faces=True, **options)
    assert torch.equal(again.samples, found.samples)


def test_a_face_that_the_prior_does_not_resolve_is_left_to_the_other() -> None:
    x = torch.nn.functional.interpolate(astronaut(97), scale_factor=2, mode="bicubic").clamp(0, 1)
    degradation = AdditiveNoise(0.05)
    y = degradation(x, torch.Generator().manual_seed(0))
    found = restore(y, degradation, method="lmmse", faces=True)
    (placed,) = found.faces[0]
    assert placed.share == 0
    assert placed.prior == "natural-gaussian"
    assert "resolves 64 pixels" in found.notes[0][0]
    plain = restore(y, degradation, method="lmmse", prior="natural-gaussian")
    assert torch.equal(found.image, plain.image)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_face_is_a_note_and_a_plain_restoration(channels: int) -> None:
    x = torch.rand(2, channels, 64, 64, generator=torch.Generator().manual_seed(0))
    found = restore(x, AdditiveNoise(0.1), method="lmmse", faces=True)
    assert found.faces == ((), ())
    assert all("no face was found" in line for lines in found.notes for line in lines)
    plain = restore(x, AdditiveNoise(0.1), method="lmmse", prior="natural-gaussian")
    assert torch.equal(found.image, plain.image)


def test_arrays_and_grey_photos_come_back_as_they_are() -> None:
    x = astronaut(48).mean(1, keepdim=True).numpy()
    found = restore(x[..., ::2, ::2], Downsample(2), method="lmmse", faces=True)
    assert type(found.image) is type(x)
    assert found.image.shape == x.shape
    assert found.faces[0]


def test_a_method_without_a_prior_of_photos_is_refused() -> None:
    x = torch.rand(1, 3, 64, 64)
    for options in ({"method": "tv"}, {"prior": "faces64"}, {"method": "map"}):
        with pytest.raises(PairingError, match="prior of photos of any size"):
            restore(x, AdditiveNoise(0.1), faces=True, **options)


def test_the_command_line_says_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = astronaut(48)
    image.write(tmp_path / "face.png", Downsample(4)(x)[0])
    image.write(tmp_path / "none.png", torch.full((3, 24, 24), 0.5))
    words = ["restore", str(tmp_path / "face.png"), str(tmp_path / "none.png"), "-o", str(tmp_path / "out")]
    assert main([*words, "--task", "superres", "--faces", "--method", "lmmse"]) == 0
    said = json.loads((tmp_path / "out/restora.json").read_text())
    assert said["settings"]["faces"] == "faces64-gaussian"
    notes = {Path(path).stem: entry["notes"][0] for path, entry in said["files"].items()}
    assert "faces64-gaussian" in notes["face"]
    assert "no face was found" in notes["none"]
    assert "no face was found" in capsys.readouterr().err
    assert main([*words[:-1], str(tmp_path / "tv"), "--task", "superres", "--faces", "--method", "tv"]) == 2
    assert "--faces needs" in capsys.readouterr().err


def test_a_dark_photo_is_restored_as_the_bright_one() -> None:
    x = astronaut(48)
    degradation = Downsample(4)
    y = degradation(x).clamp(max=0.99)
    bright = restore(y, degradation, method="lmmse", faces=True)
    dark = restore(y / 16, degradation, method="lmmse", faces=True)
    assert bright.faces[0][0].share > 0
    assert dark.faces[0][0].share == pytest.approx(bright.faces[0][0].share, abs=1e-3)
    assert torch.allclose((dark.image * 16).clamp(max=1), bright.image, atol=1e-3)


def test_faces_that_overlap_are_each_restored() -> None:
    """One before the other: the second is put into the picture that has the first."""
    one = astronaut(64)
    x = torch.cat([one[..., :100], one[..., 46:]], -1)
    degradation = Downsample(2)
    y = degradation(x)
    boxes = [face.window(tuple(x.shape[-2:])) for face in find(x)]
    assert len(boxes) == 2
    assert sum(b.width for b in boxes) > max(b.left + b.width for b in boxes) - min(b.left for b in boxes)
    found = restore(y, degradation, method="lmmse", faces=True)
    plain = restore(y, degradation, method="lmmse", prior="natural-gaussian")
    assert [placed.share > 0 for placed in found.faces[0]] == [True, True]
    assert psnr(found.image, x) > psnr(plain.image, x)
    assert found.residual.item() < 3e-3

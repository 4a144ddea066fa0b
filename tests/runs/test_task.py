"""restora.runs.task: options and mask files -> a degradation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from restora.degradations import AdditiveNoise, Mask, Quantize, degradations, named
from restora.errors import MaskError, OptionError, RestoraError, ShapeError, UnknownNameError
from restora.pictures import image
from restora.pictures.file import File
from restora.pictures.image import Picture
from restora.plan import decide
from restora.runs.task import Task

MASK = torch.zeros(1, 8, 8)
MASK[:, 2:4, 3:6] = 1  # as a file: white where missing


def blank(height: int, width: int) -> Picture:
    return Picture(torch.zeros(3, height, width))


def mask_file(path: Path, missing: torch.Tensor = MASK) -> Path:
    image.write(path, missing)
    return path


def test_options_reach_the_degradation() -> None:
    degradation = Task("dequantize", {"levels": 7}).degradation([{}])
    assert isinstance(degradation, Quantize)
    assert degradation.levels == 7


def test_facts_have_the_defaults_too() -> None:
    assert Task("superres", {}).facts() == {
        "task": "superres",
        "scale": 4,
        "kernel": "box",
        "sigma": 0.0,
    }
    assert Task("superres", {"scale": 4}).facts() == Task("superres", {}).facts()
    assert Task("denoise", {"sigma": 0.2}).facts() == {"task": "denoise", "sigma": 0.2}
    assert Task("inpaint", {}, hole="center").facts() == {"task": "inpaint", "sigma": 0.0, "hole": "center"}


def test_mask_file_is_white_where_missing(tmp_path: Path) -> None:
    task = Task("inpaint", {"mask": mask_file(tmp_path / "mask.png")})
    pictures = task.pictures(tmp_path / "any.png", blank(8, 8))
    assert torch.equal(pictures["mask"], 1 - MASK[None])
    degradation = task.degradation([pictures, pictures])
    assert degradation.A(torch.ones(2, 3, 8, 8)).sum() == 2 * 3 * (64 - 6)
    assert task.facts()["mask"] == str(tmp_path / "mask.png")


def test_each_picture_has_its_mask_of_a_folder(tmp_path: Path) -> None:
    mask_file(tmp_path / "masks" / "a.png")
    mask_file(tmp_path / "masks" / "b.PNG", MASK.mT)
    task = Task("inpaint", {"mask": tmp_path / "masks"})
    pictures = [task.pictures(Path(f"in/{name}.jpg"), blank(8, 8)) for name in "ab"]
    degradation = task.degradation(pictures)
    assert isinstance(degradation, Mask)
    assert torch.equal(degradation.mask, 1 - torch.stack([MASK, MASK.mT]))
    assert task.partners(Path("in/a.jpg"))["mask"].path == tmp_path / "masks" / "a.png"


def test_hole_is_half_of_each_side() -> None:
    mask = Task("inpaint", {}, hole="center").pictures(Path("a.png"), blank(8, 12))["mask"]
    assert (mask == 0).nonzero()[:, 2:].unique(dim=0).tolist() == [
        [r, c] for r in range(2, 6) for c in range(3, 9)
    ]


@pytest.mark.parametrize(
    ("options", "hole", "came"), [({}, None, "neither"), ({"mask": Path("m.png")}, "center", "both")]
)
def test_mask_or_hole(options: dict[str, Any], hole: str | None, came: str) -> None:
    with pytest.raises(OptionError, match=f"either mask=FILE.DIR.alpha or hole=center, got {came}"):
        Task("inpaint", options, hole=hole)


@pytest.mark.parametrize("hole", ["pixels", "scratches", "text"])
def test_a_named_mask_is_the_same_for_all_who_name_it(hole: str) -> None:
    options = {"hole": hole, "hole_seed": 3}
    task = Task("inpaint", {"hole_seed": 3, "sigma": 0.1}, hole=hole)
    mask = task.pictures(Path("a.png"), blank(16, 12))["mask"]
    assert torch.equal(task.pictures(Path("b.jpg"), blank(16, 12))["mask"], mask)
    built = named.build("inpaint", (16, 12), options)
    assert isinstance(built, Mask)
    assert torch.equal(built.mask, mask)
    assert task.pictures(Path("a.png"), blank(17, 12))["mask"].shape == (1, 1, 17, 12)
    share = {"missing": 0.5} if hole == "pixels" else {}
    assert task.facts() == {"task": "inpaint", "sigma": 0.1, **share, **options}
    assert named.options(built) == {"sigma": 0.0, **share, **options}
    assert task.degradation([{"mask": mask}]).sigma == 0.1


def test_settings_of_another_hole() -> None:
    with pytest.raises(OptionError, match="missing: hole=center has no such setting; expected hole=pixels"):
        Task("inpaint", {"missing": 0.5}, hole="center")
    with pytest.raises(OptionError, match="expected hole=pixels or scratches or text"):
        named.build("inpaint", (8, 8), {"hole_seed": 1})
    with pytest.raises(OptionError, match=r"hole: expected 'center' or 'pixels' or .*got 'middle'"):
        Task("inpaint", {}, hole="middle")


def test_noise_of_a_level_to_be_found() -> None:
    task = Task("denoise", {"sigma": "auto"})
    assert task.facts() == {"task": "denoise", "sigma": "auto"}
    assert isinstance(task.degradation([{}]), AdditiveNoise)
    assert task.degradation([{}]).blind
    assert not task.example().blind
    assert task.sought == []


def test_what_is_sought_in_each_picture() -> None:
    task = Task("deblur", {"width": "auto", "sigma": "auto"})
    assert task.auto
    assert task.sought == ["width", "sigma"]
    assert Task("deblur+noise", {"width": "auto", "sigma": "auto"}).sought == ["width"]
    assert Task("noise+jpeg", {"sigma": "auto", "quality": 30}).sought == ["sigma"]


def test_hole_of_another_task() -> None:
    with pytest.raises(OptionError, match="'denoise' has no such option"):
        Task("denoise", {}, hole="center")


def test_bad_mask_for_all_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match="white everywhere"):
        Task("inpaint", {"mask": mask_file(tmp_path / "white.png", torch.ones(1, 8, 8))})
    with pytest.raises(RestoraError, match=r"none\.png: cannot be read \(No such file"):
        Task("inpaint", {"mask": tmp_path / "none.png"})


def test_mask_that_is_missing_or_of_another_size(tmp_path: Path) -> None:
    mask_file(tmp_path / "masks" / "a.png")
    task = Task("inpaint", {"mask": tmp_path / "masks"})
    with pytest.raises(MaskError, match=r"b\.png: no mask for it in .*masks; expected .*masks.b\.png"):
        task.pictures(Path("b.png"), blank(8, 8))
    with pytest.raises(MaskError, match=r"a\.png: the mask is 8x8 but a\.jpg is 12x8; expected the same"):
        task.pictures(Path("a.jpg"), blank(8, 12))


@pytest.mark.parametrize(
    ("name", "options", "hole"),
    [
        ("inpaint", {"sigma": 9.0}, "center"),
        ("superres", {"scale": 0}, None),
        ("denoise", {"sigma": -1.0}, None),
        ("inpaint", {"missing": 0.0}, "pixels"),
        ("inpaint", {"missing": 1.0}, "pixels"),
        ("inpaint", {"hole_seed": -1}, "text"),
        ("impulse", {"share": 1.0}, None),
    ],
)
def test_bad_values_are_told_before_any_file_is_read(
    name: str, options: dict[str, Any], hole: str | None
) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(options))}: expected"):
        Task(name, options, hole)


def test_the_images_behind_files(tmp_path: Path) -> None:
    grey, colour, other = tmp_path / "grey.png", tmp_path / "colour.png", tmp_path / "other.png"
    image.write(grey, torch.rand(1, 8, 12))
    image.write(colour, torch.rand(3, 8, 12))
    image.write(other, torch.rand(3, 8, 8))
    (tmp_path / "broken.png").write_text("no picture")
    assert Task("superres", {"scale": 4}).images([File(colour)]) == (3, 32, 48)
    assert Task("colorize", {}).images([File(grey), File(tmp_path / "broken.png")]) == (3, 8, 12)
    assert Task("denoise", {}).images([File(colour), File(other)]) == (
        3,
        0,
        0,
    )  # no prior of one size will do
    assert Task("inpaint", {}, hole="center").images([File(colour)]) == (3, 8, 12)
    assert Task("deblur", {"width": 9.0}).images([File(colour)]) == (3, 0, 0)  # smaller than the kernel
    assert Task("denoise", {}).images([File(tmp_path / "broken.png"), File(tmp_path / "missing.png")]) is None


def test_one_mask_for_all_where_they_are_the_same() -> None:
    task, other = Task("inpaint", {}, hole="center"), {"mask": torch.ones(1, 1, 8, 8)}
    own = task.pictures(Path("a.png"), blank(8, 8))
    assert len(task.degradation([own, own, own]).mask) == 1
    assert len(task.degradation([own, other, own]).mask) == 3


def test_unknown_task() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'inpaint'"):
        Task("inpant", {})


def test_options_that_do_not_fit_the_prior(tiny: Path) -> None:
    plan = decide(prior=tiny, device="cpu")
    with pytest.raises(
        ShapeError, match=r"task 'superres' does not fit prior 'tiny': .*divide by 3, got 8x8"
    ):
        Task("superres", {"scale": 3}).check(plan)
    for name in set(degradations.names()) - {"inpaint", "deblur"}:
        Task(name, {}).check(plan)
    Task("inpaint", {}, hole="center").check(plan)

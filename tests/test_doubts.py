"""What a result says against its degradation: a wrong kernel, a search that was cut short."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage.data import astronaut, coffee

from restora import TV, AdditiveNoise, Blur, Mask, restore
from restora.errors import RestorationWarning
from restora.metrics import psnr
from restora.pictures import image


def photo(values: Any, top: int, left: int, size: int = 96) -> torch.Tensor:
    pixels = torch.from_numpy(values[top : top + size, left : left + size]).permute(2, 0, 1)
    return pixels[None].float() / 255


PHOTOS = torch.cat([photo(astronaut(), 20, 160), photo(coffee(), 120, 200)])


def seen(degradation: Any, x: torch.Tensor = PHOTOS) -> torch.Tensor:
    """As files of 8 bits."""
    y = degradation(x, torch.Generator().manual_seed(0))
    return (255 * y).round().clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("sigma", [0.005, 0.02])
@pytest.mark.parametrize("kernel", [{"width": 1.6}, {"kernel": "motion", "length": 9, "angle": 45}])
def test_the_right_kernel_raises_no_doubt(sigma: float, kernel: dict[str, Any]) -> None:
    degradation = Blur(sigma=sigma, **kernel)
    assert restore(seen(degradation), degradation, prior="natural").warnings == ((), ())


@pytest.mark.parametrize(
    ("true", "assumed"),
    [
        ({"width": 1.6}, {"width": 2.4}),
        ({"kernel": "motion", "length": 9}, {"kernel": "motion", "length": 9, "angle": 90}),
    ],
)
def test_a_wrong_kernel_is_said(true: dict[str, Any], assumed: dict[str, Any]) -> None:
    y = seen(Blur(sigma=0.005, **true))
    with pytest.warns(
        RestorationWarning, match="residual is not noise .*blur width, length or angle is prob"
    ):
        result = restore(y, Blur(sigma=0.005, **assumed), prior="natural")
    assert [len(texts) for texts in result.warnings] == [1, 1]


def test_a_wrong_kernel_is_a_note_of_its_file(tmp_path: Path, restora: Callable[..., Any]) -> None:
    for i, kernel in enumerate(({"kernel": "motion", "length": 9}, {"kernel": "motion", "angle": 90})):
        image.write(tmp_path / "in" / f"{i}.png", seen(Blur(sigma=0.005, **kernel))[0] / 255)
    words = ("--task", "deblur", "--kernel", "motion", "--length", 9, "--sigma", 0.005, "--device", "cpu")
    run = restora("restore", tmp_path / "in", "-o", tmp_path / "out", *words)
    assert run.code == 0
    assert run.err.count("the residual is not noise") == 1
    files = json.loads((tmp_path / "out" / "restora.json").read_text())["files"]
    assert ["notes" in entry for _, entry in sorted(files.items())] == [False, True]


def test_total_variation_says_that_it_was_cut_short() -> None:
    degradation = Mask.center((96, 96))
    y = degradation(PHOTOS)
    with pytest.warns(
        RestorationWarning, match="'tv' stopped before it converged; increase its setting iter"
    ):
        restore(y, degradation, method=TV(iterations=20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert restore(y, degradation, method="tv").warnings == ((), ())
        restore(y, degradation, method=TV(iterations=20, tolerance=0))


def test_total_variation_goes_on_until_it_has_converged() -> None:
    """A hole takes hundreds of iterations, noise few; more of them change nothing."""
    for degradation, few, many in ((Mask.center((96, 96)), 150, 1000), (AdditiveNoise(0.1), 10, 100)):
        y = degradation(PHOTOS, torch.Generator().manual_seed(0))
        found = restore(y, degradation, method="tv").image
        longer = restore(y, degradation, method=TV(iterations=3000, tolerance=0)).image
        assert (found - longer).square().mean().sqrt() < 2e-3
        assert psnr(found, PHOTOS).mean() > psnr(longer, PHOTOS).mean() - 0.02
        *_, last = TV().steps(y, degradation, None, [None] * 2)  # type: ignore[list-item]
        assert few <= len([*TV().steps(y, degradation, None, [None] * 2)]) * 5 <= many  # type: ignore[list-item]
        assert (last.i, last.total) == (1000, 1000)


def test_convergence_does_not_depend_on_the_batch() -> None:
    degradation = AdditiveNoise(0.05)
    y = degradation(PHOTOS, torch.Generator().manual_seed(0))
    alone = torch.cat([restore(part[None], degradation, method="tv").image for part in y])
    torch.testing.assert_close(restore(y, degradation, method="tv").image, alone, rtol=0, atol=2e-6)

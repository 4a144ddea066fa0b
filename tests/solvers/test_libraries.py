"""The methods of other packages, set beside ours."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Literal

import pytest
import torch
from torch import Tensor

import restora
from restora.align import astronaut
from restora.bench.method import LEFT_OUT, all_usable
from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, Mask, Poisson, Quantize
from restora.errors import OptionError, PackageError, PairingError
from restora.metrics import psnr
from restora.random import generators
from restora.solvers import NLMeans, OpenCV, RichardsonLucy, Solver, Wavelet, WienerDeconvolution, solvers

PACKAGES = {"wavelet": "pywt", "bm3d": "bm3d"}
SPOTS = (torch.rand(64, 64, generator=torch.Generator().manual_seed(0)) < 0.5).float()
TASKS: dict[str, Degradation] = {
    "denoise": AdditiveNoise(0.1),
    "poisson": Poisson(20, sigma=0.02),
    "dequantize": Quantize(5),
    "inpaint": Mask(SPOTS),
    "deblur": Blur(),
    "motion": Blur(kernel="motion", length=7, angle=30, boundary="circular"),
}
GAIN = {  # in dB, over the observation
    "wavelet": {"denoise": 4.0, "poisson": 4.0, "dequantize": 0.8},
    "nlmeans": {"denoise": 5.0, "poisson": 4.0, "dequantize": 0.8},
    "opencv": {"denoise": 4.0, "poisson": 3.0, "dequantize": 0.5, "inpaint": 15.0},
    "bm3d": {"denoise": 6.0},
    "richardson": {"deblur": 1.5, "motion": 1.5},
    "wiener": {"deblur": 1.5, "motion": 1.5},
}


def make(name: str) -> Solver:
    if name in PACKAGES and not find_spec(PACKAGES[name]):
        pytest.skip(f"{PACKAGES[name]} is not installed")
    return solvers.get(name)()


def image(solver: Solver, y: Tensor, degradation: Degradation) -> Tensor:
    (step,) = solver.steps(y, degradation, None, generators(0, len(y)))
    assert step.loss.shape == (len(y),)
    assert (step.x.shape, step.x.dtype) == (y.shape, y.dtype)
    return step.x


@pytest.mark.parametrize(("name", "task"), [(name, task) for name, tasks in GAIN.items() for task in tasks])
def test_better_than_the_observation_and_the_same_alone(name: str, task: str) -> None:
    solver, degradation = make(name), TASKS[task]
    x = torch.stack([astronaut(), 0.8 * astronaut().flip(-1)])
    y = degradation(x, generators(0, 2)).clamp(0, 1)
    found = image(solver, y, degradation)
    assert (psnr(found, x) > psnr(y, x) + GAIN[name][task]).all()
    assert torch.equal(image(solver, y[1:], degradation), found[1:])


@pytest.mark.parametrize("name", GAIN)
@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(name: str, channels: int) -> None:
    solver, task = make(name), next(iter(GAIN[name]))
    x = astronaut().mean(0).expand(1, channels, -1, -1)
    y = TASKS[task](x, generators(0, 1))
    assert (psnr(image(solver, y, TASKS[task]), x) > psnr(y, x) + 1.2).all()


@pytest.mark.parametrize("name", GAIN)
def test_what_they_handle(name: str) -> None:
    cls, small = solvers.get(name), Downsample()
    tasks = set(GAIN[name]) | ({"poisson", "dequantize"} if name == "bm3d" else set())
    assert {task for task, degradation in TASKS.items() if cls().handles(degradation)} == tasks
    make(name)
    with pytest.raises(PairingError, match=f"method '{name}' has no answer to task 'superres'"):
        restora.restore(small(astronaut()[None]), small, method=name)


@pytest.mark.parametrize("name", ["wavelet", "nlmeans", "opencv", "bm3d"])
def test_no_noise_to_remove(name: str) -> None:
    y = astronaut()[None]
    assert torch.equal(image(make(name), y, AdditiveNoise(0.0)), y)


def test_a_quantiser_is_believed() -> None:
    y = Quantize(5)(astronaut()[None])
    assert Quantize(5).fidelity(image(NLMeans(), y, Quantize(5)), y) == 0


def test_a_hole_takes_the_colour_around_it_and_the_rest_stays() -> None:
    colour = torch.tensor([51.0, 102.0, 204.0]).view(1, 3, 1, 1) / 255
    x = torch.cat([colour, colour.flip(1)]).expand(2, 3, 16, 16)
    masks = torch.ones(2, 1, 16, 16)
    masks[0, :, 4:9, 5:11] = 0
    masks[1, :, :3, :3] = 0
    torch.testing.assert_close(image(OpenCV(), Mask(masks)(x), Mask(masks)), x, rtol=0, atol=0.01)
    y = TASKS["inpaint"](astronaut()[None] * 0.987)
    kept = SPOTS.expand_as(y) > 0
    assert torch.equal(image(OpenCV(), y, TASKS["inpaint"])[kept], y[kept])


@pytest.mark.parametrize("solver", [WienerDeconvolution(balance=1e-3), RichardsonLucy(iterations=200)])
@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_a_weak_blur_is_undone_up_to_the_border(
    solver: Solver, boundary: Literal["reflect", "circular"]
) -> None:
    blur, x = Blur(sigma=0.0, width=0.7, boundary=boundary), astronaut()[None]
    y = blur(x)
    found = image(solver, y, blur)
    assert psnr(y, x) < 34
    assert psnr(found, x) > 40
    assert psnr(found[..., :2], x[..., :2]) > 36


@pytest.mark.parametrize("read_out", [0.0, 0.1])
def test_photons_are_made_white_and_taken_back(read_out: float) -> None:
    photons, x = Poisson(30.0, sigma=read_out), torch.tensor([0.1, 0.3, 1.0]).view(3, 1, 1, 1)
    y = photons(x.expand(3, 1, 500, 500), generators(0, 3))
    stabilizer = photons.noise.stabilizer
    assert stabilizer is not None
    f = stabilizer.forward(y)
    torch.testing.assert_close(f.flatten(1).std(1) / stabilizer.deviation, torch.ones(3), rtol=0.05, atol=0)
    mean = f.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(stabilizer.inverse(mean), x, rtol=0, atol=2e-3)
    counts = (mean / stabilizer.deviation).square() / 4
    assert ((counts - 3 / 8 - (30 * read_out) ** 2) / 30 < x - 4e-3).all()  # the plain inverse


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_without_the_package(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    line = f"method '{name}' needs the package {package}, which is not installed; "
    line += f"pip install 'restora[{'bm3d' if name == 'bm3d' else 'bench'}]'"
    with pytest.raises(PackageError) as caught:
        restora.restore(torch.zeros(1, 3, 8, 8), AdditiveNoise(), method=name)
    assert str(caught.value).startswith(line)
    with pytest.raises(PackageError):
        restora.restore(torch.zeros(1, 3, 8, 8), AdditiveNoise(), method=solvers.get(name)())
    methods, errors = all_usable([(3, 8, 8)])
    assert name not in [method.name for method in methods]
    assert (str(caught.value) in errors) == (name not in LEFT_OUT)


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (NLMeans, "strength", 0),
        (NLMeans, "patch", 0),
        (NLMeans, "distance", 0),
        (OpenCV, "radius", 0),
        (RichardsonLucy, "iterations", 0),
        (WienerDeconvolution, "balance", 0),
        (Wavelet, "wavelet", "fourier"),
    ],
)
def test_settings_that_make_no_sense(cls: type[Solver], name: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"^{name}: expected .*, got {value!r}"):
        cls(**{name: value})

"""What of `restora.interop` needs no deepinv; tests/interop has the rest, against the package itself."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from restora import interop
from restora.degradations import Blur
from restora.errors import OptionError, PackageError
from restora.noise import GaussianNoise, PoissonNoise


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    interop._classes.cache_clear()
    monkeypatch.setitem(sys.modules, "deepinv", None)
    for call in (lambda: interop.to_physics(Blur(), (3, 16, 16)), lambda: interop.to_reconstructor("tv")):
        with pytest.raises(PackageError, match=r"pip install 'restora\[deepinv\]'"):
            call()


class Shrinking(nn.Module):
    """The best denoiser of images N(0.5, 0.04)."""

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        weight = 0.04 / (0.04 + sigma.view(-1, 1, 1, 1).square())
        return 0.5 + weight * (x - 0.5)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0])
def test_a_denoiser_as_a_prior(t: float) -> None:
    """D_t(w) = E[x | t x + (1 - t) e / 2 = w], which is known."""
    prior = interop.from_denoiser(Shrinking(), (1, 4, 4), name="shrinking")
    w = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    noise = ((1 - t) / 2) ** 2
    expected = 0.5 + 0.04 * t / (0.04 * t**2 + noise) * (w - 0.5 * t)
    torch.testing.assert_close(prior.denoise(w, t), expected, rtol=0, atol=1e-3)
    assert prior.name == "shrinking"


def test_noise_of_a_physics() -> None:
    class Theirs:
        __module__ = "deepinv.physics.noise"
        gain, sigma = torch.tensor([0.02]), torch.tensor([0.1])

    def noise(name: str) -> object:
        model = type(name, (Theirs,), {"__module__": Theirs.__module__})()
        return interop.from_physics(SimpleNamespace(A=lambda x: x, noise_model=model)).noise

    photons, plain = noise("PoissonNoise"), noise("GaussianNoise")
    assert isinstance(photons, PoissonNoise)
    assert photons.peak == pytest.approx(50)
    assert isinstance(plain, GaussianNoise)
    assert plain.level == pytest.approx(0.1)
    with pytest.raises(OptionError, match="its noise model is RicianNoise; expected one of ZeroNoise, Gauss"):
        noise("RicianNoise")
    cut = SimpleNamespace(A=lambda x: x, sensor_model=lambda u: u.clamp(0, 1))
    with pytest.raises(OptionError, match="its sensor model changes values"):
        interop.from_physics(cut)

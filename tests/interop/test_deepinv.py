"""Against the real deepinv, which `make test-interop` installs with a torch of its own; else skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from restora import interop, restore
from restora.degradations import (
    Blur,
    Degradation,
    Downsample,
    Grayscale,
    Mask,
    Poisson,
    Quantize,
    Stacked,
)
from restora.errors import OptionError, PairingError
from restora.noise import GaussianNoise
from restora.operators import FourierMask, Function, Matrix, Mosaic, Radon
from restora.priors import FlowPrior, GaussianPrior
from restora.random import generators
from restora.testing.operators import matrix

dinv = pytest.importorskip("deepinv", reason="deepinv is not installed: make test-interop")
gaussian_blur = dinv.physics.functional.blur.gaussian_blur
SHAPE = (3, 12, 12)


def images(count: int = 2, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


class Zero(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x[:, :3] * 0


def flow(side: int = 12) -> FlowPrior:
    """Gaussian images, whose best denoiser is linear."""
    frequency = torch.arange(float(side))[:, None] + torch.arange(float(side))[None]
    spread = (0.2 * torch.eye(3) + 0.1)[..., None, None] / (1 + frequency) ** 1.5
    mean = torch.full((3, side, side), 0.5)
    return FlowPrior(
        Zero(),
        GaussianPrior(mean, torch.zeros(0, *mean.shape), spread + 0.02 * torch.eye(3)[..., None, None]),
    )


# their physics, our degradation

PHYSICS: dict[str, Callable[[], Any]] = {
    "denoising": lambda: dinv.physics.Denoising(),
    "inpainting": lambda: dinv.physics.Inpainting(SHAPE, mask=(images(1)[0, :1] > 0.4).float().expand(SHAPE)),
    "blur": lambda: dinv.physics.Blur(gaussian_blur(sigma=(1.0, 1.0)), padding="circular"),
    "blur-fft": lambda: dinv.physics.BlurFFT(SHAPE, gaussian_blur(sigma=(0.5, 0.5))),
    "downsampling": lambda: dinv.physics.Downsampling(SHAPE, filter="bicubic", factor=2, padding="circular"),
    "decolorize": lambda: dinv.physics.Decolorize(),
    "compressed-sensing": lambda: dinv.physics.CompressedSensing(m=40, img_size=(1, 12, 12)),
    "mri": lambda: dinv.physics.MRI(mask=(images(1)[0, 0] > 0.5).float()),
    "tomography": lambda: dinv.physics.Tomography(6, 12, normalize=False, adjoint_via_backprop=True),
}
SIZES = {"compressed-sensing": (1, 12, 12), "mri": (2, 12, 12), "tomography": (1, 12, 12)}


@pytest.mark.parametrize("name", PHYSICS)
def test_a_physics_is_a_degradation(name: str) -> None:
    torch.manual_seed(0)
    physics, shape = PHYSICS[name](), SIZES.get(name, SHAPE)
    degradation = interop.from_physics(physics, shape)
    x = images(2, shape)
    y = physics.A(x)
    torch.testing.assert_close(degradation.A(x), y)
    torch.testing.assert_close(degradation.A_adjoint(y), physics.A_adjoint(y))
    degradation.check(shape)
    A = matrix(degradation.operator, shape).float()
    z, u = torch.rand_like(x), y + 0.1
    left = 3.0 * A.T @ A + torch.eye(A.shape[1])
    right = 3.0 * u.flatten(1) @ A + z.flatten(1)
    expected = torch.linalg.solve(left.double(), right.double().T).T.view_as(x).float()
    torch.testing.assert_close(degradation.prox_l2(z, u, 3.0), expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(degradation.A(degradation.A_dagger(y)), y, rtol=0, atol=2e-2)


def test_noise_models() -> None:
    def noise(model: Any) -> Any:
        return interop.from_physics(dinv.physics.Denoising(model)).noise

    models = dinv.physics
    assert noise(models.GaussianNoise(0.07)).level == pytest.approx(0.07)
    each = noise(models.GaussianNoise(torch.tensor([0.1, 0.2])))
    torch.testing.assert_close(each.sigma, torch.tensor([0.1, 0.2]))
    assert noise(models.ZeroNoise()).level == 0
    assert noise(models.PoissonNoise(0.02)).peak == pytest.approx(50)
    both = noise(models.PoissonGaussianNoise(0.02, 0.05))
    assert (both.peak, both.sigma) == (pytest.approx(50), pytest.approx(0.05))
    for other in (models.UniformNoise(0.1), models.PoissonNoise(0.1, normalize=False)):
        with pytest.raises(OptionError, match="physics: "):
            noise(other)
    given = interop.from_physics(dinv.physics.Denoising(models.UniformNoise(0.1)), noise=GaussianNoise(0.06))
    assert given.sigma == 0.06
    cut = models.LinearPhysics(A=lambda x: x, A_adjoint=lambda y: y, sensor_model=lambda u: u.clamp(0, 1))
    with pytest.raises(OptionError, match="its sensor model changes values"):
        interop.from_physics(cut)


def test_our_solver_with_their_physics() -> None:
    """The same restoration as with our own degradation."""
    taps = gaussian_blur(sigma=(1.0, 1.0))
    physics = dinv.physics.BlurFFT((3, 32, 32), taps, noise_model=dinv.physics.GaussianNoise(0.02))
    y = physics(images(1, (3, 32, 32)))
    theirs = interop.from_physics(physics)
    own = Degradation(Function(physics.A, physics.A_adjoint), GaussianNoise(0.02))
    found, expected = (restore(y, d, method="lmmse", prior=flow(32).gaussian).image for d in (theirs, own))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)
    assert theirs.noise.level == pytest.approx(0.02)


# our degradation, their physics

DEGRADATIONS: dict[str, Callable[[], Degradation]] = {
    "blur": lambda: Blur(width=0.7, sigma=0.05),
    "mask": lambda: Mask(images(1)[0, 0] > 0.4, sigma=0.05),
    "superres": lambda: Downsample(2, sigma=0.05),
    "grey": lambda: Grayscale(sigma=0.05),
    "mosaic": lambda: Degradation(Mosaic(), GaussianNoise(0.05)),
    "frequencies": lambda: Degradation(FourierMask.lines((12, 12), 2, 0.2), GaussianNoise(0.05)),
    "rays": lambda: Degradation(Radon(12, 8), GaussianNoise(0.05)),
    "matrix": lambda: Degradation(Matrix(images(1, (30, 432))[0] / 20, SHAPE), GaussianNoise(0.05)),
    "stack": lambda: Stacked(Blur(width=0.7, sigma=0.05), Grayscale(sigma=0.05), shape=SHAPE),
}


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degradation_is_a_physics(name: str) -> None:
    degradation = DEGRADATIONS[name]()
    physics, x = interop.to_physics(degradation, SHAPE), images()
    assert isinstance(physics, dinv.physics.LinearPhysics)
    y = physics(x)
    torch.testing.assert_close(physics.A(x), degradation.A(x))
    assert abs(float(physics.adjointness_test(x))) < 1e-3 * float((physics.A(x) ** 2).sum())
    torch.testing.assert_close(physics.A_dagger(y), degradation.A_dagger(y))
    torch.testing.assert_close(physics.prox_l2(x, y, 2.0), degradation.prox_l2(x, y, 2.0))
    torch.testing.assert_close(physics.prox_l2(None, y, 2.0), degradation.prox_l2(0 * x, y, 2.0))
    noise = (y - physics.A(x))[physics.A(x) != 0]
    assert noise.std().item() == pytest.approx(0.05, rel=0.35)
    assert interop.from_physics(physics) is degradation


def test_noise_that_their_methods_can_read() -> None:
    assert interop.to_physics(Blur(sigma=0.03), SHAPE).noise_model.sigma == pytest.approx(0.03)
    photons = interop.to_physics(Poisson(50.0), SHAPE)
    assert photons.noise_model.gain == pytest.approx(0.02)
    torch.manual_seed(0)
    levels = interop.to_physics(Quantize(5), SHAPE)(images())
    assert torch.equal(levels, Quantize(5)(images()))
    value = interop.to_physics(Grayscale("value"), SHAPE)
    assert not isinstance(value, dinv.physics.LinearPhysics)
    assert torch.equal(value.A(images()), images().amax(1, keepdim=True))


def test_their_solver_with_our_degradation() -> None:
    """Proximal gradient descent to the minimum that our own formula gives."""
    degradation = Blur(width=0.7, sigma=0.05)
    physics = interop.to_physics(degradation, SHAPE)
    y = physics(images())
    tikhonov, fidelity = dinv.optim.prior.Tikhonov(), dinv.optim.data_fidelity.L2()
    solver = dinv.optim.PGD(
        prior=tikhonov, data_fidelity=fidelity, max_iter=300, stepsize=1.0, lambda_reg=0.5, early_stop=False
    )
    expected = degradation.prox_l2(torch.zeros_like(images()), y, 1 / 0.5)
    torch.testing.assert_close(solver(y, physics), expected, rtol=0, atol=1e-3)


# our methods, their reconstructors


@pytest.mark.parametrize("method", ["lmmse", "mmse"])
def test_a_method_that_deepinv_tests(method: str) -> None:
    prior = flow()
    model = interop.to_reconstructor(method, prior.gaussian if method == "lmmse" else prior, seed=3)
    assert isinstance(model, dinv.models.Reconstructor)
    x = prior.gaussian.mean + prior.gaussian.deviation(4, generators(0, 4))
    for physics in (
        dinv.physics.Denoising(dinv.physics.GaussianNoise(0.2)),
        interop.to_physics(Blur(width=0.8, sigma=0.05), SHAPE),
    ):
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, physics(x)), batch_size=2)
        found = dinv.test(
            model, data, physics, verbose=False, show_progress_bar=False, no_learning_method="A_adjoint"
        )
        assert found["PSNR"] > found["PSNR no learning"] + 0.5


def test_gradients_pass_through_a_reconstructor() -> None:
    prior = flow()
    model = interop.to_reconstructor("lmmse", prior.gaussian, differentiable=True)
    physics = dinv.physics.Denoising(dinv.physics.GaussianNoise(0.2))
    y = physics(images()).requires_grad_()
    (gradient,) = torch.autograd.grad(model(y, physics).sum(), y)
    assert gradient.abs().max() > 0


# denoisers


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.3, 3.0])
def test_a_prior_is_a_denoiser(sigma: float) -> None:
    """Of Gaussian images, E[x_0 | x] is linear, and known."""
    prior = flow()
    denoiser = interop.to_denoiser(prior)
    assert isinstance(denoiser, dinv.models.Denoiser)
    x = images()
    C, mean = prior.gaussian.covariance, prior.gaussian.mean.expand_as(x)
    expected = Degradation(Function(lambda v: v, lambda v: v), GaussianNoise(sigma)).condition(
        mean, C, x, tolerance=1e-7
    )
    torch.testing.assert_close(denoiser(x, sigma), expected if sigma else x, rtol=0, atol=1e-4)
    each = denoiser(x, torch.tensor([sigma, 0.1]))
    torch.testing.assert_close(each[0], denoiser(x[:1], sigma)[0])
    torch.testing.assert_close(each[1], denoiser(x[1:], 0.1)[0])


def test_denoisers_that_are_none() -> None:
    with pytest.raises(PairingError, match="a denoiser needs a FlowPrior"):
        interop.to_denoiser(flow().gaussian)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="sigma: expected one number, or 2 numbers, one per image; got 3"):
        interop.to_denoiser(flow())(images(), torch.ones(3))


def test_a_denoiser_is_a_prior() -> None:
    """A network of theirs with random weights, at any noise; and back again."""
    torch.manual_seed(0)
    network = dinv.models.DRUNet(pretrained=None).eval()
    prior = interop.from_denoiser(network, (3, 16, 16))
    x = images(2, (3, 16, 16))
    for t in (0.9, 0.6):
        sigma = (1 - t) / t / 2
        torch.testing.assert_close(prior.denoise(t * x, t), network(x, sigma), rtol=0, atol=1e-4)
    levels = torch.tensor([0.05, 0.2])
    torch.testing.assert_close(interop.to_denoiser(prior)(x, levels), network(x, levels), rtol=0, atol=1e-4)
    y = Blur(width=0.8, sigma=0.05)(x, generators(0, 2))
    from restora import Flower

    solver = Flower(iterations=2, covariance="isotropic")
    assert restore(y, Blur(width=0.8, sigma=0.05), method=solver, prior=prior).image.shape == x.shape


def test_a_denoiser_with_a_gaussian_restores_like_ours() -> None:
    own = flow()
    theirs = interop.from_denoiser(interop.to_denoiser(own), SHAPE, own.gaussian)
    degradation = Blur(width=0.8, sigma=0.05)
    y = degradation(images(), generators(0, 2))
    found, expected = (restore(y, degradation, prior=prior).image for prior in (theirs, own))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)


# their reconstructors, our methods


def test_ram_is_a_method() -> None:
    """With random weights: the same answer as when it is called by hand."""
    torch.manual_seed(0)
    network = dinv.models.RAM(pretrained=False).eval()
    degradation = Blur(width=0.8, sigma=0.05)
    x = images(1, (3, 32, 32))
    y = degradation(x, generators(0, 1))
    with torch.no_grad():
        expected = network(y, interop.to_physics(degradation, (3, 32, 32)))
    found = restore(y, degradation, method=interop.from_reconstructor(network))
    torch.testing.assert_close(found.image, expected.clamp(0, 1), rtol=0, atol=1e-4)


# the same operators


def test_frequencies_are_those_of_their_mri() -> None:
    x = images(2, (1, 12, 12))
    mask = FourierMask.lines((12, 12), 2, 0.2)
    theirs = dinv.physics.MRI(mask=mask.get_buffer("measured")[0, 0])
    pair = torch.cat([x, torch.zeros_like(x)], 1)
    torch.testing.assert_close(mask(x), theirs.A(pair))
    torch.testing.assert_close(mask.adjoint(mask(x)), theirs.A_adjoint(mask(x))[:, :1])

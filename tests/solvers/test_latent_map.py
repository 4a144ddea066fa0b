"""The latent MAP against closed forms of a linear generator."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from restora.degradations import AdditiveNoise, Blur, Degradation, Downsample, Grayscale, Mask, Quantize
from restora.errors import OptionError, PairingError
from restora.priors import GANPrior
from restora.random import generators
from restora.restoration import restore
from restora.solvers import LatentMAP
from restora.solvers.finish import Finish, project, smooth
from restora.solvers.latent_search import importance

DEGRADATIONS: dict[str, Degradation] = {
    "inpaint": Mask.center((8, 8)),
    "colorize": Grayscale(),
    "superres": Downsample(2),
    "denoise": AdditiveNoise(),
    "deblur": Blur(width=0.5),
}
EXACT = LatentMAP(iterations=500, restarts=1, patience=0, rate=0.2, precision="float32", finish="none")


def observe(prior: GANPrior, degradation: Degradation, count: int = 3) -> Tensor:
    sources = generators(7, count)
    return degradation(prior.generate(prior.latents(count, sources)), sources)


def closed_form(
    prior: GANPrior, degradation: Degradation, y: Tensor, solver: LatentMAP, weight: Tensor | None = None
) -> Tensor:
    """argmin_z |W^(1/2) (y - A(G z + b))|^2 - lambda_D c (G z + b) + lambda_z |z|^2 / 2, image by image."""
    g, c = prior.generator.weight, prior.discriminator.weight
    columns = degradation.A(g.T.reshape(-1, *prior.image_shape)).flatten(1).T
    offset = (y - degradation.A(prior.generate(torch.zeros(1, 5)))).flatten(1)
    w = torch.ones_like(y[0]) if weight is None else weight[0].expand_as(y[0])
    weighted = columns * w.flatten().unsqueeze(1)
    system = 2 * columns.T @ weighted + solver.lambda_z * torch.eye(5)
    right = 2 * offset @ weighted + solver.lambda_d * (c @ g)
    return torch.linalg.solve(system, right.T).T


@pytest.mark.parametrize("lambda_z", [0.0, 0.7])
@pytest.mark.parametrize("lambda_d", [0.0, 0.3])
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_finds_the_closed_form(prior: GANPrior, name: str, lambda_d: float, lambda_z: float) -> None:
    solver = replace(EXACT, lambda_d=lambda_d, lambda_z=lambda_z)
    y = observe(prior, DEGRADATIONS[name])
    expected = prior.generate(closed_form(prior, DEGRADATIONS[name], y, solver)).clamp(0, 1)
    found = restore(y, DEGRADATIONS[name], method=solver, prior=prior)
    unknown = hole(DEGRADATIONS[name], expected)
    torch.testing.assert_close(found.image[unknown], expected[unknown], atol=2e-3, rtol=0)


def hole(degradation: Degradation, x: Tensor) -> Tensor:
    """Which values of images x the method decides: those that are known come back as they are."""
    mask = degradation.operator.mask
    return torch.ones_like(x) > 0 if mask is None else mask.expand_as(x) == 0


def test_weights_pixels_near_the_hole(prior: GANPrior) -> None:
    mask, solver = Mask.center((8, 8)), replace(EXACT, window=3)
    y = mask.A(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    z = closed_form(prior, mask, y, solver, importance(y, mask, 3))
    found = restore(y, mask, method=solver, prior=prior)
    expected, unknown = prior.generate(z).clamp(0, 1), hole(mask, found.image)
    torch.testing.assert_close(found.image[unknown], expected[unknown], atol=2e-3, rtol=0)
    plain = restore(y, mask, method=EXACT, prior=prior)
    assert (plain.image - found.image).abs().max() > 0.01


def test_absolute_deviations_ignore_an_outlier(prior: GANPrior) -> None:
    degradation = AdditiveNoise(0.0)
    truth = observe(prior, degradation, 1)
    y = truth.clone()
    y[0, 0, 0, 0] += 50
    solver = replace(EXACT, lambda_d=0.0, lambda_z=0.0, p=1)
    robust = restore(y, degradation, method=solver, prior=prior)
    assert (robust.image - truth.clamp(0, 1)).abs().max() < 0.01
    least_squares = restore(y, degradation, method=replace(solver, p=2), prior=prior)
    assert (least_squares.image - truth.clamp(0, 1)).abs().max() > 0.1


def test_quantised_images_are_explained(prior: GANPrior) -> None:
    degradation = Quantize(9)
    y = degradation.A(prior.generate(0.3 * prior.latents(3, generators(7, 3))))
    found = restore(y, degradation, method=replace(EXACT, lambda_d=0, lambda_z=0), prior=prior)
    assert found.residual.max() < 1e-3


def test_result_does_not_depend_on_the_batch(prior: GANPrior) -> None:
    degradation, solver = Downsample(), LatentMAP(iterations=40, patience=5)
    y = observe(prior, degradation, 5)
    together = restore(y, degradation, method=solver, prior=prior, samples=3, seed=11)
    for i in range(5):
        alone = restore(y[i : i + 1], degradation, method=solver, prior=prior, samples=3, seed=11 + i)
        torch.testing.assert_close(alone.samples[0], together.samples[i], atol=1e-3, rtol=0)


def test_per_image_masks_follow_their_images(prior: GANPrior) -> None:
    masks = (torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(5)) < 0.5).float()
    y = Mask(masks).A(observe(prior, AdditiveNoise(0.0)))
    solver = LatentMAP(iterations=30)
    together = restore(y, Mask(masks), method=solver, prior=prior, seed=[4, 5, 6])
    alone = restore(y[2:], Mask(masks[2:]), method=solver, prior=prior, seed=[6])
    torch.testing.assert_close(alone.image[0], together.image[2], atol=1e-3, rtol=0)


class Valleys(torch.nn.Module):
    """x = z^2 - small slope: two optima of different depth, so that the start decides."""

    def forward(self, z: Tensor) -> Tensor:
        return (z.square() - 0.1 * z).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)


def test_the_best_restart_is_kept_and_samples_are_sorted() -> None:
    prior = GANPrior(Valleys(), latent_shape=(1,), value_range=(0.0, 1.0))
    solver = LatentMAP(iterations=200, restarts=8, lambda_z=20.0, lambda_d=0.0, finish="none")
    y = torch.full((1, 3, 8, 8), 0.6)
    found = restore(y, AdditiveNoise(0.1), method=solver, prior=prior, samples=8, seed=1)
    steps = list(solver.for_samples(8).steps(y, AdditiveNoise(0.1), prior, generators(1, 1, "restore")))
    z = torch.linspace(-2, 2, 4001).view(-1, 1)
    fidelity = AdditiveNoise(0.1).fidelity(prior.generate(z), y.expand(4001, -1, -1, -1))
    lowest = solver.objective(prior.generate(z), z, fidelity, prior).min()
    assert found.history[-1].item() == pytest.approx(lowest.item(), rel=1e-3)
    assert steps[-1].samples is not None
    values = [solver_loss(solver, prior, y, x) for x in steps[-1].samples[0]]
    assert values[0] == min(values)
    assert max(values) > min(values) + 0.1


def solver_loss(solver: LatentMAP, prior: GANPrior, y: Tensor, x: Tensor) -> float:
    """The objective at image x of `Valleys`, z recovered on the cheaper side of zero."""
    value = x.mean()
    roots = 0.05 + torch.tensor([-1.0, 1.0]) * torch.sqrt(0.0025 + value)
    best = roots[roots.abs().argmin()]
    return (192 * (value - 0.6) ** 2 + solver.lambda_z * best**2 / 2).item()


def test_losers_of_the_trial_stop(prior: GANPrior) -> None:
    degradation, evaluated = Downsample(2), []
    generate = prior.generate
    prior.generate = lambda z: (evaluated.append(len(z)), generate(z))[1]  # type: ignore[method-assign]
    y = observe(prior, degradation, 2)
    solver = LatentMAP(iterations=20, restarts=6, survivors=2, trial=0.25, patience=0)
    samples = list(solver.steps(y, degradation, prior, generators(0, 2)))[-1].samples
    assert samples is not None
    assert samples.shape[:2] == (2, 2)
    assert evaluated[1:] == [12] * 5 + [4] * 15 + [4]


def test_settled_latents_stop_early(prior: GANPrior) -> None:
    degradation = AdditiveNoise()
    y = observe(prior, degradation)
    solver = replace(EXACT, patience=10, schedule="constant", lambda_z=0.5, rate=0.05)
    history = restore(y, degradation, method=solver, prior=prior).history
    assert 10 < len(history) < 500
    full = restore(y, degradation, method=replace(solver, patience=0), prior=prior).history
    assert len(full) == 500
    assert (history[-1] - full[-1]).abs().max() < 0.01 * full[-1].max()


def test_history_never_rises(prior: GANPrior) -> None:
    history = restore(observe(prior, Downsample()), Downsample(), prior=prior).history
    assert (history.diff(dim=0) <= 0).all()


# Of the maximum, `project` gives a posterior mean, which has a lower maximum itself.
@pytest.mark.parametrize(
    ("finish", "degradation"),
    [
        (finish, degradation)
        for finish in (smooth, project)
        for degradation in (Mask.center((8, 8)), Grayscale(), Downsample())
    ]
    + [(smooth, Grayscale("value"))],
)
def test_noiseless_data_are_met(finish: Finish, degradation: Degradation, prior: GANPrior) -> None:
    generator = torch.Generator().manual_seed(1)
    x, truth = torch.rand(2, 2, 3, 8, 8, generator=generator)
    y = degradation.A(truth)
    torch.testing.assert_close(degradation.A(finish(x, y, degradation, prior)), y, atol=2e-3, rtol=0)


def test_blend_is_for_inpainting_only(prior: GANPrior) -> None:
    solver = LatentMAP(iterations=1, finish="blend")
    with pytest.raises(PairingError, match="inpainting, not Downsample"):
        restore(torch.zeros(1, 3, 2, 2), Downsample(), method=solver, prior=prior)


@pytest.mark.parametrize(
    "bad",
    [{"p": 3}, {"iterations": -2}, {"restarts": -1}, {"rate": 0.0}, {"lambda_z": -1.0}, {"budget": -1.0}],
)
def test_bad_settings(bad: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        LatentMAP(**bad)

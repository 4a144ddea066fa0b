"""restore(differentiable=True): the gradient of a restoration is that of its steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from gaussian_flow import flow, observe
from torch import Tensor, nn

from restora import LMMSE, Flower, restore
from restora.degradations import Blur, Degradation, Mask
from restora.errors import PairingError
from restora.noise import GaussianNoise
from restora.operators import FourierMask, Radon
from restora.priors import Prior
from restora.solvers import HQS, MMSE, Solver, solvers

TASKS: dict[str, Callable[[], Degradation]] = {
    "blur": lambda: Blur(width=0.8, sigma=0.1),
    "hole": lambda: Mask.center((8, 8), sigma=0.1),
    "frequencies": lambda: Degradation(FourierMask.lines((8, 8), 2, 0.3), GaussianNoise(0.1)),
    "rays": lambda: Degradation(Radon(8, 6), GaussianNoise(0.3)),
}
METHODS: dict[str, Solver] = {
    "lmmse": LMMSE(tolerance=1e-9),
    "mmse": MMSE(iterations=3, tolerance=1e-9),
    "hqs": HQS(iterations=3, tolerance=1e-9),
    "flower": Flower(iterations=3, tolerance=1e-9),
}


def prior_of(method: str) -> Prior:
    prior = flow()
    return prior if method != "lmmse" else prior.gaussian  # type: ignore[return-value]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_gradient_of_a_restoration(method: str, task: str) -> None:
    """In one direction, against the difference of two restorations."""
    prior, degradation = prior_of(method), TASKS[task]()
    y = observe(flow(), degradation)

    def loss(v: Tensor, differentiable: bool) -> Tensor:
        found = restore(v, degradation, method=METHODS[method], prior=prior, differentiable=differentiable)
        return found.image.square().sum()

    y.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(y, True), y)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
    step = 1e-5
    ahead, behind = (loss(y + s * step * direction, False) for s in (1, -1))
    expected = (ahead - behind) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-3, atol=1e-6)


def test_restorations_are_detached_unless_asked() -> None:
    prior, degradation = flow(), TASKS["blur"]()
    y = observe(prior, degradation).requires_grad_()
    assert not restore(y, degradation, method="lmmse", prior=prior.gaussian).image.requires_grad
    found = restore(y, degradation, method="lmmse", prior=prior.gaussian, differentiable=True)
    assert found.image.requires_grad
    torch.testing.assert_close(
        found.image.detach(), restore(y, degradation, method="lmmse", prior=prior.gaussian).image
    )
    with torch.no_grad():
        kept = restore(y, degradation, method="lmmse", prior=prior.gaussian, differentiable=True)
    assert not kept.image.requires_grad


def test_a_network_in_the_loop_is_trained() -> None:
    """Unrolled use: the weights of the prior get gradients too, if they want them."""

    class Shrink(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(0.1))

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return self.gain * x[:, :3]

    prior = flow()
    prior.network = Shrink().double()
    degradation = TASKS["blur"]()
    y = observe(flow(), degradation)
    found = restore(y, degradation, method=METHODS["mmse"], prior=prior, differentiable=True)
    (gradient,) = torch.autograd.grad(found.image.sum(), prior.network.gain)
    assert gradient.abs() > 0


def test_solvers_that_cannot_say_so() -> None:
    y = torch.rand(1, 3, 8, 8)
    text = "method 'tv' does not support gradients; expected one of .*lmmse.*, or differentiable=False"
    with pytest.raises(PairingError, match=text):
        restore(y, Blur(width=0.8), method="tv", differentiable=True)
    assert {name for name, cls in solvers if cls.differentiable} >= {"lmmse", "mmse", "flower", "direct"}

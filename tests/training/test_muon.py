"""restora.training.muon: what it does to singular values, its step, exact resume, and what it trains."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from restora.networks.unet import UNet
from restora.training import checkpoint
from restora.training.flow import FlowConfig, FlowTrainer
from restora.training.muon import Muon, kernels, orthogonalise

SHAPES = [(6, 4, 3, 3), (6, 4, 3, 3), (12, 5, 1, 1), (4, 3, 2, 2)]


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def quintic(s: Tensor) -> Tensor:
    """What five steps make of singular values."""
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def naive(u: Tensor) -> Tensor:
    """Five steps on one matrix, as they are defined."""
    X = u.double() / u.double().norm()
    for _ in range(5):
        G = X @ X.T
        X = 3.4445 * X - 4.7750 * G @ X + 2.0315 * G @ G @ X
    return X


class TestOrthogonalise:
    @pytest.mark.parametrize("shape", [(3, 8, 40), (3, 40, 8), (2, 6, 6), (1, 1, 5)])
    def test_it_changes_singular_values_alone(self, shape: tuple[int, int, int]) -> None:
        X = rand(*shape)
        U, S, V = torch.linalg.svd(X.double(), full_matrices=False)
        expected = U * quintic(S / S.norm(dim=1, keepdim=True)).unsqueeze(1) @ V
        torch.testing.assert_close(orthogonalise(X).double(), expected, rtol=0, atol=1e-4)

    @pytest.mark.parametrize("shape", [(3, 8, 40), (3, 40, 8)])
    def test_it_is_nearly_the_orthogonal_factor(self, shape: tuple[int, int, int]) -> None:
        X = rand(*shape)
        U, _, V = torch.linalg.svd(X, full_matrices=False)
        found = orthogonalise(X)
        values = torch.linalg.svdvals(found)
        assert values.min() > 0.65
        assert values.max() < 1.25
        assert (found - U @ V).norm(dim=(1, 2)).max() < 0.35 * math.sqrt(8)

    def test_an_orthogonal_matrix_stays_one(self) -> None:
        Q = torch.linalg.qr(rand(32, 8))[0].mT[None]
        found = orthogonalise(7 * Q)
        torch.testing.assert_close(found / found.norm() * Q.norm(), Q, rtol=0, atol=1e-5)

    def test_scale_does_not_matter(self) -> None:
        X = rand(2, 4, 9)
        for scale in (1e-3, 1e6):
            torch.testing.assert_close(orthogonalise(scale * X), orthogonalise(X), rtol=1e-3, atol=1e-4)

    def test_zeros_stay_zeros(self) -> None:
        assert torch.equal(orthogonalise(torch.zeros(2, 3, 5)), torch.zeros(2, 3, 5))

    @pytest.mark.parametrize("least", [1e-2, 1e-4, 1e-8, 0.0])
    def test_small_singular_values_do_no_harm(self, least: float) -> None:
        """Products of X with itself have twice its range; rounding must not blow up what is near 0."""
        U, V = torch.linalg.qr(rand(48, 48))[0], torch.linalg.qr(rand(200, 48, seed=1))[0].mT
        S = torch.cat([torch.ones(8), torch.full((40,), least)])
        found = orthogonalise((U * S @ V)[None])[0]
        expected = (U.double() * quintic(S.double() / S.norm())) @ V.double()
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-3)


class TestSteps:
    def parameters(self, layout: torch.memory_format = torch.contiguous_format) -> list[nn.Parameter]:
        tensors = [rand(*shape, seed=i).contiguous(memory_format=layout) for i, shape in enumerate(SHAPES)]
        return [nn.Parameter(x) for x in tensors]

    def gradients(self, parameters: list[nn.Parameter], step: int) -> None:
        for i, p in enumerate(parameters):
            p.grad = rand(*p.shape, seed=100 * (step + 1) + i)

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_they_are_those_of_the_definition(self, layout: torch.memory_format) -> None:
        parameters = self.parameters(layout)
        muon = Muon(parameters, lr=0.02)
        expected = [p.detach().double() for p in parameters]
        momenta = [torch.zeros_like(x) for x in expected]
        for step in range(3):
            self.gradients(parameters, step)
            muon.step()
            for i, p in enumerate(parameters):
                assert p.grad is not None
                momenta[i] = 0.95 * momenta[i] + p.grad.double()
                direction = naive((p.grad.double() + 0.95 * momenta[i]).reshape(len(p), -1))
                scale = math.sqrt(max(1, direction.shape[0] / direction.shape[1]))
                expected[i] = expected[i] - 0.02 * scale * direction.reshape(p.shape)
        for p, x in zip(parameters, expected, strict=True):
            torch.testing.assert_close(p.detach().double(), x, rtol=0, atol=1e-5)

    def test_without_a_gradient_a_kernel_stays(self) -> None:
        parameters = self.parameters()
        self.gradients(parameters, 0)
        before = parameters[0].detach().clone()
        parameters[0].grad = None
        Muon(parameters).step()
        assert torch.equal(parameters[0], before)

    def test_a_resumed_optimiser_goes_on_exactly(self, tmp_path: Path) -> None:
        parameters = self.parameters(torch.channels_last)
        muon = Muon(parameters)
        self.gradients(parameters, 0)
        muon.step()
        checkpoint.save(tmp_path / "c", muon.state_dict())
        copies = [nn.Parameter(p.detach().clone()) for p in parameters]
        other = Muon(copies, lr=1.0)
        other.load_state_dict(checkpoint.load(tmp_path / "c"))
        for step in (1, 2):
            for some, optimiser in ((parameters, muon), (copies, other)):
                self.gradients(some, step)
                optimiser.step()
        assert all(torch.equal(p, q) for p, q in zip(parameters, copies, strict=True))

    def test_a_closure_is_evaluated_with_gradients(self) -> None:
        p = nn.Parameter(torch.eye(3))
        muon = Muon([p], lr=0.1)

        def closure() -> Tensor:
            loss = p.square().sum()
            loss.backward()
            return loss

        first = muon.step(closure)
        assert first == 3
        assert p.square().sum() < first


def test_what_it_trains() -> None:
    network = UNet(6, 3, 8, multipliers=(1, 2, 4), blocks=2)
    chosen = {id(p) for p in kernels(network)}
    names = {name for name, p in network.named_parameters() if id(p) in chosen}
    parts = ("conv1", "conv2", "attention.qkv", "attention.project")
    expected = {f"{way}.{i}.{k}.{part}.weight" for way in ("down", "up") for i in range(3) for k in range(2)
                for part in (parts if (i, k) == (2, 1) else parts[:2])}  # fmt: skip
    expected |= {f"{way}.{i}.weight" for way in ("coarser", "finer") for i in range(2)}
    assert names == expected
    assert all(p.ndim == 4 for p in kernels(network))


def test_a_trainer_trains_every_parameter_once() -> None:
    images = (255 * torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))).to(torch.uint8)
    trainer = FlowTrainer(FlowConfig(size=8, width=4, batch=8, muon_rate=0.01), images)
    by_muon = {id(p) for p in trainer.muon.param_groups[0]["params"]}
    by_adam = {id(p) for p in trainer.adam.param_groups[0]["params"]}
    assert by_muon == {id(p) for p in kernels(trainer.network)}
    assert by_muon | by_adam == {id(p) for p in trainer.network.parameters()}
    assert not by_muon & by_adam
    assert trainer.muon.param_groups[0]["lr"] == 0.01
    assert trainer.muon.defaults == {"lr": 0.01, "momentum": 0.95}

"""The solver for one task: its answer, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import restora
from restora.bench.protocol import Clean, Deck
from restora.degradations import AdditiveNoise, Downsample, Mask, named
from restora.errors import PairingError
from restora.networks.unet import UNet
from restora.pictures import image
from restora.priors import DirectPrior, GaussianPrior, store
from restora.random import generators
from restora.solvers import Direct

SHAPE = (3, 16, 16)
Command = Callable[..., Any]


def direct(task: str, **options: Any) -> DirectPrior:
    """For Gaussian images, of which the network has nothing to learn."""
    frequency = torch.arange(16.0)[:, None] + torch.arange(16.0)[None]
    spread = (0.1 * torch.eye(3) + 0.05)[:, :, None, None] / (1 + frequency)
    gaussian = GaussianPrior(torch.full(SHAPE, 0.5), torch.zeros(0, *SHAPE), spread)
    network: nn.Module = UNet(width=4, blocks=1)
    prior = DirectPrior(network, gaussian, task, options)
    prior.name = f"direct-{task}"
    return prior


@pytest.mark.parametrize("task", ["inpaint", "colorize", "superres", "denoise", "dequantize"])
def test_on_gaussian_images_it_is_the_best_linear_estimate(task: str) -> None:
    prior = direct(task)
    x = prior.gaussian.sample(2, generators(1, 2))
    y = prior.degradation(x, generators(2, 2))
    found = restora.restore(y, prior.degradation, prior=prior)
    expected = restora.restore(y, prior.degradation, method="lmmse", prior=prior.gaussian)
    assert found.method == "direct"
    torch.testing.assert_close(found.image, expected.image, rtol=0, atol=1e-5)


def test_another_task_or_setting_is_refused() -> None:
    prior, y = direct("denoise", sigma=0.2), torch.rand(1, *SHAPE)
    text = (
        r"method 'direct' with prior 'direct-denoise' does denoise \(sigma=0.2\) alone, and this is "
        r"denoise \(sigma=0.1\); name these options if they are right, train one for it with "
        r"'restora train direct', or take a method for all"
    )
    with pytest.raises(PairingError, match=text):
        restora.restore(y, AdditiveNoise(0.1), prior=prior)
    with pytest.raises(PairingError, match=r"this is superres \(scale=4, kernel=box, sigma=0.0\)"):
        restora.restore(y[..., :4, :4], Downsample(), prior=prior)
    with pytest.raises(PairingError, match=r"inpaint \(sigma=0.0, hole=center\) alone, and this is inpaint"):
        restora.restore(y, Mask.center((16, 16), 4), prior=direct("inpaint"))
    with pytest.raises(PairingError, match="needs a DirectPrior"):
        restora.restore(y, AdditiveNoise(0.2), method="direct", prior=prior.gaussian)


@pytest.mark.parametrize("task", ["inpaint", "denoise", "dequantize"])
def test_which_cells_of_a_benchmark_it_fills(task: str) -> None:
    solver, prior = Direct(), direct(task)
    filled = [
        t for t in ("inpaint", "colorize", "denoise", "dequantize") if _handles(solver, Clean(), t, prior)
    ]
    assert filled == [task]
    assert _handles(solver, Deck(), task, prior) == (task != "dequantize")  # its quantiser is another
    assert not solver.handles(named.build(task, (16, 16)))


def _handles(solver: Direct, protocol: Any, task: str, prior: DirectPrior) -> bool:
    return solver.handles(protocol.degradation(task, (16, 16)), prior)


def test_the_commands(tmp_path: Path, restora: Command) -> None:
    store.save(tmp_path / "hole", direct("inpaint"), {})
    for i in range(2):
        image.write(tmp_path / "in" / f"{i}.png", torch.rand(SHAPE))
    words = ("restore", tmp_path / "in", "--prior", tmp_path / "hole", "--device", "cpu")
    done = restora(*words, "-o", tmp_path / "out", "--task", "inpaint", "--hole", "center")
    assert (done.code, len(list((tmp_path / "out").glob("*.png")))) == (0, 2)
    refused = restora(*words, "-o", tmp_path / "no", "--task", "denoise", "--sigma", 0.1).error()
    assert "does inpaint (--sigma 0.0, --hole center) alone, and this is denoise (--sigma 0.1)" in refused
    words = ("bench", tmp_path / "in", "-o", tmp_path / "bench", "--perceptual", "none", "--device", "cpu")
    run = restora(*words, "--methods", f"direct@{tmp_path / 'hole'}", "--tasks", "inpaint,denoise")
    assert run.code == 0
    row = next(line for line in run.out.splitlines() if line.startswith("| direct@hole"))
    assert [cell.strip() == "—" for cell in row.strip("|").split("|")] == [False, False, True]

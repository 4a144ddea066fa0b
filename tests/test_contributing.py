"""The recipes of CONTRIBUTING work as they are written: each file, its line, and the checks of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from restora import Blur, Degradation, Grayscale, restore
from restora.degradations import AdditiveNoise
from restora.noise import noises
from restora.operators import operators
from restora.priors import Prior, priors, store
from restora.random import generators
from restora.registry import Registry
from restora.solvers import solvers
from restora.testing import check_noise, check_operator, check_solver

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def recipe(file: str, registry: Registry[Any], name: str) -> Any:
    """The class of a file in CONTRIBUTING, as the line below the file registers it."""
    after = TEXT[TEXT.index(f"`src/restora/{file}`") :]
    code, line = re.findall(r"```python\n(.*?)```", after, re.DOTALL)[:2]
    module = ModuleType(f"recipe.{name}")
    sys.modules[module.__name__] = module  # dataclasses look themselves up there
    exec(compile(code, file, "exec", dont_inherit=True), vars(module))
    table: Registry[Any] = Registry(registry.kind)
    exec(line, vars(module), {line.partition(".")[0]: table})
    assert name not in registry.names()
    return table.get(name)


def test_an_operator() -> None:
    curve = recipe("operators/tone_curve.py", operators, "tone-curve")
    check_operator(curve(), (3, 12, 12))
    x = torch.full((1, 3, 12, 12), 0.25)
    torch.testing.assert_close(curve(0.5)(x), torch.full_like(x, 0.5))
    assert (curve() @ Blur(width=0.5).operator)(x).shape == x.shape


def test_noise() -> None:
    laplace = recipe("noise/laplace.py", noises, "laplace")()
    u = torch.zeros(4, 1, 100, 100)
    e = laplace.simulate(u, generators(0, 4))
    assert abs(e.abs().mean().item() - laplace.b) < 0.02 * laplace.b
    check_noise(laplace, (3, 12, 12))


def test_a_prior(tmp_path: Path) -> None:
    pixel = recipe("priors/pixel.py", priors, "pixel")
    prior = pixel(torch.rand(3, 4, 4), torch.rand(3, 4, 4))
    assert isinstance(prior, Prior)
    assert prior.sample(2, generators(0, 2)).shape == (2, 3, 4, 4)
    priors.register("pixel", pixel)
    try:
        store.save(tmp_path, prior, {})
        torch.testing.assert_close(store.load(tmp_path).mean, prior.mean, atol=1e-3, rtol=0)  # type: ignore[arg-type]
    finally:
        priors._own.pop("pixel")


def test_a_solver() -> None:
    landweber = recipe("solvers/landweber.py", solvers, "landweber")
    check_solver(landweber(), None, AdditiveNoise(0.1), (3, 8, 8))
    x = torch.rand(1, 3, 8, 8)
    degradation: Degradation = Grayscale()
    y = degradation(x)
    result = restore(y, degradation, method=landweber(iterations=200))
    assert result.image.shape == x.shape

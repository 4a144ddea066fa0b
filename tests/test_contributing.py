"""The recipes of CONTRIBUTING.md are executed as they stand: a file, a line, and the check of its kind."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

import restora
from restora.degradations import AdditiveNoise, Degradation, Downsample
from restora.noise import GaussianNoise, noises
from restora.operators import Identity, operators
from restora.priors import priors, store
from restora.registry import Registry
from restora.solvers import solvers
from restora.testing import check_noise, check_operator, check_solver

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
REGISTRIES: dict[str, Registry] = {
    "operators": operators,
    "noises": noises,
    "priors": priors,
    "solvers": solvers,
}
SHAPE = (3, 8, 8)


class Recipe:
    """One section: the file that it names, the code of it, and the line that registers it."""

    def __init__(self, heading: str):
        section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        self.code, self.line = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        self.file = re.findall(r"One file, `src/(restora/\w+/\w+)\.py`", section)[0]

    def execute(self, folder: Path) -> ModuleType:
        """The file as a module of its own, and its line executed."""
        path = folder / f"{Path(self.file).name}.py"
        path.write_text(self.code)
        name = self.file.replace("/", ".")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where a dataclass looks up its types
        spec.loader.exec_module(module)
        exec(self.line, {**vars(module), **REGISTRIES})
        return module


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Nothing stays registered or imported."""
    entries, modules = {k: dict(r._entries) for k, r in REGISTRIES.items()}, set(sys.modules)
    yield
    for name, registry in REGISTRIES.items():
        registry._entries = entries[name]
    for name in set(sys.modules) - modules:
        if name.startswith("restora."):
            del sys.modules[name]


def test_each_is_a_file_that_is_not_there_yet() -> None:
    for heading in ("Add an operator", "Add noise", "Add a prior", "Add a solver"):
        recipe = Recipe(heading)
        module = recipe.file.replace("/", ".")
        assert importlib.util.find_spec(module) is None
        assert len(recipe.line.splitlines()) == 1
        assert len(recipe.code.splitlines()) < 80


def test_an_operator(tmp_path: Path) -> None:
    module = Recipe("Add an operator").execute(tmp_path)
    operator = operators.get("underexposure")()
    check_operator(operator, SHAPE)
    assert replace(operator, gain=0.5)(torch.ones(1, *SHAPE)).unique().tolist() == [0.5]
    with pytest.raises(restora.RestoraError, match=r"gain: expected a number from 0\.01 to 1"):
        module.Underexposure(2.0)
    x = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    degradation = Degradation(operator, GaussianNoise(0.01))
    found = restora.restore(degradation(x), degradation, method="tv")
    assert (found.image - x).abs().mean() < 0.1


def test_noise(tmp_path: Path) -> None:
    Recipe("Add noise").execute(tmp_path)
    noise = noises.get("bounded")()
    check_noise(noise, SHAPE)
    degradation = Degradation(Identity(), noise)
    x = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    y = degradation(x)
    assert (y - x).abs().max() <= 0.1
    assert (degradation.condition(torch.full_like(x, 0.5), 0.05, y) - y).abs().max() <= 0.1 + 1e-6
    chain = Degradation(Downsample(2).operator, noise)
    assert chain.condition(x, 0.05, chain(x)).isfinite().all()


def test_a_prior(tmp_path: Path) -> None:
    module = Recipe("Add a prior").execute(tmp_path)
    prior = module.PixelPrior(torch.full(SHAPE, 0.5), torch.full(SHAPE, 0.1))
    assert prior.sample(2).shape == (2, *SHAPE)
    store.save(tmp_path / "pixel", prior, {"summary": "For tests."})
    again = restora.load_prior(tmp_path / "pixel")
    assert type(again) is priors.get("pixel")
    torch.testing.assert_close(again.mean, prior.mean)
    with pytest.raises(restora.RestoraError, match="needs a GANPrior"):
        restora.restore(torch.rand(1, *SHAPE), AdditiveNoise(0.1), method="map", prior=again)


def test_a_solver(tmp_path: Path) -> None:
    module = Recipe("Add a solver").execute(tmp_path)
    degradation = Downsample(2)
    check_solver(module.Landweber(iterations=5), None, degradation, SHAPE)
    y = degradation(torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0)))
    found = restora.restore(y, degradation, method=solvers.get("landweber")(iterations=200))
    torch.testing.assert_close(found.image, degradation.A_dagger(y), rtol=0, atol=1e-3)
    assert restora.restore(y, degradation, method="landweber").settings == {"iterations": 50, "rate": 1.0}

"""The structure of the package: who imports whom, how long files are, and what names mean."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import restora
from restora.degradations import degradations
from restora.noise import noises
from restora.operators import operators
from restora.priors import priors
from restora.solvers import solvers

SOURCE = Path(restora.__file__).parent
MODULES = sorted(info.name for info in pkgutil.walk_packages([str(SOURCE)], "restora."))
PACKAGES = ("gaussian", "pictures", "operators", "noise", "degradations", "networks", "priors", "solvers")
LAYERS = (
    *PACKAGES,
    "inspection",
    "tiles",
    "pairing",
    "doubts",
    "plan",
    "faces",
    "restoration",
    "runs",
    "training",
    "bench",
    "web",
    "cli",
)
BASE = ("errors", "options", "random", "registry", "device", "orientation")
LINES, METHODS = 250, 12


def path_of(module: str) -> Path:
    folder = SOURCE.parent.joinpath(*module.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


def imported(module: str) -> set[str]:
    """The modules of the package that a module imports at its head; not those for types alone."""
    found = set()
    for node in tree_of(module).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & set(MODULES)


def layer(module: str) -> int | None:
    """Its place from left to right; None for what stands outside, such as errors and options."""
    name = module.split(".")[1]
    return LAYERS.index(name) if name in LAYERS else None


def test_no_two_modules_import_each_other() -> None:
    graph = {module: imported(module) for module in MODULES}
    for module in MODULES:
        if path_of(module).name == "__init__.py":  # a package imports its own modules
            graph[module] = {other for other in graph[module] if not other.startswith(f"{module}.")}
    state: dict[str, int] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert state.get(module) != 1, f"circle: {' -> '.join((*path, module))}"
        if module not in state:
            state[module] = 1
            for other in sorted(graph[module]):
                visit(other, (*path, module))
            state[module] = 2

    for module in MODULES:
        visit(module, ())


def test_imports_go_from_left_to_right() -> None:
    for module in MODULES:
        own = layer(module)
        for other in imported(module):
            theirs = layer(other)
            if own is not None and theirs is not None:
                assert theirs <= own, f"{module} imports {other}"
            if module.split(".")[1] in BASE:
                assert other.split(".")[1] in BASE, f"{module} imports {other}"


@pytest.mark.parametrize("module", MODULES)
def test_no_name_hides_a_module(module: str) -> None:
    parent, _, name = module.rpartition(".")
    if name != "__main__":
        own = importlib.import_module(module)
        assert getattr(importlib.import_module(parent), name) is own


def test_packages_are_what_they_are_called() -> None:
    import restora.solvers.flower

    assert restora.solvers.MMSE.__name__ == "MMSE"
    assert restora.solvers.flower.Flower is restora.Flower


def test_all_that_is_registered_is_exported() -> None:
    for registry, package in (
        (operators, restora.operators),
        (noises, restora.noise),
        (degradations, restora.degradations),
        (priors, restora.priors),
        (solvers, restora.solvers),
    ):
        for _, cls in registry:
            assert getattr(package, cls.__name__) is cls
            assert cls.__name__ in package.__all__


@pytest.mark.parametrize("module", ["restora", *MODULES])
def test_exports_exist(module: str) -> None:
    if not module.endswith("__main__"):
        own = importlib.import_module(module)
        for name in getattr(own, "__all__", ()):
            assert hasattr(own, name)


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.rglob("*.py")}
    assert {str(path): count for path, count in lengths.items() if count > LINES} == {}


def test_no_class_has_more_than_a_dozen_public_methods() -> None:
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.ClassDef):
                methods = [
                    f for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")
                ]
                own = [f.name for f in methods if not any(map(_is_property, f.decorator_list))]
                assert len(own) <= METHODS, f"{module}.{node.name}: {own}"


def _is_property(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id in ("property", "cached_property")


def test_solvers_ask_for_properties_and_not_for_types() -> None:
    """No `isinstance` of an operator or of noise but in `handles`."""
    classes = {cls.__name__ for registry in (operators, noises, degradations) for _, cls in registry}
    classes |= {"Operator", "Noise", "Degradation"}
    for module in MODULES:
        if module.startswith("restora.solvers."):
            for function in ast.walk(tree_of(module)):
                if isinstance(function, ast.FunctionDef) and function.name not in ("handles",):
                    assert not _asked(function) & classes, f"{module}.{function.name}"


def _asked(function: ast.FunctionDef) -> set[str]:
    """The classes that an `isinstance` in a function names."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    found = [c.args[1] for c in calls if isinstance(c.func, ast.Name) and c.func.id == "isinstance"]
    return {node.id for second in found for node in ast.walk(second) if isinstance(node, ast.Name)}

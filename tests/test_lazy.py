"""What is imported when, and that the command line lets the threads of OpenMP sleep while they wait."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import restora

SOURCE = Path(restora.__file__).parents[1]
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SHOW = "import os, sys; print({k: v for k, v in os.environ.items() if k in %r}, 'torch' in sys.modules)"


def python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name not in WAITING}
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *words],
        env={**own, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("module", ["restora", "restora.cli"])
def test_threads_of_the_command_line_sleep(module: str) -> None:
    shown = python("-m", module, "methods", OMP_DISPLAY_ENV="TRUE")
    policies = [line for line in shown.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    if not policies:
        pytest.skip("this torch has no OpenMP that shows its settings")
    assert {line.split("=")[1].strip() for line in policies} == {"'PASSIVE'"}
    assert "lmmse" in shown.stdout


@pytest.mark.parametrize("name", WAITING)
def test_a_choice_of_the_user_stands(name: str) -> None:
    value = "active" if name == "OMP_WAIT_POLICY" else "1000"
    code = f"from restora.cli import main; main(['methods']); {SHOW % (WAITING,)}"
    assert python("-c", code, **{name: value}).stdout.splitlines()[-1] == f"{ {name: value} } True"


def test_the_library_leaves_the_environment_alone() -> None:
    code = f"import restora; restora.Mask; import restora.cli.commands; {SHOW % (WAITING,)}"
    assert python("-c", code).stdout == "{} True\n"


def test_importing_the_package_loads_no_torch() -> None:
    assert python("-c", f"import restora, restora.cli; {SHOW % (WAITING,)}").stdout == "{} False\n"


def test_names_and_packages_are_there() -> None:
    assert {"restore", "Mask", "solvers", "RestoraError"} <= {*restora.__all__} & {*dir(restora)}
    code = "import restora; print(restora.solvers.solvers.get('tv').__name__, restora.TV.__name__)"
    assert python("-c", code).stdout == "TV TV\n"
    with pytest.raises(AttributeError, match="nothing"):
        restora.nothing  # noqa: B018

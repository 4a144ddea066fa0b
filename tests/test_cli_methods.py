"""`restora methods`: what a method is and which settings it has, told by the options themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from restora.cli.options import metavar
from restora.options import options
from restora.solvers import solvers

Command = Callable[..., Any]


def test_methods_and_their_settings(restora: Command) -> None:
    every = restora("methods")
    assert (every.code, len(every.out.splitlines())) == (0, len(solvers.names()))
    assert "flower      Posterior samples with a flow, their mean and standard deviation" in every.out
    for name, cls in solvers:
        page = restora("methods", name).out
        assert max(map(len, page.splitlines())) <= 100
        for entry, hint in options(cls):
            assert f"  {entry.name}={metavar(hint)}" in page
    page = restora("methods", "tv").out
    assert "  penalty=X|auto        rho of ADMM" in page
    assert "auto: the best for the task; above 0 (auto)" in " ".join(page.split())
    facts = json.loads(restora("methods", "map", "--json").out)["map"]
    assert facts["needs"] == "GANPrior"
    assert facts["settings"]["rate"]["default"] == 0.2
    assert facts["settings"]["rate"]["is"] == "a number above 0"
    assert "It has no settings." in restora("methods", "observed").out
    assert "unknown method 'mpa'. Did you mean 'map'?" in restora("methods", "mpa").error()

"""restora.runs.beforehand: what samples and uncertainty take is said first, and is what they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora import AdditiveNoise, Blur, Degradation, Mask, Quantize, load_prior
from restora.pictures import image
from restora.plan import decide, finish
from restora.runs.beforehand import beforehand, cost, licences
from restora.runs.task import Task

TASKS = {"denoise": AdditiveNoise(0.1), "deblur": Blur(sigma=0.02), "cells": Quantize(5)}


@pytest.mark.parametrize("method", ["mmse", "flower"])
@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("uncertainty", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_evaluations_are_those_that_happen(
    task: str, method: str, samples: int, uncertainty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior: Any = load_prior("natural")
    plan = decide(method, prior, samples=samples, uncertainty=uncertainty, device="cpu")
    rows: list[int] = []
    denoise = prior.sized(32, 32).denoise
    monkeypatch.setattr(
        type(prior), "denoise", lambda self, w, t, k=0: rows.append(len(w)) or denoise(w, t, k)
    )
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    finish(plan.run(TASKS[task](x, torch.Generator().manual_seed(0)), TASKS[task]))
    assert plan.solver.evaluations(TASKS[task]) == sum(rows)


def test_what_is_said() -> None:
    def told(task: Degradation, method: str = "auto", prior: Any = "natural", **wanted: Any) -> str | None:
        return cost(decide(method, prior, device="cpu", **wanted), task)

    assert told(AdditiveNoise(0.1)) is None
    assert told(AdditiveNoise(0.1), uncertainty=True) is None  # one evaluation more
    assert "take about 81 times as long as one restoration (162 evaluations" in str(
        told(AdditiveNoise(0.1), "mmse", uncertainty=True)
    )
    assert "about 7 times as long as one restoration (60 " in str(told(Mask.center((64, 64)), samples=3))
    gaussian = told(AdditiveNoise(0.1), "lmmse", "faces64-gaussian", uncertainty=True)
    assert "about 9 times as long as one restoration (9 solves" in str(gaussian)
    assert told(AdditiveNoise(0.1), "map", "faces64-dcgan", samples=2) is None  # its starts are shared


def test_the_command_says_it_first(tmp_path: Path, restora: Callable[..., Any]) -> None:
    image.write(tmp_path / "in.png", torch.rand(3, 32, 32))
    words = ("restore", tmp_path / "in.png", "-o", tmp_path / "out", "--task", "denoise", "--sigma", 0.1)
    run = restora(
        *words,
        "--samples",
        2,
        "--prior",
        "natural",
        "--device",
        "cpu",
        "--set",
        "iterations=2",
        "--method",
        "mmse",
    )
    assert run.code == 0
    assert "restora: note: samples and uncertainty take about 3 times as long" in run.err


@pytest.mark.parametrize(("prior", "count"), [("natural", 1), ("faces64", 0)])
def test_colours_of_photographs_are_not_promised(prior: str, count: int) -> None:
    plan = decide("auto", prior, device="cpu")
    assert [text for text in beforehand(plan, Task("colorize", {})) if "faint, brownish" in text][
        count:
    ] == []
    assert sum("faint" in text for text in beforehand(plan, Task("colorize", {}))) == count
    assert beforehand(plan, Task("denoise", {})) == licences(plan)
    assert len(licences(plan)) == (prior == "faces64")

"""restora.runs.sizes: how many pictures are restored together, and what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from restora.errors import OptionError
from restora.pictures import image
from restora.plan import decide
from restora.runs import memory
from restora.runs.ahead import ahead
from restora.runs.batch import opened, pixels, restore
from restora.runs.items import collect
from restora.runs.sizes import Auto, BatchSize, Fixed
from restora.runs.task import Task
from restora.solvers import Solver, Step

Command = object
DENOISE = Task("denoise", {"sigma": 0.1})


@dataclass(frozen=True)
class Narrow(Solver):
    """Has room for so many pictures, and remembers how many it was given."""

    room: int = 3
    error: type[Exception] = MemoryError
    text: str = ""
    given: list[int] = field(default_factory=list)

    def steps(self, y: Tensor, *rest: object) -> Iterator[Step]:
        self.given.append(len(y))
        if len(y) > self.room:
            raise self.error(self.text)
        yield Step(1, 1, y, torch.zeros(len(y)))


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for k in range(40):
        image.write(tmp_path / "in" / f"{k:02}.png", torch.rand(3, 6, 6))
    return tmp_path / "in"


def run(folder: Path, out: Path, solver: Narrow, size: BatchSize) -> list[str]:
    items = collect([folder], out, 0)
    stream = ahead(lambda item: opened(item, DENOISE), items, pixels)
    for _ in restore(stream, decide(solver, device="cpu"), size=size):
        pass
    return [item.status for item in items]


CPU = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory: you tried to allocate"
LACKS = [(MemoryError, ""), (RuntimeError, CPU), (torch.cuda.OutOfMemoryError, "CUDA out of memory. Tried")]


@pytest.mark.parametrize(("error", "text"), LACKS)
def test_half_as_many_where_memory_runs_out(
    error: type[Exception], text: str, many: Path, tmp_path: Path
) -> None:
    solver = Narrow(3, error, text)
    assert run(many, tmp_path / "out", solver, Auto(torch.device("cpu"))) == ["done"] * 40
    assert solver.given[:5] == [8, 4, 2, 2, 4]
    assert set(solver.given[7:]) <= {2, 4, 3, 1}
    assert sum(count for count in solver.given if count <= 3) == 40


def test_one_picture_that_does_not_fit_and_errors_that_are_no_lack(many: Path, tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        run(many, tmp_path / "out", Narrow(0), Auto(torch.device("cpu")))
    with pytest.raises(MemoryError):
        run(many, tmp_path / "out", Narrow(3), Fixed(8))
    solver = Narrow(3, RuntimeError, "shapes do not match")
    with pytest.raises(RuntimeError):
        run(many, tmp_path / "out", solver, Auto(torch.device("cpu")))
    assert solver.given == [8]


def test_more_as_long_as_that_is_faster_and_fits(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("restora.runs.sizes.time.monotonic", lambda: next(clock))
    solver = Narrow(64)
    run(many, tmp_path / "1", solver, Auto(torch.device("cpu")))
    assert solver.given == [8, 16, 16]  # each batch takes one tick: twice as many are twice as fast
    monkeypatch.setattr(memory, "available", lambda device: 10)
    solver = Narrow(64)
    run(many, tmp_path / "2", solver, Auto(torch.device("cpu")))
    assert solver.given == [8] * 5


def test_peak_and_what_is_left() -> None:
    cpu = torch.device("cpu")
    assert 2**20 < memory.available(cpu) < 2**50
    with memory.Peak(cpu) as peak:
        held = torch.ones(2**24)  # 64 MiB
        del held
    assert 2**25 < peak.bytes < 2**28


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_peak_of_a_gpu() -> None:
    gpu = torch.device("cuda")
    with memory.Peak(gpu) as peak:
        torch.ones(2**24, device=gpu)
    assert 2**26 <= peak.bytes < 2**27
    assert memory.available(gpu) > 2**26


def test_words_of_the_option() -> None:
    from restora.cli.arguments import a_batch_size

    assert (a_batch_size("auto"), a_batch_size("7")) == (None, 7)
    with pytest.raises(OptionError, match="expected a whole number or auto, got 'many'"):
        a_batch_size("many")

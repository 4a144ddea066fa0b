"""A process that takes files through their doors, and tells what became of each, in time and memory."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

FINE = ("result", "error")


@dataclass
class Answer:
    """What became of a file: `kind` is result, error, or the name of a failure. seconds: of the processor."""

    kind: str
    text: str
    seconds: float
    megabytes: float


class Worker:
    """A process that takes a line "DOOR PATH" and gives an answer; it is started anew where it ended."""

    def __init__(self, seconds: float):
        self.seconds, self.process = seconds, self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, __file__]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )

    def ask(self, door: str, path: Path, megabytes: float) -> Answer:
        """A kind of "slow" or "memory" is beyond the limits."""
        assert self.process.stdin
        assert self.process.stdout
        started = time.perf_counter()
        self.process.stdin.write(f"{door} {path}\n".encode())
        # by the clock: others use the processor too, and a fresh process loads torch first
        ready, _, _ = select.select([self.process.stdout], [], [], 5 * self.seconds + 30)
        line = self.process.stdout.readline() if ready else b""
        if line:
            return self._judged(Answer(**json.loads(line)), megabytes)
        self.stop()
        code, spent = self.process.returncode, time.perf_counter() - started
        self.process = self._start()
        return Answer("crash" if ready else "hang", f"exit code {code}", spent, 0)

    def _judged(self, answer: Answer, megabytes: float) -> Answer:
        if answer.kind in FINE and answer.seconds > self.seconds:
            return replace(answer, kind="slow")
        return (
            replace(answer, kind="memory") if answer.kind in FINE and answer.megabytes > megabytes else answer
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def serve() -> None:
    """The life of a worker."""
    import torch
    from hostile_doors import DOORS

    torch.set_num_threads(1)
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # decoders print
    for line in sys.stdin:
        door, _, name = line.rstrip("\n").partition(" ")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, started = _memory("VmRSS"), time.process_time()
        kind, text = _answer(DOORS[door], Path(name))
        seconds, peak = time.process_time() - started, _memory("VmHWM") - before
        answer = {"kind": kind, "text": text, "seconds": seconds, "megabytes": peak}
        os.write(out, json.dumps(answer).encode() + b"\n")


def _answer(door: Callable[[Path], str], path: Path) -> tuple[str, str]:
    from restora.errors import RestoraError

    try:
        return "result", door(path)
    except RestoraError as error:
        return ("several lines" if "\n" in str(error) else "error"), str(error)[:300]
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)
        own = [
            f"{Path(frame.filename).name}:{frame.lineno}" for frame in where if "restora" in frame.filename
        ]
        return type(error).__name__, f"{' '.join(own[-3:])} {str(error)[:200]}"


def _memory(name: str) -> float:
    """MiB, as Linux tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


if __name__ == "__main__":
    serve()

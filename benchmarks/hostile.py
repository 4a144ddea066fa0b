"""Hostile files: 10,000 changed ones through every door that reads files, with limits of time and memory.

    python benchmarks/hostile.py --files 10000 --jobs 2
    python benchmarks/hostile.py FOLDER ...        also from the pictures of these folders

Small good files of every kind (tests/hostile/hostile_files.py) are changed: bits, lengths and values, parts
removed, cut, repeated or swapped. Each goes through its door in a worker process. A result is right, and so
is a RestoraError of one line. Any other exception is a failure, and so are a crash, a hang, and more memory
than the bound. With --keep the files that failed are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "hostile"))

SUFFIXES = (".png", ".jpg", ".tif", ".webp", ".avif")


@dataclass
class Answer:
    """What became of a file: `kind` is result, error, or the name of a failure."""

    kind: str
    text: str
    seconds: float
    megabytes: float


@dataclass
class Report:
    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0, "")
    largest: tuple[float, str] = (0, "")


class Worker:
    """A process that takes a line "DOOR PATH" and gives an answer; it is started anew where it ended."""

    def __init__(self, seconds: float):
        self.seconds, self.process = seconds, self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, __file__, "--worker"]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )

    def ask(self, door: str, path: Path) -> Answer:
        assert self.process.stdin
        assert self.process.stdout
        started = time.perf_counter()
        self.process.stdin.write(f"{door} {path}\n".encode())
        # a fresh process loads torch first
        ready, _, _ = select.select([self.process.stdout], [], [], self.seconds + 30)
        line = self.process.stdout.readline() if ready else b""
        if line:
            return Answer(**json.loads(line))
        self.stop()
        code, spent = self.process.returncode, time.perf_counter() - started
        self.process = self._start()
        return Answer("crash" if ready else "hang", f"exit code {code}", spent, 0)

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
        before, started = _memory("VmRSS"), time.perf_counter()
        kind, text = _answer(DOORS[door], Path(name))
        seconds, peak = time.perf_counter() - started, _memory("VmHWM") - before
        answer = {"kind": kind, "text": text, "seconds": seconds, "megabytes": peak}
        os.write(out, json.dumps(answer).encode() + b"\n")


def _answer(door, path: Path) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    from restora.errors import RestoraError

    try:
        return "result", door(path)
    except RestoraError as error:
        return ("several lines" if "\n" in str(error) else "error"), str(error)[:300]
    except BaseException as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)
        own = [
            f"{Path(frame.filename).name}:{frame.lineno}" for frame in where if "restora" in frame.filename
        ]
        return type(error).__name__, f"{' '.join(own[-3:])} {str(error)[:200]}"


def _memory(name: str) -> float:
    """MiB, as Linux tells."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def seeds(folder: Path, more: list[Path]) -> list[tuple[str, Path]]:
    from hostile_files import write_all

    found = [(path.parent.name, path) for path in write_all(folder)]
    pictures = [p for place in more for p in sorted(place.rglob("*")) if p.suffix.lower() in SUFFIXES]
    found += [("picture", path) for path in pictures if path.stat().st_size < 500_000]
    return found + [("write", path) for door, path in found if door == "picture"]


def work(jobs: Queue, report: Report, lock: threading.Lock, args: argparse.Namespace, folder: Path) -> None:  # type: ignore[type-arg]
    from hostile_changes import hostile
    from hostile_doors import MEGABYTES

    worker = Worker(args.seconds)
    while True:
        try:
            number, door, seed = jobs.get_nowait()
        except Empty:
            return worker.stop()
        path = folder / f"{number:06d}-{seed.name}"
        path.write_bytes(hostile(seed.read_bytes(), random.Random(args.seed * 1_000_003 + number)))
        answer = worker.ask(door, path)
        if answer.kind in ("result", "error") and answer.seconds > args.seconds:
            answer.kind = "slow"
        if answer.kind in ("result", "error") and answer.megabytes > MEGABYTES.get(door, args.megabytes):
            answer.kind = "memory"
        with lock:
            note(report, answer, f"{door} {path.name}")
            failed = answer.kind not in ("result", "error")
        if failed and args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, args.keep / f"{door}-{path.name}")
        path.unlink()


def note(report: Report, answer: Answer, name: str) -> None:
    report.kinds[answer.kind] += 1
    report.slowest = max(report.slowest, (answer.seconds, name))
    report.largest = max(report.largest, (answer.megabytes, name))
    if answer.kind not in ("result", "error"):
        report.failures.append(f"{answer.kind}: {name}: {answer.text}")
        print(report.failures[-1], flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to go on in parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="limit for one file")
    parser.add_argument("--megabytes", type=float, default=600, help="limit for one file, but a picture")
    parser.add_argument("--only", help="a door, or part of a file's name")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        serve()
        return 0
    report, lock, jobs = Report(), threading.Lock(), Queue()  # type: ignore[var-annotated]
    with tempfile.TemporaryDirectory() as place:
        good = seeds(Path(place) / "good", args.folders)
        good = [pair for pair in good if not args.only or args.only in f"{pair[0]}/{pair[1].name}"]
        for number in range(args.first, args.first + args.files):
            jobs.put((number, *good[number % len(good)]))
        bad = Path(place) / "bad"
        bad.mkdir()
        threads = [
            threading.Thread(target=work, args=(jobs, report, lock, args, bad)) for _ in range(args.jobs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"{args.files} files from {len(good)} good ones: {dict(report.kinds)}")
    print(f"slowest {report.slowest[0]:.2f} s ({report.slowest[1]})")
    print(f"most memory {report.largest[0]:.0f} MiB ({report.largest[1]})")
    print(f"failures {len(report.failures)}")
    return bool(report.failures)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())

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
import random
import shutil
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "hostile"))

from hostile_changes import hostile  # noqa: E402
from hostile_doors import MEGABYTES  # noqa: E402
from hostile_files import write_all  # noqa: E402
from hostile_worker import FINE, Answer, Worker  # noqa: E402

SUFFIXES = (".png", ".jpg", ".tif", ".webp", ".avif")


@dataclass
class Report:
    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0, "")
    largest: tuple[float, str] = (0, "")


def seeds(folder: Path, more: list[Path]) -> list[tuple[str, Path]]:
    found = [(path.parent.name, path) for path in write_all(folder)]
    pictures = [p for place in more for p in sorted(place.rglob("*")) if p.suffix.lower() in SUFFIXES]
    found += [("picture", path) for path in pictures if path.stat().st_size < 500_000]
    return found + [("write", path) for door, path in found if door == "picture"]


def work(
    jobs: Queue[Any], report: Report, lock: threading.Lock, args: argparse.Namespace, folder: Path
) -> None:
    worker = Worker(args.seconds)
    while True:
        try:
            number, door, seed = jobs.get_nowait()
        except Empty:
            return worker.stop()
        path = folder / f"{number:06d}-{seed.name}"
        path.write_bytes(hostile(seed.read_bytes(), random.Random(args.seed * 1_000_003 + number)))
        answer = worker.ask(door, path, MEGABYTES.get(door, args.megabytes))
        with lock:
            note(report, answer, f"{door} {path.name}")
        if answer.kind not in FINE and args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, args.keep / f"{door}-{path.name}")
        path.unlink()


def note(report: Report, answer: Answer, name: str) -> None:
    report.kinds[answer.kind] += 1
    report.slowest = max(report.slowest, (answer.seconds, name))
    report.largest = max(report.largest, (answer.megabytes, name))
    if answer.kind not in FINE:
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
    args = parser.parse_args()
    report, lock = Report(), threading.Lock()
    jobs: Queue[Any] = Queue()
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
    sys.exit(main())

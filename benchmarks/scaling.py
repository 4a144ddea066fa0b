"""Time and memory of `restora restore` against the number of pictures: a process for each number.

    python benchmarks/scaling.py --counts 64 640 6400 --prior faces64-dcgan --method map --set iterations=0

The pictures are draws of the prior, with a hole in the middle. Seconds are those of the whole process,
its start and the files included; memory is its peak.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from restora import load_prior
from restora.pictures.image import write


def draw(folder: Path, prior: str, count: int) -> None:
    """`count` pictures of what the prior draws."""
    model, generator = load_prior(prior), torch.Generator().manual_seed(0)
    for first in range(0, count, 256):
        for i, x in enumerate(model.sample(min(256, count - first), generator)):
            write(folder / f"{first + i:05}.png", x)


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and MiB of a process, which must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--counts", nargs="+", type=int, default=[64, 640, 6400], metavar="N")
    parser.add_argument("--prior", default="faces64-dcgan")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    own = ["--task", "inpaint", "--hole", "center", "--method", args.method, "--prior", args.prior]
    own += [word for setting in args.set for word in ("--set", setting)]
    print("| pictures | s | ms/picture | peak MiB |\n| ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        for count in args.counts:
            source, target = Path(name, f"{count}"), Path(name, f"{count}-restored")
            source.mkdir()
            draw(source, args.prior, count)
            command = [sys.executable, "-m", "restora", "restore", str(source), "-o", str(target), *own]
            seconds, memory = measure(command)
            print(f"| {count} | {seconds:.1f} | {1000 * seconds / count:.1f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()

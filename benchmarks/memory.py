"""Time and peak memory of `restora restore` on one whole photo, in a process of its own.

    python benchmarks/memory.py --size 4000x3000 --task denoise --sigma 0.1
    python benchmarks/memory.py --size 4000x3000 --minutes 5 --task superres --scale 2

The photo is scikit-image's astronaut, repeated to WIDTHxHEIGHT, with a little noise; what is not an option
here is one of `restora restore`. With --minutes a run is stopped there: between two pieces memory does not
grow, but writing the result then is not in the number.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from restora.pictures.image import write


def photo(width: int, height: int) -> torch.Tensor:
    """(3, height, width) in [0, 1]."""
    from skimage.data import astronaut

    one = astronaut()
    rows, columns = (-(-side // own) for side, own in zip((height, width), one.shape, strict=False))
    pixels = torch.from_numpy(np.tile(one, (rows, columns, 1))[:height, :width]).permute(2, 0, 1) / 255
    return pixels + 0.02 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))


def measure(command: list[str], minutes: float | None) -> tuple[float, float, str]:
    """Seconds, MiB, and what became of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    stop = threading.Timer(60 * (minutes or threading.TIMEOUT_MAX / 60), process.kill)
    stop.daemon = True
    stop.start()
    _, status, usage = os.wait4(process.pid, 0)
    stop.cancel()
    seconds = time.perf_counter() - start
    stopped = minutes is not None and seconds >= 60 * minutes
    if status and not stopped:
        raise SystemExit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss / 1024, "stopped" if stopped else "done"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="4000x3000", metavar="WIDTHxHEIGHT", help="of the photo")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop then")
    args, own = parser.parse_known_args()
    width, height = map(int, args.size.split("x"))
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        write(Path("photo.png"), photo(width, height))
        command = [sys.executable, "-m", "restora", "restore", "photo.png", "-o", "out", *own]
        seconds, memory, state = measure(command, args.minutes)
    print(f"{args.size}, {' '.join(own)}: {memory:.0f} MiB at most, {state} after {seconds:.0f} s")


if __name__ == "__main__":
    main()

"""PSNR, SSIM and seconds of one method and prior on the five tasks, through the command line.

    python benchmarks/five_tasks.py ../shared/faces/test --every 4

Every observation is an 8-bit file made by `restora degrade`, and restored by `restora restore`. Options that
this script does not know go to `restora restore`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import tempfile
from pathlib import Path

import torch

from restora import image, metrics
from restora.cli import main
from restora.files import MANIFEST

TASKS = {
    "inpaint": ["--hole", "center"],
    "colorize": [],
    "superres": ["--scale", "4"],
    "denoise": ["--sigma", "0.1"],
    "dequantize": ["--levels", "5"],
}


def run(arguments: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(arguments)
    if code:
        raise SystemExit(code)


def row(task: str, options: list[str], clean: Path, work: Path, restore_options: list[str]) -> str:
    observed, restored = work / f"{task}-observed", work / f"{task}-restored"
    run(["degrade", str(clean), "-o", str(observed), "--task", task, *options])
    run(["restore", str(observed), "-o", str(restored), "--task", task, *options, *restore_options])
    files = sorted(clean.iterdir())
    truth = torch.stack([image.read(path, 3).pixels for path in files])
    found = torch.stack([image.read(restored / f"{path.stem}.png", 3).pixels for path in files])
    entries = json.loads((restored / MANIFEST).read_text())["files"].values()
    seconds = sum(entry["seconds"] for entry in entries) / len(files)
    psnr, ssim = metrics.mean(metrics.psnr(found, truth)), metrics.mean(metrics.ssim(found, truth))
    return (
        f"| {task} | {psnr.value:.2f} ± {psnr.half_width:.2f} | {ssim.value:.3f} ± {ssim.half_width:.3f} "
        f"| {seconds:.2f} |"
    )


def table() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="take every K-th file, by name")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the pictures here")
    args, restore_options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.keep or Path(temporary)
        clean = work / "clean"
        clean.mkdir(parents=True)
        files = sorted(p for p in args.data.iterdir() if p.suffix.lower() in image.SUFFIXES)[:: args.every]
        for path in files:
            shutil.copy(path, clean)
        options = " ".join(restore_options) or "defaults"
        print(f"{len(files)} images, {torch.get_num_threads()} threads, {options}")
        print("| task | PSNR dB | SSIM | s an image |\n|---|---|---|---|")
        for task in args.tasks:
            print(row(task, TASKS[task], clean, work, restore_options), flush=True)


if __name__ == "__main__":
    table()

"""How fast, how small and how safe `restora restore` is over many images; each command prints its numbers.

    python benchmarks/reliability.py rate                  images/s of a run, against the bare solver loop
    python benchmarks/reliability.py ray                   images/s of two Ray actors, against one process
    python benchmarks/reliability.py busy                  slowdown beside a process that keeps a core busy
    python benchmarks/reliability.py memory                peak memory at 1,000 and at 10,000 images
    python benchmarks/reliability.py faults                kill -9 at random moments, and what was lost
    python benchmarks/reliability.py faults --engine ray   the same with Ray actors that are killed
    python benchmarks/reliability.py faults --engine nodes the same with whole nodes of a Ray cluster

Pictures are random, since what is measured is the run. Each command works in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

CHEAP = ["--task", "superres", "--scale", "2", "--method", "bicubic", "--device", "cpu"]
SLOW = ["--task", "denoise", "--sigma", "0.1", "--method", "tv", "--device", "cpu", "--batch-size", "16"]
NETWORK = ["--task", "denoise", "--sigma", "0.1", "--prior", "natural", "--device", "cpu"]


def pictures(folder: Path, count: int, side: int) -> Path:
    """Random ones."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for k in range(count):
        array = noise.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(array).save(folder / f"{k:06}.png", compress_level=1)
    return folder


def command(source: Path, out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "restora", "restore", str(source), "-o", str(out), *words]


def run(source: Path, out: Path, words: list[str], skip: int = 0) -> tuple[float, int]:
    """A run: its seconds, and how many images; `skip`: from the end of so many on, once actors run."""
    from restora.cli.commands import build_parser
    from restora.cli.engines import make_engine
    from restora.cli.restore import make_work
    from restora.runs.engines import Following
    from restora.runs.items import Inputs
    from restora.runs.manifest import Manifest
    from restora.runs.work import Call

    args = build_parser(["restore"]).parse_args(["restore", str(source), "-o", str(out), *words])
    work = make_work(args, None)
    inputs = Inputs([source], out, 0)
    times = [time.monotonic()]
    with Manifest(out, work.settings) as manifest:
        manifest.begin(inputs)
        calls = (Call(i, s, inputs.name(i), None) for i, s in enumerate(inputs.sources))
        done = lambda item: manifest.record([item])  # noqa: E731
        for ended in make_engine(args).run(work, partial(make_work, args, None), calls, Following(done=done)):
            manifest.record(ended)
            times += [time.monotonic()] * len(ended)
    return times[-1] - times[skip], len(times) - 1 - skip


def bare(source: Path, words: list[str]) -> tuple[float, int]:
    """The solver alone, on pictures that are in memory."""
    import torch

    from restora.cli.commands import build_parser
    from restora.cli.restore import make_work
    from restora.cli.ways import way_of
    from restora.pictures import image

    args = build_parser(["restore"]).parse_args(["restore", str(source), "-o", "unused", *words])
    work, size = make_work(args, None), args.batch_size
    degradation = way_of(args).task.degradation([{}])
    y = torch.stack([image.read(path).pixels for path in sorted(source.iterdir())])
    start = time.monotonic()
    for part in y.split(size):
        for _ in work.plan.run(part, degradation):
            pass
    return time.monotonic() - start, len(y)


def rate(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    source = pictures(folder / "in", args.count, args.side)
    network = [*NETWORK, "--batch-size", str(args.batch)]
    bare(source, network)
    pairs = []
    for k in range(args.repeat):
        whole, alone = run(source, folder / f"out{k}", network), bare(source, network)
        pairs.append((whole[1] / whole[0], alone[1] / alone[0]))
    ours, solver = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    yield f"restore: {ours:.1f} images/s; bare solver loop: {solver:.1f} images/s; ratio {ratio:.2f}"


def ray(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    source = pictures(folder / "in", args.count, args.side)
    words = {"local": NETWORK, "ray": [*NETWORK, "--engine", "ray", "--workers", "2"]}
    speed = {}
    for name, own in words.items():
        seconds, count = run(source, folder / name, own, skip=2 * args.batch)
        speed[name] = count / seconds
        yield f"{name}: {speed[name]:.1f} images/s"
    same = all(
        (folder / "ray" / p.name).read_bytes() == p.read_bytes() for p in (folder / "local").glob("*.png")
    )
    yield f"ratio {speed['ray'] / speed['local']:.2f}; same bytes: {same}"


def solve(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Prints the seconds of the bare loop; `busy` starts it in processes of their own."""
    source = pictures(folder / "in", 8, 128)
    bare(source, NETWORK)
    seconds, _ = bare(source, NETWORK)
    yield f"{seconds}"


def busy(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    for policy in ("passive", "active"):
        own = {**os.environ, "OMP_WAIT_POLICY": policy}
        own.pop("OMP_NUM_THREADS", None)
        found: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(args.repeat):
            for beside in found:
                other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if beside else None
                try:
                    words = [sys.executable, __file__, "solve"]
                    printed = subprocess.run(
                        words, env=own, capture_output=True, text=True, check=True
                    ).stdout
                finally:
                    if other:
                        other.kill()
                        other.wait()
                found[beside].append(float(printed))
        alone, loaded = (statistics.median(values) for values in found.values())
        told = " (what restora sets)" if policy == "passive" else " (OpenMP's spinning)"
        times = f"alone {alone:.2f} s, beside a busy core {loaded:.2f} s"
        yield f"{policy}{told}: {times}, {loaded / alone:.2f} times"


def memory(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    peaks = []
    for count in (1000, 10000):
        source = pictures(folder / f"in{count}", count, 16)
        start = time.monotonic()
        process = subprocess.Popen(command(source, folder / f"out{count}", *CHEAP), stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        peaks.append(usage.ru_maxrss / 1024)
        yield f"{count} images: {peaks[-1]:.0f} MiB, {time.monotonic() - start:.0f} s"
    yield f"difference {100 * (peaks[1] / peaks[0] - 1):.1f} %"


def finished(out: Path) -> dict[str, int]:
    """The results that manifest and journals call done, and when they were written."""
    entries = (
        [json.loads((out / "restora.json").read_text())["files"]] if (out / "restora.json").exists() else []
    )
    for path in out.glob(".restora-*.journal"):
        with contextlib.suppress(FileNotFoundError):  # its lines are in the manifest meanwhile
            lines = [line for line in path.read_text().splitlines()[1:] if line.endswith("]")]
            entries.append(dict(json.loads(line) for line in lines))
    names = {n for files in entries for e in files.values() if e["status"] == "done" for n in e["outputs"]}
    return {name: (out / name).stat().st_mtime_ns for name in names}


def actors() -> list[int]:
    """The processes of Ray actors that restore."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"MapWorker(MapBatches(Actor))" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


class Victims:
    """What is killed: the process of the run, an actor, or a node and all that runs on it."""

    words: tuple[str, ...] = ()

    def kill(self, process: subprocess.Popen[bytes]) -> int:
        """How many were killed."""
        os.kill(process.pid, signal.SIGKILL)
        return 1

    def close(self) -> None:
        """All that was started ends."""


class Actors(Victims):
    words = ("--engine", "ray", "--workers", "2")

    def kill(self, process: subprocess.Popen[bytes]) -> int:
        first = actors()[:1]
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        return len(first)


class Nodes(Victims):
    """A cluster of a head and a node on this machine. The node is killed, and another takes its place."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        self.node = self.cluster.add_node(num_cpus=1)
        self.words = ("--engine", "ray", "--workers", "2", "--address", self.cluster.address)

    def kill(self, process: subprocess.Popen[bytes]) -> int:
        self.cluster.remove_node(self.node, allow_graceful=False)
        self.node = self.cluster.add_node(num_cpus=1)
        return 1

    def close(self) -> None:
        self.cluster.shutdown()


def faults(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    victims = {"local": Victims, "ray": Actors, "nodes": Nodes}[args.engine]()
    try:
        yield from _faults(args, folder, victims)
    finally:
        victims.close()


def _faults(args: argparse.Namespace, folder: Path, victims: Victims) -> Iterator[str]:
    source, out, chance = pictures(folder / "in", args.count, 48), folder / "out", random.Random(args.seed)
    redone = kills = 0
    known: dict[str, int] = {}
    words = [*SLOW, *victims.words]
    while kills < args.kills:
        process = subprocess.Popen(
            command(source, out, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not list(out.glob(".restora-*.journal")) and process.poll() is None:
            time.sleep(0.01)
        while process.poll() is None and kills < args.kills:
            time.sleep(chance.uniform(0, args.seconds))
            known |= finished(out)
            kills += victims.kill(process)
        process.wait()
        redone += sum((out / name).stat().st_mtime_ns != written for name, written in known.items())
        known = finished(out)
        if len(known) == args.count:  # all is done: begin again
            yield f"{kills} kills: all {args.count} done; the folder is emptied"
            check(source, out)
            known = {}
            for path in out.iterdir():
                path.unlink()
    subprocess.run(
        command(source, out, *SLOW), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    redone += sum((out / name).stat().st_mtime_ns != written for name, written in known.items())
    lost = check(source, out)
    yield f"{kills} faults injected; {lost} outputs lost or half-written; {redone} finished images done again"


def check(source: Path, out: Path) -> int:
    """How many results are missing, cannot be read, or are not in the manifest; and what else is there."""
    from PIL import Image

    names = {path.name for path in source.iterdir()}
    files = json.loads((out / "restora.json").read_text())["files"]
    done = {name for entry in files.values() if entry["status"] == "done" for name in entry["outputs"]}
    wrong = len(names - done) + len({path.name for path in out.iterdir()} - names - {"restora.json"})
    for name in names:
        try:
            Image.open(out / name).load()
        except OSError:
            wrong += 1
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known: dict[str, Any] = {f.__name__: f for f in (rate, ray, busy, memory, faults, solve)}
    parser.add_argument("what", choices=known)
    parser.add_argument("--count", type=int, default=500, help="images (500)")
    parser.add_argument("--side", type=int, default=64, help="pixels a side, for rate and ray (64)")
    parser.add_argument("--batch", type=int, default=64, help="images a batch, for rate and ray (64)")
    parser.add_argument("--repeat", type=int, default=3, help="for rate and busy; the median counts (3)")
    parser.add_argument("--kills", type=int, default=50, help="faults that are injected (50)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of work before a fault, at most (1)")
    parser.add_argument("--engine", choices=("local", "ray", "nodes"), default="local")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.what != "busy" and args.what != "solve":
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        for line in known[args.what](args, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()

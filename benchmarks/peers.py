"""restora against deepinv's own solvers: the same prior, the same images, one process.

    make test-interop      # once: an environment that has deepinv
    .venv-interop/bin/python benchmarks/peers.py ../shared/faces/test ../shared/faces/val -o runs/peers

Every solver of deepinv takes the prior as its denoiser (`interop.to_denoiser`), the degradation as its
physics (`interop.to_physics`), and those of its settings that are best on images of the second folder.
Methods of restora run as they are. Observations have Gaussian noise of 0.01; no A has a norm above 1. Results
are kept in DIR/peers.json; --again makes them anew. DDRM needs singular values: it runs where deepinv has a
physics with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import deepinv as dinv
import numpy as np
import torch
from deepinv.optim.dpir import DPIR
from deepinv.optim.prior import RED, PnP
from torch import Tensor

from restora import interop, load_prior, metrics, restore
from restora.degradations import Blur, Degradation, Downsample, Grayscale, Mask
from restora.noise import GaussianNoise
from restora.operators import FourierMask, Gain, Matrix, Operator, Radon
from restora.pictures import image
from restora.random import generators

SIGMA = 0.01
Settings = dict[str, Any]
Solve = Callable[[Tensor, Degradation, Settings], Tensor]


def rays(side: int) -> Operator:
    """60 angles, divided by the norm of A, which power iterations give."""
    plain, x = Radon(side, 60), torch.rand(1, 1, side, side)
    for _ in range(30):
        x = plain.adjoint(plain(x / x.norm()))
    return Gain(torch.full((1, 1, 1, 1), float(x.norm()) ** -0.5)) @ plain


def sensing(side: int) -> Operator:
    """A quarter as many sums as values: orthonormal rows, of a Gaussian matrix."""
    rows = torch.randn(3 * side**2, 3 * side**2 // 4, generator=torch.Generator().manual_seed(0))
    return Matrix(torch.linalg.qr(rows).Q.T.contiguous(), (3, side, side))


TASKS: dict[str, Callable[[int], Degradation]] = {
    "hole": lambda side: Mask.center((side, side), sigma=SIGMA),
    "pixels": lambda side: Mask.pixels((side, side), sigma=SIGMA),
    "superres": lambda side: Downsample(4, sigma=SIGMA),
    "colorize": lambda side: Grayscale(sigma=SIGMA),
    "deblur": lambda side: Blur(boundary="circular", sigma=SIGMA),
    "deblur-reflect": lambda side: Blur(sigma=SIGMA),
    "mri": lambda side: Degradation(FourierMask.lines((side, side), 4), GaussianNoise(SIGMA)),
    "radon": lambda side: Degradation(rays(side), GaussianNoise(SIGMA)),
    "sensing": lambda side: Degradation(sensing(side), GaussianNoise(SIGMA)),
}


class Peers:
    """deepinv's solvers with one denoiser. Each has settings to choose from, and makes a reconstructor."""

    def __init__(self, denoiser: Any, steps: int):
        self.denoiser, self.steps = denoiser, steps
        self.fidelity = dinv.optim.data_fidelity.L2()

    def dps(self, weight: float, guidance: str) -> Any:
        return dinv.sampling.DPS(self.denoiser, num_steps=self.steps, weight=weight, guidance=guidance)

    def diffpir(self, lambda_: float, zeta: float) -> Any:
        return dinv.sampling.DiffPIR(
            self.denoiser, self.fidelity, sigma=SIGMA, max_iter=self.steps, zeta=zeta, lambda_=lambda_
        )

    def ddrm(self, eta: float) -> Any:
        return dinv.sampling.DDRM(self.denoiser, sigmas=np.linspace(1, 0, self.steps), eta=eta)

    def dpir(self, sigma: float) -> Any:
        return DPIR(sigma, self.denoiser)

    def hqs(self, first: float, last: float) -> Any:
        levels = np.geomspace(first, last, 20).tolist()
        return dinv.optim.HQS(
            prior=PnP(self.denoiser),
            data_fidelity=self.fidelity,
            stepsize=[(level / SIGMA) ** 2 / 0.23 for level in levels],
            sigma_denoiser=levels,
            max_iter=len(levels),
        )

    def pgd(self, sigma: float) -> Any:
        return dinv.optim.PGD(
            prior=PnP(self.denoiser),
            data_fidelity=self.fidelity,
            stepsize=1.0,
            sigma_denoiser=sigma,
            max_iter=self.steps,
        )

    def red(self, step: float, sigma: float) -> Any:
        return dinv.optim.PGD(
            prior=RED(self.denoiser),
            data_fidelity=self.fidelity,
            stepsize=step,
            lambda_reg=1 / step,
            sigma_denoiser=sigma,
            max_iter=self.steps,
            g_first=True,
        )


GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "DPS": {"weight": (1.0, 3.0, 10.0), "guidance": ("annealed",)},
    "DiffPIR": {"lambda_": (1.0, 7.0, 20.0), "zeta": (0.3, 1.0)},
    "DDRM": {"eta": (0.5, 0.85, 1.0)},
    "DPIR": {"sigma": (0.005, 0.01, 0.02, 0.04)},
    "HQS": {"first": (0.5, 0.2), "last": (0.01, 0.03)},
    "PGD": {"sigma": (0.01, 0.03, 0.1)},
    "RED": {"step": (2.0, 20.0), "sigma": (0.02, 0.1)},
}


def physics_for(method: str, degradation: Degradation, shape: tuple[int, int, int]) -> Any:
    """The degradation as a physics; for DDRM deepinv's own, or None where it has none."""
    if method != "DDRM":
        return interop.to_physics(degradation, shape)
    noise, kernel = dinv.physics.GaussianNoise(SIGMA), degradation.operator.kernel
    if degradation.operator.mask is not None:
        return dinv.physics.Inpainting(
            shape, mask=degradation.operator.mask[0].expand(shape), noise_model=noise
        )
    if kernel is not None and getattr(degradation.operator, "boundary", "") == "circular":
        return dinv.physics.BlurFFT(shape, kernel[None, None], noise_model=noise)
    return None


def read(folder: Path, count: int) -> Tensor:
    """`count` evenly spaced files of the folder, in name order, (count, 3, H, W)."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    return torch.stack([image.load(files[k * len(files) // count]).picture().pixels for k in range(count)])


def psnr(x: Tensor, truth: Tensor) -> float:
    return float(metrics.peak_ratio(*metrics.rounded(x.clamp(0, 1).float(), truth, 8)).mean())


def settings_of(method: str) -> Iterator[Settings]:
    grid = GRIDS[method]
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def peer(method: str, peers: Peers, physics: Any, y: Tensor, settings: Settings) -> Tensor:
    torch.manual_seed(0)
    model = getattr(peers, method.lower())(**settings)
    with torch.set_grad_enabled(method == "DPS"):
        return model(y, physics).detach()


def run(task: str, method: str, args: argparse.Namespace, prior: Any) -> dict[str, Any] | None:
    """PSNR on the test images, CPU seconds an image and the settings; None where the method has no answer."""
    test, val = read(args.test, args.count), read(args.val, args.tune)
    shape = (3, test.shape[-2], test.shape[-1])
    degradation = TASKS[task](shape[1])
    y, y_val = (degradation(x, generators(0, len(x))) for x in (test, val))
    settings: Settings = {}
    if method not in GRIDS:
        solve: Callable[[], Tensor] = lambda: restore(y, degradation, method=method, prior=prior).image  # noqa: E731
    else:
        peers = Peers(interop.to_denoiser(prior), args.steps)
        physics = physics_for(method, degradation, shape)
        if physics is None:
            return None
        scores = [(psnr(peer(method, peers, physics, y_val, s), val), s) for s in settings_of(method)]
        settings = max((s for s in scores if np.isfinite(s[0])), key=lambda pair: pair[0])[1]
        solve = lambda: peer(method, peers, physics, y, settings)  # noqa: E731
    start = time.process_time()
    found = solve()
    return {
        "psnr": round(psnr(found, test), 3),
        "seconds": round((time.process_time() - start) / len(test), 3),
        "settings": settings,
        "images": len(test),
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """PSNR and CPU seconds an image, a row for each method."""
    tasks = [task for task in TASKS if task in results]
    methods = list(dict.fromkeys(method for task in tasks for method in results[task]))
    lines = ["| method | " + " | ".join(tasks) + " |", "|---" * (len(tasks) + 1) + "|"]
    for method in methods:
        cells = (results[task].get(method) for task in tasks)
        words = (f"{cell['psnr']:.2f} ({cell['seconds']:.2g})" if cell else "–" for cell in cells)
        lines.append(f"| {method} | {' | '.join(words)} |")
    return "\n".join(lines)


def main() -> None:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("--steps", type=int, default=100, help="of DPS, DiffPIR, DDRM, PGD and RED")
    parser.add_argument("test", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/peers"))
    parser.add_argument("--prior", default="faces64")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--ours", default="auto", help="methods of restora, with commas")
    parser.add_argument("--peers", default=",".join(GRIDS))
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--tune", type=int, default=4)
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    kept = args.output / "peers.json"
    results: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    prior = load_prior(args.prior)
    for task in args.tasks.split(","):
        for method in filter(None, (args.ours + "," + args.peers).split(",")):
            if method in results.setdefault(task, {}) and not args.again:
                continue
            start = time.monotonic()
            results[task][method] = run(task, method, args, prior)
            kept.write_text(json.dumps(results, indent=1))
            print(task, method, results[task][method], f"{time.monotonic() - start:.0f} s", flush=True)
    print(table(results))


if __name__ == "__main__":
    main()

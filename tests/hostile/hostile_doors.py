"""The doors by which files come in: each takes the path of a file of its kind, and tells of the result."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

import restora

MEGAPIXELS = 4.0
MOST = int(MEGAPIXELS * 1e6)


def picture(path: Path) -> str:
    """Read and inspected."""
    from restora.inspection import inspector
    from restora.pictures import image
    from restora.pictures.file import File

    file = File(path)
    document = image.load(file, path.name, MOST, partial=True)
    inspector.inspect(document.picture(), head=file.head)
    return f"{len(document)} of {document.picture().size}"


def write(path: Path) -> str:
    """Written with all that it carries."""
    from restora.pictures import image
    from restora.pictures.formats import of_result
    from restora.pictures.result import Result

    document = image.load(path, path.name, MOST, partial=True)
    found = [document.picture(i) for i in range(len(document))]
    format = of_result(document.format, document.has_alpha, False)
    with tempfile.TemporaryDirectory() as place:
        suffix = ".tif" if len(found[0].pixels) not in (1, 3) else format.suffix
        result = Result(Path(place) / f"result{suffix}", document)
        for i, plane in enumerate(found):
            result.add(i, plane.pixels)
        result.write()
    return f"{len(document)} of {found[0].size}"


def mask(path: Path) -> str:
    from restora.pictures import masks

    return str(masks.read_mask(path, max_pixels=MOST).mean().item())


def kernel(path: Path) -> str:
    from restora.pictures.kernel import read_kernel

    return str(tuple(read_kernel(path).shape))


def manifest(path: Path) -> str:
    """As of an earlier run into the folder."""
    from restora.runs.items import Inputs
    from restora.runs.manifest import Manifest

    with tempfile.TemporaryDirectory() as place:
        picture, folder = Path(place, "a.png"), Path(place, "out")
        folder.mkdir()
        Image.new("L", (8, 8)).save(picture)
        shutil.copy(path, folder / "restora.json")
        inputs = Inputs([picture], folder, 0)
        with Manifest(folder, {"task": "denoise"}) as found:
            found.begin(inputs)
            return str(sum(not found.keep(item) for item in inputs))


def bench(path: Path) -> str:
    """As of an earlier benchmark in the folder."""
    from restora.bench import store

    if path.suffix == ".json":
        return str(store._read_json(path))[:40]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / store.CELLS / "denoise").mkdir(parents=True)
        shutil.copy(path, Path(place) / store.CELLS / "denoise" / "tv.jsonl")
        cell = store.CellFile(Path(place), "denoise", "tv", {}, False)
        cell.keep([["a"]])
        return str(len(cell.batches))


def data(path: Path) -> str:
    from restora.training import data as training

    images, errors = training.load([path], 16)
    return f"{len(images)} images, {len(errors)} errors"


def prior(path: Path) -> str:
    from restora.priors import GANPrior, store

    with tempfile.TemporaryDirectory() as place:
        shutil.copy(path, Path(place) / store.WEIGHTS)
        found = store.load(place)
        if not isinstance(found, GANPrior):  # whose search takes seconds
            restora.restore(
                torch.rand(1, found.image_shape[0], 8, 8), restora.AdditiveNoise(0.1), prior=found
            )
        return str(found.image_shape)


def checkpoint(path: Path) -> str:
    from restora.training import checkpoint as training

    return str(len(training.load(path)))


def imported(path: Path) -> str:
    from restora.priors import importing

    program = path.suffix in (".ts", ".onnx")
    options = {"convention": "ve"} if program else {"check": False}
    found, _ = importing.denoiser(path, gaussian="none", **options)  # type: ignore[arg-type]
    with torch.no_grad():
        return str(tuple(found.denoise(torch.rand(1, *found.image_shape), 0.9).shape))


MEGABYTES = {"picture": 600, "write": 2000}
"""The bound of memory of a door; an encoder may take much for long and narrow pictures."""
DOORS: dict[str, Callable[[Path], str]] = {
    "picture": picture,
    "write": write,
    "mask": mask,
    "kernel": kernel,
    "manifest": manifest,
    "bench": bench,
    "data": data,
    "prior": prior,
    "checkpoint": checkpoint,
    "import": imported,
}

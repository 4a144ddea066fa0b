"""Columns that need a trained network: there where its packages are installed; nothing is downloaded.

They are computed from the restored pictures that the folder keeps, so they can be added later.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.bench import frechet, identity
from restora.bench.run import Cell
from restora.bench.store import plain
from restora.errors import OptionError
from restora.pictures.atomic import atomic
from restora.registry import Registry

Images = Sequence[Tensor]


class Column:
    """Built for the true images, N of (3, H, W); called with restorations of some of them, rows `index`.

    `title` stands over the column, `meaning` below the table. `one_size`: all images must have the same.
    """

    title: str
    meaning: str
    decimals: int = 2
    one_size: bool = True
    needs: Sequence[str]

    def __init__(self, truth: Images):
        raise NotImplementedError

    def __call__(self, x: Images, index: Sequence[int]) -> list[float] | float | None:
        """One value an image, or one for all; None where there are too few."""
        raise NotImplementedError

    @classmethod
    def is_installed(cls) -> bool:
        return all(importlib.util.find_spec(name) for name in cls.needs)

    @classmethod
    def suits(cls, truth: Images) -> bool:
        """Whether it means something for such images."""
        return True

    @classmethod
    def refusal(cls, truth: Images) -> str:
        """What they lack, or nothing."""
        if truth[0].shape[0] != 3:
            return "needs colour images"
        return "needs images of one size" if cls.one_size and len({x.shape for x in truth}) > 1 else ""


class Frechet(Column):
    title, needs = "Fréchet", frechet.NEEDS
    meaning = "Fréchet distance in EfficientNet-Lite0 features; it falls with the number of images"

    def __init__(self, truth: Images):
        self.network = frechet.backbone()
        self.truth = frechet.features(self.network, _stack(truth))

    def __call__(self, x: Images, index: Sequence[int]) -> float | None:
        """To the true images of the same rows."""
        if len(x) < 2:
            return None
        return frechet.frechet(frechet.features(self.network, _stack(x)), self.truth[index])


class Identity(Column):
    title, needs, decimals = "identity", identity.NEEDS, 3
    meaning = "cosine of dlib's face descriptors; about 0.85 for another person"

    def __init__(self, truth: Images):
        self.network = identity.network()
        self.truth = identity.descriptors(self.network, _stack(truth))

    def __call__(self, x: Images, index: Sequence[int]) -> list[float]:
        found = identity.descriptors(self.network, _stack(x))
        return F.cosine_similarity(found, self.truth[index]).tolist()

    @classmethod
    def suits(cls, truth: Images) -> bool:
        return truth[0].shape[-1] == truth[0].shape[-2] and identity.show_faces(_stack(truth[:16]))


class Lpips(Column):
    """Where the package lpips and its backbone are here already: torchvision's AlexNet in torch's cache."""

    title, needs, decimals, one_size = "LPIPS", ("lpips", "torchvision"), 3, False
    meaning = "learned perceptual image patch similarity, AlexNet; 0 for equal images"
    weights = "checkpoints/alexnet-owt-7be5be79.pth"

    def __init__(self, truth: Images):
        import lpips

        self.network, self.truth = lpips.LPIPS(net="alex", verbose=False).eval(), truth

    @torch.no_grad()
    def __call__(self, x: Images, index: Sequence[int]) -> list[float]:
        pairs = [(a[None], self.truth[i][None]) for a, i in zip(x, index, strict=True)]
        return [self.network(a, b, normalize=True).item() for a, b in pairs]

    @classmethod
    def is_installed(cls) -> bool:
        return super().is_installed() and (Path(torch.hub.get_dir()) / cls.weights).exists()


columns: Registry[type[Column]] = Registry("perceptual column")
columns.register("frechet", Frechet)
columns.register("identity", Identity)
columns.register("lpips", Lpips)


def choose(names: Sequence[str] | None, truth: Images) -> tuple[dict[str, type[Column]], list[str]]:
    """The columns called `names`, or for None those that are installed and suit the images; and a line for
    each that cannot be had of them.

    UnknownNameError for a name that is none, OptionError for one whose parts are not here.
    """
    wanted = [name for name, cls in columns if cls.is_installed()] if names is None else names
    chosen = {name: columns.get(name) for name in wanted}
    for name, cls in chosen.items():
        if not cls.is_installed():
            raise OptionError(
                f"{name!r} needs {' and '.join(cls.needs)} with its weights, which are not here; "
                "pip install 'restora[bench]', or leave it out",
                "perceptual",
            )
    refused = {name: reason for name, cls in chosen.items() if (reason := cls.refusal(truth))}
    fitting = {name: cls for name, cls in chosen.items() if name not in refused}
    suited = {name: cls for name, cls in fitting.items() if names is not None or cls.suits(truth)}
    return suited, [f"perceptual column {name!r}: {reason}" for name, reason in refused.items()]


class Perceptual:
    """The chosen columns; a network is built when the first cell needs it."""

    def __init__(self, chosen: dict[str, type[Column]], truth: Images, names: Sequence[str]):
        self.chosen, self.truth = chosen, truth
        self.index = {name: i for i, name in enumerate(names)}
        self._built: dict[str, Column] = {}

    def add(self, cell: Cell) -> None:
        """Give a finished cell its values: kept ones, where they are of the same restorations."""
        if cell.file is None or not cell.good:
            return
        names = [row["name"] for row in cell.good]
        path = cell.file.path.with_suffix(".perceptual.json")
        stamp = plain({"rows": [[row["name"], row["psnr"], row["seconds"]] for row in cell.good]})
        kept = _read(path, stamp)
        missing = [name for name in self.chosen if name not in kept]
        if missing:
            x = [cell.file.read_picture(name) for name in names]
            index = [self.index[name] for name in names]
            kept |= {name: self._column(name)(x, index) for name in missing}
            with atomic(path) as part:
                part.write_text(json.dumps({**stamp, "values": kept}), encoding="utf-8")
        cell.perceptual = {name: kept[name] for name in self.chosen}

    def _column(self, name: str) -> Column:
        if name not in self._built:
            self._built[name] = self.chosen[name](self.truth)
        return self._built[name]


def _stack(images: Images) -> Tensor:
    return torch.stack(list(images))


def _read(path: Path, stamp: dict[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content["values"] if content["rows"] == stamp["rows"] else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}

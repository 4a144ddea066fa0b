"""Online dictionary learning: atoms in which the patches of the images are sparse.

    D = argmin_D E min_alpha |p - D^T alpha|^2,   |alpha|_0 <= sparsity,   atoms of unit norm

Each step codes some patches, adds their statistics A = sum alpha alpha^T and B = sum alpha p^T, with those of
earlier steps slowly forgotten, and improves every atom in turn, d_j <- d_j + (B_j - A_j D) / A_jj. Source:
Mairal, Bach, Ponce and Sapiro, ICML 2009, with orthogonal matching pursuit for the codes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import OptionError
from restora.options import option
from restora.pictures.tiff import MAX_CHANNELS
from restora.priors.dictionary import DictionaryPrior, centre, omp
from restora.priors.store import save
from restora.training.checkpoint import check_settings
from restora.training.data import Batches
from restora.training.loop import Trainer
from restora.training.settings import CHANNELS, CPU, CROP, Settings
from restora.training.squares import Images, as_squares

FORGET = 2.0
RARE = 1e-3
TENSORS = ("atoms", "A", "B")


@dataclass(frozen=True)
class DictionaryConfig(Settings):
    """Settings of `restora train dictionary`."""

    size: int = option(64, "side of the images in pixels", 2)
    channels: int = option(3, CHANNELS, 1, MAX_CHANNELS)
    crop: bool = option(False, CROP)
    atoms: int = option(512, "number of atoms", 1)
    patch: int = option(8, "side of a patch in pixels", 2)
    sparsity: int = option(5, "atoms per patch while learning", 1)
    patches: int = option(32, "patches per image", 1)
    passes: int = option(1, "passes over the images", 1)
    batch: int = option(64, "images per step", 1)
    seed: int = option(0, "random seed", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch > self.size:
            raise OptionError(
                f"expected at most the size of the images, {self.size}, got {self.patch}", "patch"
            )
        if self.batch * self.patches < self.atoms:
            raise OptionError(
                f"a batch needs at least as many patches as there are atoms, {self.atoms}, got "
                f"{self.batch} images of {self.patches} patches each",
                "batch",
            )


class DictionaryTrainer(Trainer):
    """A patch dictionary for sparse coding; takes a minute or two."""

    Config = DictionaryConfig
    needs_budget = False

    def __init__(self, config: DictionaryConfig, images: Images, device: torch.device = CPU):
        images = as_squares(images, config.size, config.seed)
        self.config, self.device, self.images_seen, self.count = config, device, 0, len(images)
        self.batches = Batches(images, config.batch, config.seed, shift=0)
        self.length = len(images) * config.passes
        self.error = 0.0
        self.atoms = self._patches(0)[: config.atoms]
        width = self.atoms.shape[1]
        self.atoms = _unit(
            self.atoms, torch.randn(config.atoms, width, generator=self._generator(-1)).to(device)
        )
        self.A = torch.zeros(config.atoms, config.atoms, device=device)
        self.B = torch.zeros(config.atoms, width, device=device)

    def _generator(self, step: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.config.seed * 999_983 + step + 1)

    def _patches(self, step: int) -> Tensor:
        """The patches of one step, (batch * patches, C p p), each channel about 0, in random order."""
        images, p = self.batches[step].div(2).to(self.device), self.config.patch
        generator, total = self._generator(step), len(images) * self.config.patches
        rows, columns = (
            torch.randint(0, self.config.size - p + 1, (total, 1, 1), generator=generator) for _ in "yx"
        )
        owner = torch.randperm(total, generator=generator).view(-1, 1, 1) % len(images)
        cut = images[owner, :, rows + torch.arange(p).view(-1, 1), columns + torch.arange(p)]
        return centre(cut.permute(0, 3, 1, 2).flatten(1), self.config.channels)

    @torch.no_grad()
    def step(self, done: float) -> dict[str, float]:
        index = self.images_seen // self.config.batch
        patches = self._patches(index)
        code = omp(self.atoms, patches, self.config.sparsity)
        dense = torch.zeros(len(patches), len(self.atoms), device=self.device)
        dense.scatter_add_(1, code.atoms, code.coefficients)
        keep = (1 - 1 / (index + 1)) ** FORGET
        self.A = keep * self.A + dense.T @ dense / len(patches)
        self.B = keep * self.B + dense.T @ patches / len(patches)
        self._improve(patches)
        self.images_seen += self.config.batch
        self.error = code.residual.square().mean().sqrt().item()
        return {"error": self.error}

    def _improve(self, patches: Tensor) -> None:
        """One round of block coordinate descent over the atoms; one that is hardly used becomes a patch."""
        use = self.A.diagonal()
        dead = use <= RARE * use.mean()
        for j in torch.nonzero(~dead).flatten().tolist():
            self.atoms[j] = F.normalize(self.atoms[j] + (self.B[j] - self.A[j] @ self.atoms) / use[j], dim=0)
        self.atoms[dead] = _unit(patches[: len(dead)][dead], self.atoms[dead])

    def prior(self) -> DictionaryPrior:
        shape = (self.config.channels, self.config.patch, self.config.patch)
        return DictionaryPrior(self.atoms.cpu().unflatten(1, shape), self.config.size)

    def check(self) -> dict[str, float]:
        """The root mean square of what the last patches' codes left."""
        return {"error": self.error}

    def picture(self) -> Tensor:
        return self.prior().picture()

    def state(self) -> dict[str, Any]:
        settings = {**asdict(self.config), "data": self.count}
        tensors = {name: getattr(self, name).cpu().clone() for name in TENSORS}
        return {"config": settings, "images_seen": self.images_seen, **tensors}

    def load_state(self, state: dict[str, Any]) -> None:
        check_settings({**asdict(self.config), "data": self.count}, state["config"])
        self.images_seen = state["images_seen"]
        for name in TENSORS:
            setattr(self, name, state[name].to(self.device))

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        save(folder, self.prior(), {**facts, "training_images": self.count, "atoms": len(self.atoms)})


def _unit(patches: Tensor, spare: Tensor) -> Tensor:
    """Patches (N, n) scaled to unit norm; a flat one is replaced by the spare one."""
    flat = patches.norm(dim=1, keepdim=True) < 1e-3
    return F.normalize(torch.where(flat, spare, patches), dim=1)

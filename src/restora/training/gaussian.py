"""Mean and covariance of a set of images, in a few passes over them.

    S = covariance of the images and their mirror images = F^T F + T^T diag_k(L_k L_k^T) T

All is done on the cosine coefficients T x. There the mirror image only changes the sign of the odd columns,
so S falls into two blocks, the even and the odd columns, and mirror images cost nothing. F comes from the
block power method on each block, Q <- orth(S Q), and the Nystrom form (S Q) (Q^T S Q)^-1 (S Q)^T at its end
(Tropp et al. 2017, algorithm 3). The rest of S is positive semi-definite, and its diagonal blocks, the
channels at one frequency, are L_k L_k^T. A pass costs 4 d k operations an image, k a little over the rank
(2.8e7 for d = 12288, k = 576); S itself would take d^2 = 1.5e8, 600 MB, and an eigendecomposition after that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import DataError, OptionError
from restora.figure import grid
from restora.gaussian.cosine import dct, idct
from restora.options import option
from restora.pictures.colour import to_unit
from restora.pictures.tiff import MAX_CHANNELS
from restora.priors.gaussian import GaussianPrior
from restora.priors.store import save
from restora.training.checkpoint import check_settings
from restora.training.loop import Trainer
from restora.training.settings import CHANNELS, CPU, CROP, Settings
from restora.training.squares import Images, as_squares

OVERSAMPLING = 64
IMAGES_A_DIRECTION = 10


@dataclass(frozen=True)
class GaussianConfig(Settings):
    """Settings of `restora train gaussian`."""

    size: int = option(64, "side of the images in pixels", 2)
    channels: int = option(3, CHANNELS, 1, MAX_CHANNELS)
    crop: bool = option(False, f"{CROP}; the prior is stationary, without directions, for images of any size")
    rank: int = option(512, "principal directions; at most one per ten images (the rest is stationary)", 0)
    exact: bool = option(False, "all directions: the covariance itself, hundreds of MB at 64x64")
    images: int = option(0, "number of images to use, evenly spaced; 0: all", 0)
    passes: int = option(3, "passes over the images; more make the directions exact", 1)
    floor: float = option(1e-4, "variance added to every pixel", 0)
    batch: int = option(256, "images per step", 1)
    mirror: bool = option(True, "also use the mirror image of every image")
    seed: int = option(0, "random seed", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop and self.exact:
            raise OptionError(
                "expected False with crop=True, whose prior has no directions, got True", "exact"
            )


class GaussianTrainer(Trainer):
    """A Gaussian model: mean, principal directions and a stationary rest. Takes minutes.

    It goes through the images `passes` times. Coefficients are stored as (groups, m), with even and odd
    columns separate.
    """

    Config = GaussianConfig
    needs_budget = False

    def __init__(self, config: GaussianConfig, images: Images, device: torch.device = CPU):
        images = as_squares(images, config.size, config.seed)
        if config.images and config.images < len(images):
            images = images[torch.arange(config.images) * len(images) // config.images]
        if len(images) < 2:
            raise DataError(
                f"a covariance needs at least 2 images, and hundreds to be useful (found {len(images)}); cut "
                "squares from large images with crop=True"
            )
        self.config, self.images, self.device, self.images_seen = config, images, device, 0
        self.shape = tuple(images.shape[1:])
        coefficients = self._coefficients(images[:1])[0]
        groups, m = coefficients.shape
        wanted = 0 if config.crop else config.rank
        self.rank = min(wanted, len(images) // IMAGES_A_DIRECTION, images[0].numel())
        self.length = len(images) * (config.passes if self.rank else 1)
        if config.exact:
            self.rank, self.length = images[0].numel(), len(images)
        self.sum = coefficients.double() * 0
        self.second = self._by_frequency(coefficients[None]).double() * 0
        columns = min(self.rank + OVERSAMPLING, m) if self.rank and not config.exact else 0
        noise = torch.randn(groups, m, columns, generator=torch.Generator().manual_seed(config.seed))
        self.block = noise.to(device)
        self.product = torch.zeros(groups, m, m if config.exact else columns, device=device)
        self.factors = coefficients.new_zeros(0, groups, m)

    def _coefficients(self, images: Tensor) -> Tensor:
        """Integers (b, C, H, W) -> (b, groups, m), about 0; columns are padded to fill the groups."""
        coefficients, groups = dct(to_unit(images.to(self.device)) - 0.5), 1 + self.config.mirror
        padded = F.pad(coefficients, (0, -coefficients.shape[-1] % groups))
        return torch.stack([padded[..., g::groups] for g in range(groups)], dim=1).flatten(2)

    def _by_frequency(self, groups: Tensor) -> Tensor:
        """(b, groups, m) -> sum of the products of the channels at each frequency, (groups, C C m / C)."""
        channels = groups.unflatten(-1, (self.shape[0], -1))
        return torch.einsum("bgin,bgjn->gijn", channels, channels).flatten(1)

    def _interleave(self, groups: Tensor) -> Tensor:
        """(..., groups, K H W / groups) -> cosine coefficients (..., K, H, W)."""
        height, width = self.shape[1:]
        columns = -(-width // groups.shape[-2])
        parts = groups.unflatten(-1, (-1, height, columns)).unbind(-4)
        return torch.stack(parts, dim=-1).flatten(-2)[..., :width]

    @torch.no_grad()
    def step(self, done: float) -> dict[str, float]:
        finished, place = divmod(self.images_seen, len(self.images))
        batch = self.images[place : place + self.config.batch]
        coefficients = self._coefficients(batch)
        if finished == 0:
            self.sum += coefficients.sum(0)
            self.second += self._by_frequency(coefficients)
        rows = coefficients.transpose(0, 1)
        self.product += rows.mT @ (rows if self.config.exact else rows @ self.block)
        self.images_seen += len(batch)
        if place + len(batch) == len(self.images) and self.rank:
            self._end_pass()
        return {"pass": finished + 1}

    def _mean(self) -> Tensor:
        """(groups, m); 0 in the odd columns, where an image and its mirror image cancel."""
        mean = self.sum / min(self.images_seen, len(self.images))
        mean[1:] = 0
        return mean

    def _end_pass(self) -> None:
        mean = self._mean().unsqueeze(-1)
        second = self.product.double() / len(self.images)
        block = torch.eye(len(mean[0])).to(second) if self.config.exact else self.block.double()
        product = second - mean @ (mean.mT @ block)
        if self.images_seen < self.length:
            self.block = torch.linalg.qr(product).Q.float()
            self.product.zero_()
            return
        found = _eigen(product) if self.config.exact else _nystrom(block, product, second.norm())
        self.factors = _largest(*found, self.rank).float()
        self.block, self.product = self.block[..., :0], self.product[..., :0]

    @torch.no_grad()
    def prior(self) -> GaussianPrior:
        """The prior of what was seen; until the last pass is over, without its directions."""
        mean, factors = self._interleave(self._mean()), self._interleave(self.factors)
        second = self._interleave(self.second / min(self.images_seen, len(self.images)))
        known = torch.cat([mean[None], factors.double()])
        rest = second.view(self.shape[0], *self.shape) - torch.einsum("rihw,rjhw->ijhw", known, known)
        parts = idct(mean).float() + 0.5, idct(factors), _root(rest, self.config.floor).float()
        found = GaussianPrior(*(part.cpu().contiguous() for part in parts))
        return found.stationary() if self.config.crop else found

    def check(self) -> dict[str, float]:
        """The share of the variance that the directions hold."""
        prior = self.prior()
        held, rest = prior.factors.square().sum().item(), prior.spread.square().sum().item()
        return {"held": round(held / (held + rest), 4)}

    def picture(self) -> Tensor:
        return grid(self.prior().sample(64, torch.Generator().manual_seed(self.config.seed)), 8)

    def state(self) -> dict[str, Any]:
        tensors = {name: getattr(self, name).cpu() for name in TENSORS}
        settings = {**asdict(self.config), "data": len(self.images)}
        return {"config": settings, "images_seen": self.images_seen, **tensors}

    def load_state(self, state: dict[str, Any]) -> None:
        check_settings({**asdict(self.config), "data": len(self.images)}, state["config"])
        self.images_seen = state["images_seen"]
        for name in TENSORS:
            setattr(self, name, state[name].to(self.device))

    def export(self, folder: Path, facts: dict[str, Any]) -> None:
        save(folder, self.prior(), {**facts, "training_images": len(self.images), "rank": self.rank})


TENSORS = ("sum", "second", "block", "product", "factors")


def _nystrom(block: Tensor, product: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (groups, k) and eigenvectors (groups, m, k) of the Nystrom form of S. `product` is S block,
    with the rounding errors of numbers as large as `scale` in single precision."""
    shift = (10 * torch.finfo(torch.float32).eps * scale).clamp(min=1e-12)
    shifted = product + shift * block
    root = torch.linalg.cholesky(block.mT @ shifted, upper=True)
    half = torch.linalg.solve_triangular(root, shifted, upper=True, left=False)
    values, vectors = _eigen(half.mT @ half)
    vectors = half @ vectors * values.clamp(min=1e-30).rsqrt().unsqueeze(1)
    return (values - shift).clamp(min=0), vectors


def _eigen(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (groups, k), cut at 0, and eigenvectors (groups, m, k) of symmetric matrices."""
    values, vectors = torch.linalg.eigh((matrices + matrices.mT) / 2)
    return values.clamp(min=0), vectors


def _largest(values: Tensor, vectors: Tensor, rank: int) -> Tensor:
    """Vectors (rank, groups, m) times the square roots of their eigenvalues, largest first, of all groups."""
    groups, m, k = vectors.shape
    scaled = vectors * values.sqrt().unsqueeze(1)
    alone = torch.zeros(groups, k, groups, m, dtype=scaled.dtype, device=scaled.device)
    for g in range(groups):
        alone[g, :, g] = scaled[g].T
    return alone.flatten(0, 1)[values.flatten().argsort(descending=True, stable=True)[:rank]]


def _root(spectrum: Tensor, floor: float) -> Tensor:
    """The symmetric square root of spectrum + floor I, (C, C, H, W), frequency by frequency."""
    values, vectors = torch.linalg.eigh(spectrum.permute(2, 3, 0, 1))
    roots = (values.clamp(min=0) + floor).sqrt()
    return (vectors * roots.unsqueeze(-2) @ vectors.mT).permute(2, 3, 0, 1)

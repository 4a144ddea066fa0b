"""A dictionary of patches as a prior: every patch of an image is a few atoms.

    P_i x ~ mean + D^T alpha_i,   |alpha_i|_0 small

P_i cuts out the patch at place i, D has unit atoms as its rows, and the mean is that of each channel. The few
atoms are found by orthogonal matching pursuit: again and again the atom that fits the residual best, and then
the least squares over all atoms so far. Source: Elad and Aharon, IEEE TIP 2006; Pati et al. 1993.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from restora.errors import ShapeError
from restora.figure import grid
from restora.priors.base import Prior

CHUNK = 4096


class Code(NamedTuple):
    """Sparse codes of N signals: which atoms (N, k), how much of each (N, k), what is left (N, n). A place
    that is not used has the coefficient 0."""

    atoms: Tensor
    coefficients: Tensor
    residual: Tensor


class DictionaryPrior(Prior):
    """A dictionary: patches are combinations of a few of its atoms.

    Args:
        atoms: (K, C, p, p); they are scaled to unit norm.
        size: side of the training images. The dictionary works for images of any size.

    Raises:
        ShapeError: if atoms are not square.
    """

    kind = "dictionary"
    shipped = ("faces64-dictionary",)
    atoms: Tensor

    def __init__(self, atoms: Tensor, size: int = 64):
        super().__init__()
        if atoms.ndim != 4 or atoms.shape[2] != atoms.shape[3] or not atoms.numel():
            raise ShapeError(f"a DictionaryPrior takes atoms of shape (K, C, p, p), got {tuple(atoms.shape)}")
        self.register_buffer("atoms", atoms)
        self.image_shape = (atoms.shape[1], size, size)

    @property
    def patch(self) -> int:
        return self.atoms.shape[-1]

    def grey(self) -> DictionaryPrior:
        """The mean of the channels of each atom."""
        if self.image_shape[0] == 1:
            return self
        prior = DictionaryPrior(self.atoms.mean(1, keepdim=True), self.image_shape[1])
        prior.name, prior.card = self.name, self.card
        return prior

    def code(self, patches: Tensor, sparsity: int, tolerance: float = 0.0) -> tuple[Tensor, Tensor]:
        """Approximate patches (N, C p p) by at most `sparsity` atoms each, stopping at a root mean square
        error of `tolerance`.

        Returns:
            The approximated patches, and the number of atoms that each uses, (N,).
        """
        centred = centre(patches, self.image_shape[0])
        bound, D = tolerance**2 * patches.shape[1], self._rows(patches)
        codes = [omp(D, part, sparsity, bound) for part in centred.split(CHUNK)]
        left = torch.cat([code.residual for code in codes])
        return patches - left, torch.cat([code.coefficients.ne(0).sum(1) for code in codes])

    def _rows(self, like: Tensor) -> Tensor:
        """Half precision cost the atoms their unit norm."""
        return F.normalize(self.atoms.flatten(1).to(like), dim=1)

    def picture(self) -> Tensor:
        """A picture of all atoms, each stretched to the full range, (C, H, W) in [0, 1]."""
        stretched = self.atoms / self.atoms.abs().amax((1, 2, 3), keepdim=True) / 2 + 0.5
        return grid(stretched, round(len(stretched) ** 0.5), gap=1)

    def config(self) -> dict[str, Any]:
        return {"shape": list(self.atoms.shape), "size": self.image_shape[1]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DictionaryPrior:
        return cls(torch.zeros(config["shape"]), config["size"])


def centre(patches: Tensor, channels: int) -> Tensor:
    """Patches (N, C p p) less the mean of each channel."""
    by_channel = patches.unflatten(1, (channels, -1))
    return (by_channel - by_channel.mean(2, keepdim=True)).flatten(1)


def omp(D: Tensor, signals: Tensor, sparsity: int, bound: float = 0.0) -> Code:
    """Orthogonal matching pursuit of all signals (N, n) side by side, with unit atoms D (K, n).

    A signal is done at `sparsity` atoms, or when its squared residual is at most `bound`. The atoms chosen
    are made orthonormal as they come, r <- r - q (q^T r), and the triangular factor gives the coefficients.
    """
    count, n = signals.shape
    sparsity = min(sparsity, len(D), n)
    chosen = torch.zeros(count, sparsity, dtype=torch.long, device=D.device)
    along = signals.new_zeros(count, sparsity)
    triangle = torch.eye(sparsity).to(signals).repeat(count, 1, 1)
    left = signals.clone()
    live, r, q = torch.arange(count, device=D.device), signals, signals.new_zeros(count, 0, n)
    nothing = torch.finfo(D.dtype).eps * signals.square().sum(1)
    for t in range(sparsity):
        more = r.square().sum(1) > bound + nothing[live]
        live, r, q = live[more], r[more], q[more]
        fit, best = (r @ D.T).abs().max(1)
        more = fit.square() > nothing[live]
        if not more.all():  # signals that the dictionary does not span
            live, r, q, best = live[more], r[more], q[more], best[more]
        if not len(live):
            break
        atom = D[best]
        shares = torch.einsum("njm,nm->nj", q, atom)
        new = atom - torch.einsum("nj,njm->nm", shares, q)
        norm = new.norm(dim=1, keepdim=True)
        new = new / norm
        step = (new * r).sum(1, keepdim=True)
        r, q = r - step * new, torch.cat([q, new.unsqueeze(1)], dim=1)
        chosen[live, t], along[live, t], left[live] = best, step.squeeze(1), r
        triangle[live, :t, t], triangle[live, t, t] = shares, norm.squeeze(1)
    solved = torch.linalg.solve_triangular(triangle, along.unsqueeze(-1), upper=True)
    return Code(chosen, solved.squeeze(-1), left)

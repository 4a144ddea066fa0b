"""Poisson blending (Perez et al., SIGGRAPH 2003): the gradients of one picture, the border of another.

Inside the hole f minimises |grad f - grad g|^2, with f = y where y was observed. With f = g + u this
is Laplace's equation for u, whose values at the border are y - g.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor


def poisson_blend(image: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Blend `image` into the hole of `y`.

    image, y: (B, C, H, W); mask: (B or 1, 1, H, W), 1 where y was observed. The result equals y there.
    """
    mask = mask.expand(len(image), -1, -1, -1)
    blended = image.clone()
    hashes = [m.numpy().tobytes() for m in mask.cpu().bool()]
    for pattern in dict.fromkeys(hashes):  # one factorisation for all images with the same mask
        rows = torch.tensor([i for i, h in enumerate(hashes) if h == pattern], device=image.device)
        blended[rows] = _blend(image[rows], y[rows], mask[rows[0], 0])
    return blended


def _blend(image: Tensor, y: Tensor, observed: Tensor) -> Tensor:
    known = observed.cpu().numpy() > 0.5
    height, width = known.shape
    hole = np.flatnonzero(~known)
    if hole.size == 0:
        return y
    difference = (y - image).reshape(-1, height * width).cpu().double().numpy().T
    laplacian = grid_laplacian(height, width)[hole]
    border = -(laplacian[:, np.flatnonzero(known)] @ difference[known.ravel()])
    change = splu(laplacian[:, hole].tocsc()).solve(border)
    difference[hole] = change
    return image + torch.from_numpy(difference.T.copy()).to(image).view_as(image)


def grid_laplacian(height: int, width: int) -> sparse.csr_array:
    """Graph Laplacian of the 4-neighbour grid, (HW, HW): degree minus adjacency."""

    def path(n: int) -> sparse.dia_array:
        degree = np.full(n, 2.0)
        degree[[0, -1]] -= 1
        return sparse.diags_array([-np.ones(n - 1), degree, -np.ones(n - 1)], offsets=[-1, 0, 1])

    rows = sparse.kron(path(height), sparse.eye_array(width))
    return sparse.csr_array(rows + sparse.kron(sparse.eye_array(height), path(width)))

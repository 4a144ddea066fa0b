"""A generator behind a mapping network, seen from the latents that the mapping makes.

    x = G(w),   w = m + R v,   v ~ N(0, I)

m and R R^T are mean and covariance of w = M(z), z ~ N(0, I), so that v is as likely as w is, about. Images
are found far better in this space than in that of z. Sources: Karras, Laine and Aila, "A style-based
generator architecture for generative adversarial networks", CVPR 2019; for the Gaussian Zhu, Abdal, Qin,
Femiani and Wonka, "Improved StyleGAN embedding: where are the good latents?", 2020.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from restora.networks.stored import build, describe

DRAWS, AT_ONCE = 10_000, 500


class Styled(nn.Module):
    """v (B, latent) -> G(w). generator: its description, or itself. layers: w is (B, layers, latent), the
    same in every layer; 0 for (B, latent)."""

    mean: Tensor
    root: Tensor

    def __init__(self, generator: dict[str, Any] | nn.Module, latent: int, layers: int = 0):
        super().__init__()
        self.generator = generator if isinstance(generator, nn.Module) else build(generator)
        self.layers = layers
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("root", torch.zeros(latent, latent))

    @classmethod
    @torch.no_grad()
    def measure(cls, generator: nn.Module, mapping: nn.Module, latent: int, seed: int = 0) -> Styled:
        """mapping: z (B, latent) -> w, (B, d) or (B, layers, d) with equal layers."""
        z = torch.randn(DRAWS, latent, generator=torch.Generator().manual_seed(seed))
        w = torch.cat([mapping(part) for part in z.split(AT_ONCE)])
        layers = w.shape[1] if w.ndim == 3 else 0
        rows = (w[:, 0] if layers else w).double()
        values, vectors = torch.linalg.eigh(rows.T.cov())
        network = cls(generator, rows.shape[1], layers)
        network.mean = rows.mean(0).float()
        network.root = (vectors * values.clamp(min=0).sqrt() @ vectors.T).float()
        return network

    @property
    def config(self) -> dict[str, Any]:
        generator = describe(self.generator)
        return {"generator": generator, "latent": len(self.mean), "layers": self.layers}

    def forward(self, v: Tensor) -> Any:
        w = self.mean + v @ self.root
        return self.generator(w.unsqueeze(1).expand(-1, self.layers, -1) if self.layers else w)

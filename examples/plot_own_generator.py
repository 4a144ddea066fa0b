"""
Your own generator
==================

Any generator can be a prior. This one draws a disc; its latents are the position, the size and the grey
value. We use it to restore a noisy image of a disc.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from restora import AdditiveNoise, GANPrior, LatentMAP, restore
from restora.metrics import psnr


class Disc(nn.Module):
    """Latents (B, 4) -> images (B, 1, 32, 32) in [0, 1]."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        across, down, size, grey = z.view(-1, 4, 1, 1).unbind(1)
        line = torch.linspace(-2, 2, 32)
        distance = ((line - across) ** 2 + (line.view(-1, 1) - down) ** 2 + 1e-6).sqrt()
        inside = torch.sigmoid(8 * (torch.exp(size / 3) - distance))
        return (inside * torch.sigmoid(grey)).unsqueeze(1)


prior = GANPrior(Disc(), latent_shape=(4,), value_range=(0.0, 1.0))
truth = prior.generate(torch.tensor([[0.5, -0.3, -0.6, 1.0]]))
degradation = AdditiveNoise(sigma=0.3)
y = degradation(truth, torch.Generator().manual_seed(0))

solver = LatentMAP(restarts=16, iterations=200, rate=0.1, lambda_z=0.1, finish="none")
result = restore(y, degradation, method=solver, prior=prior)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, name, image in zip(axes, ("noisy", "restored", "truth"), (y, result.image, truth), strict=True):
    axis.imshow(image[0, 0], cmap="gray", vmin=0, vmax=1)
    axis.set_title(name)
    axis.axis("off")
print(f"noisy {psnr(y, truth).item():.1f} dB, restored {psnr(result.image, truth).item():.1f} dB")

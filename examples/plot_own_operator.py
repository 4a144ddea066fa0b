"""
Your own camera model
=====================

Operators can be nonlinear. Here a camera applies a blur, a tone curve and photon noise.
"""

import matplotlib.pyplot as plt
import torch

from restora import Blur, Degradation, Function, GaussianNoise, restore
from restora.align import astronaut
from restora.metrics import psnr
from restora.noise import PoissonNoise

truth = astronaut(96)[None]
curve = Function(lambda x: x.clamp(min=0) ** 2.2, linear=False)
blur = Blur(width=1.0, sigma=0).operator
cameras = {
    "tone curve": Degradation(curve, GaussianNoise(0.01)),
    "blur, tone curve, photons": Degradation(curve @ blur, PoissonNoise(peak=1000)),
}

figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
for (left, right), (name, camera) in zip(axes.reshape(2, 2), cameras.items(), strict=True):
    y = camera(truth, torch.Generator().manual_seed(0))
    found = restore(y, camera, prior="natural").image
    left.imshow(y[0].permute(1, 2, 0).clamp(0, 1))
    left.set_title(name)
    right.imshow(found[0].permute(1, 2, 0).clamp(0, 1))
    right.set_title(f"restored, {psnr(found, truth).item():.1f} dB")
    print(f"{name}: {psnr(found, truth).item():.2f} dB")
for axis in axes:
    axis.axis("off")

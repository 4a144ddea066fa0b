"""
Six damages, one prior
======================

The same prior removes noise, blur, holes, JPEG artefacts and banding, and increases the resolution. It does
not have to be trained again for any of them.
"""

import matplotlib.pyplot as plt
import torch
from skimage import data

from restora import JPEG, AdditiveNoise, Blur, Downsample, Mask, Quantize, restore
from restora.metrics import psnr

rocket = data.rocket()[290:418, 255:383]  # SpaceX, public domain
truth = torch.tensor(rocket / 255, dtype=torch.float32).permute(2, 0, 1)[None]
mask = (torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(1)) > 0.5).float()

damages = {
    "noise": AdditiveNoise(0.1),
    "blur": Blur(width=1.6, sigma=0.01),
    "half of the pixels": Mask(mask),
    "x2": Downsample(2),
    "JPEG, quality 10": JPEG(10),
    "5 levels": Quantize(5),
}
figure, axes = plt.subplots(2, 6, figsize=(14, 5.4), layout="constrained")
for (top, bottom), (name, degradation) in zip(axes.T, damages.items(), strict=True):
    y = degradation(truth, torch.Generator().manual_seed(0))
    x = restore(y, degradation).image
    top.imshow(y[0].permute(1, 2, 0).clamp(0, 1))
    top.set_title(name)
    bottom.imshow(x[0].permute(1, 2, 0).clamp(0, 1))
    bottom.set_title(f"{psnr(x, truth).item():.1f} dB")
for axis in axes.flat:
    axis.axis("off")

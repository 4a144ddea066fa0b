"""
Repair a photo
==============

A photo has noise and a scratch. We let restora inspect it, remove the noise, and fill the scratch.
"""

import matplotlib.pyplot as plt
import torch
from skimage import data

from restora import AdditiveNoise, Mask, restore
from restora.inspection import inspect
from restora.metrics import psnr
from restora.pictures.picture import Picture

# %%
# The photo is a part of scikit-image's *coffee* (CC0). An image is a tensor of shape (B, C, H, W) with
# values from 0 to 1.

coffee = data.coffee()[80:272, 240:432]
truth = torch.tensor(coffee / 255, dtype=torch.float32).permute(2, 0, 1)[None]

# %%
# We add noise, pretend not to know its level, and let ``inspect`` find it.

noisy = AdditiveNoise(0.08)(truth, torch.Generator().manual_seed(0))
for finding in inspect(Picture(noisy[0])).findings:
    print(finding.text)

# %%
# ``AdditiveNoise("auto")`` estimates the noise level from the image.

clean = restore(noisy, AdditiveNoise("auto")).image

# %%
# A mask is 1 where a pixel was observed and 0 where it is missing. Here a scratch runs across the photo.

mask = torch.ones(1, 1, 192, 192)
for column in range(20, 170):
    row = 60 + column // 3
    mask[..., row : row + 4, column] = 0
scratched = Mask(mask)(clean)
filled = restore(scratched, Mask(mask)).image

panels = {
    "noisy": noisy,
    "noise removed": clean,
    "scratched": scratched,
    "scratch filled": filled,
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
for axis, (name, image) in zip(axes, panels.items(), strict=True):
    axis.imshow(image[0].permute(1, 2, 0).clamp(0, 1))
    axis.set_title(f"{name}\n{psnr(image, truth).item():.1f} dB")
    axis.axis("off")

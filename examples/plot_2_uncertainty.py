"""
How sure is the result?
=======================

Many clean images are consistent with a damaged one. restora returns their average, samples of them, and the
standard deviation of each pixel.
"""

import matplotlib.pyplot as plt
import torch
from skimage import data

from restora import Downsample, restore
from restora.metrics import psnr

# %%
# The image is a cat, scikit-image's *chelsea* (CC0, by Stefan van der Walt), reduced to a quarter of its
# width and height.

cat = data.chelsea()[60:188, 100:228]
truth = torch.tensor(cat / 255, dtype=torch.float32).permute(2, 0, 1)[None]
degradation = Downsample(4)
small = degradation(truth)

# %%
# With ``samples=3``, the first result is the average, and the other two are samples of the posterior
# p(x | y). With ``uncertainty=True``, ``std`` is the standard deviation of each pixel.

result = restore(small, degradation, samples=3, uncertainty=True, seed=0)
average, sample = result.samples[0, 0], result.samples[0, 1]

# %%
# The average has a smaller error, and the sample has more natural detail. The map of the standard deviation
# is dark where the small image determines the result, and bright where fine detail was lost.

error = (average - truth[0]).abs().mean(0)
deviation = result.std[0].mean(0)
panels = {
    "four times smaller": small[0],
    f"average, {psnr(average[None], truth).item():.1f} dB": average,
    f"sample, {psnr(sample[None], truth).item():.1f} dB": sample,
}
figure, axes = plt.subplots(1, 5, figsize=(14, 3.2), layout="constrained")
for axis, (name, image) in zip(axes, panels.items(), strict=False):
    axis.imshow(image.permute(1, 2, 0).clamp(0, 1))
    axis.set_title(name)
for axis, name, values in ((axes[3], "predicted deviation", deviation), (axes[4], "actual error", error)):
    axis.imshow(values, cmap="magma", vmin=0, vmax=0.2)
    axis.set_title(name)
for axis in axes:
    axis.axis("off")

# %%
# Averaged over the image, the predicted and the actual error should agree. For normally distributed errors,
# the mean absolute error is 0.8 times the standard deviation.

print(f"predicted {0.8 * deviation.mean():.3f}, actual {error.mean():.3f}")

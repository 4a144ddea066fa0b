"""A camera of one's own: a tone curve that is not linear, after a blur, with photon noise."""

import torch

from restora import Blur, Degradation, Function, GaussianNoise, restore
from restora.align import astronaut
from restora.metrics import psnr
from restora.noise import PoissonNoise

truth = astronaut()[None]
curve = Function(lambda x: x.clamp(min=0) ** 2.2, linear=False)

camera = Degradation(curve, GaussianNoise(0.01))
y = camera(truth, torch.Generator().manual_seed(0))
print(f"tone curve: {psnr(restore(y, camera).image, truth).item():.2f} dB")

blur = Blur(width=1.0, sigma=0).operator
camera = Degradation(curve @ blur, PoissonNoise(peak=1000))
y = camera(truth, torch.Generator().manual_seed(0))
print(f"blur, tone curve and photons: {psnr(restore(y, camera).image, truth).item():.2f} dB")

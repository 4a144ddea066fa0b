"""Plain networks. Those that a prior can hold have a name: one file here and one line below."""

from restora.networks.dcgan import Generator
from restora.networks.drunet import DRUNet
from restora.networks.ffdnet import FFDNet
from restora.networks.guided import GuidedUNet
from restora.networks.library import DiffusersUNet
from restora.networks.program import Onnx, TorchScript
from restora.networks.song import SongUNet
from restora.networks.stored import build, describe, networks
from restora.networks.styled import Styled
from restora.networks.unet import UNet

networks.register("unet", UNet)
networks.register("dcgan", Generator)
networks.register("drunet", DRUNet)
networks.register("ffdnet", FFDNet)
networks.register("guided", GuidedUNet)
networks.register("song", SongUNet)
networks.register("diffusers", DiffusersUNet)
networks.register("styled", Styled)
networks.register("torchscript", TorchScript)
networks.register("onnx", Onnx)

__all__ = [
    "DRUNet",
    "DiffusersUNet",
    "FFDNet",
    "Generator",
    "GuidedUNet",
    "Onnx",
    "SongUNet",
    "Styled",
    "TorchScript",
    "UNet",
    "build",
    "describe",
    "networks",
]

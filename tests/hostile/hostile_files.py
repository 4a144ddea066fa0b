"""Small files of every kind that restora reads, from which hostile ones are made.

Each is named DOOR/NAME: the door (`hostile_doors`) that reads it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageCms, PngImagePlugin

FFDNET = {"channels": 1, "width": 4, "layers": 3}


def pixels(height: int = 20, width: int = 24, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    row, column = np.mgrid[0:height, 0:width]
    ramps = np.stack([9 * row + (3 + k) * column for k in range(channels)], axis=2)
    full = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1
    return (np.clip(ramps, 0, 255) * (full / 255)).astype(dtype)


def write_all(folder: Path) -> list[Path]:
    """Every file, in folders by door."""
    for make in (pictures, tiffs, masks, kernels, manifests, archives, weights, programs):
        for name, data in make().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def saved(array: np.ndarray, format: str, mode: str | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    (picture.convert(mode) if mode else picture).save(stream, format=format, **options)
    return stream.getvalue()


def pictures() -> dict[str, bytes]:
    rgb, grey, rgba = pixels(), pixels(channels=1), pixels(channels=4)
    frames = [Image.fromarray(np.roll(rgb, k, 1)) for k in (3, 6)]
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x0112], exif[0x010E] = 6, "turned"
    exif.get_ifd(0x8769)[0xA002] = 24
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text.add_text("a", "b")
    text.add_text("c", "d" * 900, zip=True)
    text.add_itxt("e", "f" * 900, zip=True)
    rich = {"exif": exif, "icc_profile": icc}
    found = {
        "grey.png": saved(grey, "PNG"),
        "rgb.png": saved(rgb, "PNG", pnginfo=text, dpi=(72, 72), **rich),
        "rgba.png": saved(rgba, "PNG"),
        "palette.png": saved(rgb, "PNG", "P", transparency=3),
        "bits.png": saved(grey, "PNG", "1"),
        "animated.png": saved(rgb, "PNG", save_all=True, append_images=frames),
        "rgb.jpg": saved(rgb, "JPEG", comment=b"hello", **rich),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "cmyk.jpg": saved(rgb, "JPEG", "CMYK"),
        "several.jpg": saved(rgb, "MPO", save_all=True, append_images=frames),
        "lossy.webp": saved(rgb, "WEBP", xmp=b"<x/>", **rich),
        "lossless.webp": saved(rgba, "WEBP", lossless=True),
        "animated.webp": saved(rgb, "WEBP", save_all=True, append_images=frames),
        "rgb.avif": saved(rgb, "AVIF", **rich),
        "animated.avif": saved(rgb, "AVIF", save_all=True, append_images=frames),
        "still.gif": saved(rgb, "GIF", "P"),
        "animated.gif": saved(rgb, "GIF", save_all=True, append_images=frames, loop=0),
        "rgb.bmp": saved(rgb, "BMP"),
        "palette.bmp": saved(rgb, "BMP", "P"),
        "bits.bmp": saved(grey, "BMP", "1"),
        **_deep(),
        **_extras(rgb),
    }
    return {f"picture/{name}": data for name, data in found.items()}


def _deep() -> dict[str, bytes]:
    from restora.pictures import png

    shapes = {"grey16.png": 1, "la16.png": 2, "rgb16.png": 3, "rgba16.png": 4}
    return {name: png.encode(pixels(channels=n, dtype=np.uint16), {}) for name, n in shapes.items()}


def _extras(rgb: np.ndarray) -> dict[str, bytes]:
    found = {}
    for name, format, module in (("rgb.heic", "HEIF", "pillow_heif"), ("rgb.jxl", "JXL", "pillow_jxl")):
        try:
            plugin = __import__(module)
        except ImportError:
            continue
        if format == "HEIF":
            plugin.register_heif_opener()
        found[name] = saved(rgb, format)
    return found


def tiffs() -> dict[str, bytes]:
    import tifffile

    rgb, grey, stack = pixels(), pixels(channels=1), np.stack([pixels(channels=1)[..., 0]] * 4)

    def by_tifffile(array: np.ndarray, **options: Any) -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, array, **options)
        return stream.getvalue()

    packed = ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")
    found = {f"{name}.tif": saved(rgb, "TIFF", compression=name) for name in packed}
    found |= {
        "fax.tif": saved(grey, "TIFF", "1", compression="group4"),
        "cmyk.tif": saved(rgb, "TIFF", "CMYK"),
        "palette.tif": saved(rgb, "TIFF", "P"),
        "lzw16.tif": saved(pixels(channels=1, dtype=np.uint16), "TIFF", compression="tiff_lzw"),
        "float.tif": by_tifffile(pixels(channels=1, dtype=np.float32)[..., 0]),
        "deep.tif": by_tifffile(
            pixels(dtype=np.uint16), photometric="rgb", compression="zlib", predictor=True
        ),
        "tiled.tif": by_tifffile(pixels(40, 40), photometric="rgb", tile=(16, 16), compression="zlib"),
        "big.tif": by_tifffile(rgb, bigtiff=True, byteorder=">", photometric="rgb"),
        "imagej.tif": by_tifffile(stack, imagej=True, metadata={"axes": "ZYX"}),
        "ome.tif": by_tifffile(stack, ome=True, photometric="minisblack"),
        "pages.tif": by_tifffile(stack, photometric="minisblack", metadata=None),
        "lzma.tif": by_tifffile(stack, photometric="minisblack", compression="lzma"),
        "rgba.tif": by_tifffile(pixels(channels=4), photometric="rgb", extrasamples=[2]),
        "planar.tif": by_tifffile(rgb.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
    }
    return {f"picture/{name}": data for name, data in found.items()}


def masks() -> dict[str, bytes]:
    mask = np.zeros((20, 24, 4), np.uint8)
    mask[5:9, 4:12] = 255
    return {
        "mask/white.png": saved(mask[..., :1], "PNG"),
        "mask/paint.png": saved(mask, "PNG"),
        "mask/soft.jpg": saved(mask[..., :3], "JPEG"),
    }


def kernels() -> dict[str, bytes]:
    stream = io.BytesIO()
    np.save(stream, np.ones((3, 5), np.float32))
    return {"kernel/box.npy": stream.getvalue(), "kernel/box.png": saved(pixels(5, 5, 1), "PNG")}


def manifests() -> dict[str, bytes]:
    entry = {"status": "done", "seed": 3, "outputs": ["a.png"], "residual": 0.5, "sha256": "0" * 64}
    content = {"restora": "1", "settings": {"task": "denoise"}, "files": {"in/a.png": entry}}
    line = {"batch": 0, "images": [{"name": "a", "psnr": 30.0}]}
    return {
        "manifest/restora.json": json.dumps(content, indent=1).encode(),
        "bench/tv.jsonl": f'{{"settings": {{}}}}\n{json.dumps(line)}\n'.encode(),
        "bench/settings.json": b'{"protocol": "clean", "images": ["a"], "seed": 0}',
    }


def archives() -> dict[str, bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/a.png", saved(pixels(), "PNG"))
        archive.writestr("b.jpg", saved(pixels(), "JPEG"))
        archive.writestr("c.bmp", saved(pixels(), "BMP"))
    return {"data/images.zip": stream.getvalue()}


def weights() -> dict[str, bytes]:
    """Stored priors, checkpoints, and files of tensors."""
    import tempfile

    import safetensors.torch

    from restora.networks import FFDNet
    from restora.networks.dcgan import Generator
    from restora.priors import GANPrior, GaussianPrior, store
    from restora.priors.foreign import from_denoiser
    from restora.training import checkpoint

    torch.manual_seed(0)
    tensors = FFDNet(**FFDNET).state_dict()
    gan = GANPrior(Generator(latent=4, width=2, size=8).eval().fold(), None, latent_shape=(4,))
    gaussian = GaussianPrior(torch.zeros(3, 8, 8), torch.randn(4, 3, 8, 8), torch.rand(3, 3, 8, 8) * 0.01)
    flow = from_denoiser(FFDNet(**FFDNET), channels=1, check=False)
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, prior in {"gan": gan, "gaussian": gaussian, "flow": flow}.items():
            store.save(Path(place) / name, prior, {"license": "CC0"})
            found[f"prior/{name}.safetensors"] = (Path(place) / name / store.WEIGHTS).read_bytes()
        path = Path(place) / "state.safetensors"
        checkpoint.save(path, {"step": 3, "model": dict(tensors), "rates": [1e-3, (1, 2)]})
        found["checkpoint/state.safetensors"] = path.read_bytes()
    found["import/ffdnet.safetensors"] = safetensors.torch.save(dict(tensors))
    for name, options in {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}.items():
        found[f"import/{name}.pt"] = _bytes(lambda f, o=options: torch.save({"params": tensors}, f, **o))
    return found


def programs() -> dict[str, bytes]:
    class Smooth(torch.nn.Module):
        def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.avg_pool2d(x, 3, 1, 1)

    script = torch.jit.trace(Smooth(), (torch.rand(1, 3, 16, 16), torch.rand(1)), check_trace=False)
    found = {"import/smooth.ts": _bytes(lambda file: torch.jit.save(script, file))}
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError:
        return found
    shape = ["b", 3, "h", "w"]
    x, y = (onnx.helper.make_tensor_value_info(name, 1, shape) for name in ("x", "y"))
    level = onnx.helper.make_tensor_value_info("sigma", 1, ["b"])
    node = onnx.helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    graph = onnx.helper.make_graph([node], "smooth", [x, level], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    return found | {"import/smooth.onnx": model.SerializeToString()}


def _bytes(write: Callable[[io.BytesIO], Any]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()

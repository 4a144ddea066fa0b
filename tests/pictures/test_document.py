"""A file whose planes are put back, changed or not: all else that it carried is in the result."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from torch.nn import functional as F

from restora.errors import ImageError, OutputError
from restora.pictures import image
from restora.pictures.document import Document
from restora.pictures.result import Result

RANDOM = np.random.default_rng(3)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6" note="b"/></x:xmpmeta>'


def smooth(height: int, width: int, channels: int, full: int = 255, dtype: Any = np.uint8) -> np.ndarray:
    """No two rows, columns or channels alike."""
    row, column, channel = np.mgrid[0:height, 0:width, 0:channels]
    values = 0.5 + 0.4 * np.sin(row / 5 + channel) * np.cos(column / 7 - channel)
    return np.rint(values * full).astype(dtype)


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=format, **options)
    return stream.getvalue()


def tiff(array: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def exif(orientation: int = 6) -> Image.Exif:
    found = Image.Exif()
    found[0x010F], found[0x0112], found[282], found[283] = "A maker", orientation, 300.0, 300.0
    found.get_ifd(0x8769).update({0x9003: "1999:01:02 03:04:05", 0xA002: 32, 0xA003: 24, 0x927C: b"\1\2\3"})
    found.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0)})
    return found


def enlarged(document: Document, path: Path, scale: int = 1, **options: Any) -> Document:
    """The file at `path` that has the planes of a document, each `scale` times as large; it is read again."""
    result = Result(path, document, **options)
    for i in range(len(document)):
        pixels = document.picture(i).pixels
        result.add(i, F.interpolate(pixels[None], scale_factor=scale, mode="nearest")[0])
    result.write()
    return image.load(path)


def again(data: bytes, path: Path, scale: int = 1, **options: Any) -> Document:
    return enlarged(image.load(data, "a file"), path, scale, **options)


def planes(found: Document) -> np.ndarray:
    return np.stack(found.arrays)


def swapped(white: tuple[float, float, float] = (0.9642, 1.0, 0.8249), gamma: float = 1.8) -> bytes:
    """A profile of its own colours: red and green of sRGB change places; a plain power."""
    red, blue, green = (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141), (0.4361, 0.2225, 0.0139)
    tags = {
        name: _xyz(value) for name, value in zip(("rXYZ", "gXYZ", "bXYZ"), (red, green, blue), strict=True)
    }
    return profile(b"RGB ", tags | {name: _curve(gamma) for name in ("rTRC", "gTRC", "bTRC")}, white)


def grey_profile(gamma: float = 1.0) -> bytes:
    return profile(b"GRAY", {"kTRC": _curve(gamma)})


def _xyz(value: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(x * 65536) for x in value))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def profile(space: bytes, tags: dict[str, bytes], white: Sequence[float] = (0.9642, 1.0, 0.8249)) -> bytes:
    """An ICC profile of version 2, of a display."""
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79)
    tags = {"desc": text + bytes(-len(text) % 4), "wtpt": _xyz(white), **tags}
    table, body, place = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name.encode() + struct.pack(">II", place + len(body), len(content))
        body += content
    size = place + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02100000, b"mntr", space, b"XYZ ") + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def lab(picture: Image.Image) -> np.ndarray:
    """What an eye sees: of the values and the profile together."""
    icc = picture.info.get("icc_profile")
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else ImageCms.createProfile("sRGB")
    if picture.mode == "L" and not icc:
        picture = picture.convert("RGB")
    seen = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("LAB"), outputMode="LAB")
    assert seen is not None
    a = np.asarray(seen).astype(float)
    a[..., 1:] = (a[..., 1:] + 128) % 256  # signed numbers
    return a


class TestMetadata:
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif"])
    def test_all_is_kept_and_the_picture_is_upright(self, suffix: str, tmp_path: Path) -> None:
        source = Image.fromarray(smooth(24, 32, 3))
        format = Image.registered_extensions()[suffix if suffix != ".tif" else ".jpg"]
        options = {"exif": exif(), "icc_profile": swapped(), "dpi": (300, 200), "xmp": XMP, "quality": 95}
        again(encoded(source, format, **options), tmp_path / f"a{suffix}")
        if suffix == ".tif":  # Pillow does not write all of it
            again((tmp_path / "a.tif").read_bytes(), tmp_path / "a.tif")
        with Image.open(tmp_path / f"a{suffix}") as found:
            assert found.size == (24, 32)
            block = found.getexif()
            assert block.get(0x0112, 1) == 1
            assert block[0x010F] == "A maker"
            assert block.get_ifd(0x8769)[0x9003] == "1999:01:02 03:04:05"
            assert block.get_ifd(0x8769)[0x927C] == b"\1\2\3"
            assert block.get_ifd(0x8825)[2] == (48.0, 8.0, 0.0)
            assert found.info["icc_profile"] == swapped()
            if suffix != ".png":  # Pillow's save takes none
                assert b'note="b"' in found.info["xmp"]
            if suffix in (".jpg", ".png", ".tif"):
                x, y = found.info["dpi"]
                assert (round(float(x)), round(float(y))) == (200, 300)
            found.load()
            assert found.getexif().get(0x0112, 1) == 1

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
    def test_a_larger_picture_has_the_size_on_paper_that_it_had(self, suffix: str, tmp_path: Path) -> None:
        source = Image.fromarray(smooth(24, 32, 3))
        data = encoded(source, Image.registered_extensions()[suffix], dpi=(72, 72), exif=exif(1))
        again(data, tmp_path / f"a{suffix}", 4)
        with Image.open(tmp_path / f"a{suffix}") as found:
            assert found.size == (128, 96)
            assert found.info["dpi"] == pytest.approx((288, 288), abs=0.1)

    def test_sizes_in_exif_are_those_of_the_result(self, tmp_path: Path) -> None:
        data = encoded(Image.fromarray(smooth(24, 32, 3)), "JPEG", exif=exif(1))
        again(data, tmp_path / "a.jpg", 2)
        with Image.open(tmp_path / "a.jpg") as found:
            own = found.getexif().get_ifd(0x8769)
            assert (own[0xA002], own[0xA003]) == (64, 48)
            assert found.getexif()[282] == 600

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
    def test_tags_of_a_tiff_in_another_format(self, suffix: str, tmp_path: Path) -> None:
        data = encoded(Image.fromarray(smooth(24, 32, 3)), "JPEG", exif=exif(6), xmp=XMP, dpi=(300, 200))
        again(data, tmp_path / "a.tif")
        again((tmp_path / "a.tif").read_bytes(), tmp_path / f"b{suffix}")
        with Image.open(tmp_path / f"b{suffix}") as found:
            assert found.getexif()[0x010F] == "A maker"
            assert found.getexif().get_ifd(0x8769)[0x9003] == "1999:01:02 03:04:05"
            assert found.getexif().get_ifd(0x8825)[1] == "N"
            assert suffix == ".webp" or found.info["dpi"] == pytest.approx((200, 300), abs=0.1)
            assert found.size == (24, 32)

    def test_text_and_comments(self, tmp_path: Path) -> None:
        from PIL import PngImagePlugin

        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Title", "Grandma")
        chunks.add_itxt("Author", "Jürgen Ω")
        again(encoded(Image.fromarray(smooth(8, 8, 3)), "PNG", pnginfo=chunks), tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as found:
            assert found.text == {"Title": "Grandma", "Author": "Jürgen Ω"}
        again(encoded(Image.fromarray(smooth(8, 8, 3)), "JPEG", comment=b"a scan"), tmp_path / "a.jpg")
        with Image.open(tmp_path / "a.jpg") as found:
            assert found.info["comment"] == b"a scan"

    def test_what_a_format_does_not_hold_is_said(self, tmp_path: Path) -> None:
        document = image.load(
            encoded(Image.fromarray(smooth(8, 8, 3)), "JPEG", exif=exif(), dpi=(72, 72)), "a.jpg"
        )
        assert Result(tmp_path / "a.bmp", document).notes == ["a.jpg: .bmp does not hold its EXIF"]
        deep = image.load(tiff(smooth(8, 8, 1, 65535, np.uint16)[..., 0]), "a.tif")
        assert Result(tmp_path / "a.jpg", deep).notes == [
            "a.tif: .jpg does not hold its depth of more than 8 bits"
        ]
        assert Result(tmp_path / "a.png", deep).notes == []

    @given(st.binary(max_size=200))
    def test_damaged_exif_never_matters(self, block: bytes) -> None:
        from restora.pictures.exif import resized, upright

        for start in (b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08"):
            found = upright(start + block)
            assert found == b"" or len(found) == len(start + block)
            assert len(resized(start + block, (8, 8), (2, 2))) == len(start + block)


class TestColours:
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".gif"])
    def test_they_look_the_same_with_the_profile(self, suffix: str, tmp_path: Path) -> None:
        source = Image.fromarray(smooth(24, 32, 3))
        data = encoded(source, "PNG", icc_profile=swapped())
        again(data, tmp_path / f"a{suffix}")
        plain = lab(Image.fromarray(smooth(24, 32, 3)))
        with Image.open(io.BytesIO(data)) as before, Image.open(tmp_path / f"a{suffix}") as after:
            assert np.abs(lab(before) - plain).mean() > 10
            assert ("icc_profile" in after.info) == (suffix not in (".bmp", ".gif"))
            assert np.abs(lab(before) - lab(after.convert("RGB"))).mean() < (6 if suffix == ".gif" else 2)

    def test_16_bits_keep_their_values_and_the_profile(self, tmp_path: Path) -> None:
        deep = smooth(24, 32, 3, 65535, np.uint16)
        data = png16(deep, [(b"iCCP", b"own\0\0" + zlib.compress(swapped()))])
        found = again(data, tmp_path / "a.png")
        assert (planes(found)[0] == deep).all()
        assert found.metadata.icc == swapped()

    def test_colour_made_of_grey_with_a_profile(self, tmp_path: Path) -> None:
        grey = Image.fromarray(smooth(24, 32, 1)[..., 0])
        document = image.load(encoded(grey, "PNG", icc_profile=grey_profile()), "a")
        result = Result(tmp_path / "a.png", document)
        result.add(0, document.picture().pixels.expand(3, -1, -1))
        result.write()
        with Image.open(tmp_path / "a.png") as after:
            assert after.mode == "RGB"
            assert "icc_profile" not in after.info
            before = Image.open(io.BytesIO(encoded(grey, "PNG", icc_profile=grey_profile())))
            assert np.abs(lab(before) - lab(after))[..., 0].max() < 5
            assert np.abs(lab(grey.convert("RGB")) - lab(after))[..., 0].mean() > 10

    def test_grey_made_of_colour_with_a_profile(self, tmp_path: Path) -> None:
        document = image.load(encoded(Image.fromarray(smooth(24, 32, 3)), "PNG", icc_profile=swapped()), "a")
        result = Result(tmp_path / "a.png", document)
        result.add(0, document.picture().pixels[:1])
        result.write()
        with Image.open(tmp_path / "a.png") as after:
            assert after.mode == "RGB"
            assert after.info["icc_profile"] == swapped()

    def test_gamma_of_a_png(self, tmp_path: Path) -> None:
        linear = smooth(24, 32, 3)
        chunk = (b"gAMA", struct.pack(">I", 100_000))
        data = spliced(encoded(Image.fromarray(linear), "PNG"), [chunk])
        found = again(data, tmp_path / "a.png")
        assert (planes(found)[0] == linear).all()
        assert chunk in list(chunks_of((tmp_path / "a.png").read_bytes()))
        again(data, tmp_path / "a.bmp")
        x = linear / 255
        srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055) * 255
        assert np.abs(np.asarray(Image.open(tmp_path / "a.bmp")) - srgb).max() <= 0.51

    @pytest.mark.parametrize("profiled", [False, True])
    def test_cmyk(self, profiled: bool, tmp_path: Path) -> None:
        source = Image.fromarray(smooth(24, 32, 3)).convert("CMYK")
        found = again(encoded(source, "JPEG", quality=98), tmp_path / "a.jpg")
        assert found.arrays[0].shape == (24, 32, 3)
        assert np.abs(found.arrays[0].astype(int) - smooth(24, 32, 3)).mean() < 4


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    from restora.pictures.png import chunks

    return list(chunks(data))


def spliced(data: bytes, more: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG with more chunks after its header."""
    return data[:33] + b"".join(_chunk(*one) for one in more) + data[33:]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png16(array: np.ndarray, more: list[tuple[bytes, bytes]] = []) -> bytes:  # noqa: B006
    height, width, channels = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    return data + b"".join(_chunk(*one) for one in [*more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


class TestTransparency:
    @pytest.mark.parametrize("channels", [2, 4])
    @pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
    def test_colours_under_it_and_itself(self, channels: int, suffix: str, tmp_path: Path) -> None:
        array = smooth(24, 32, channels)
        array[:5, :, -1] = 0
        found = again(encoded(Image.fromarray(array), "PNG"), tmp_path / f"a{suffix}")
        expected = array if suffix != ".webp" or channels == 4 else array[..., [0, 0, 0, 1]]
        assert (found.arrays[0] == expected).all()

    @pytest.mark.parametrize("channels", [2, 4])
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_16_bits(self, channels: int, suffix: str, tmp_path: Path) -> None:
        array = smooth(24, 32, channels, 65535, np.uint16)
        found = again(png16(array), tmp_path / f"a{suffix}")
        assert (found.arrays[0] == array).all()
        assert found.has_alpha

    def test_it_is_enlarged_with_the_picture(self, tmp_path: Path) -> None:
        array = smooth(24, 32, 4)
        array[..., 3] = 255
        array[8:16, 8:16, 3] = 0
        found = again(encoded(Image.fromarray(array), "PNG"), tmp_path / "a.png", 4)
        alpha = found.arrays[0][..., 3]
        assert alpha.shape == (96, 128)
        assert (alpha[36:60, 36:60] < 10).all()
        assert (alpha[:28] > 245).all()

    def test_one_colour_of_a_palette(self, tmp_path: Path) -> None:
        source = Image.fromarray(smooth(24, 32, 3)).quantize(16)
        clear = source.getpixel((0, 0))
        expected = source.copy()
        expected.info["transparency"] = clear
        found = again(encoded(source, "PNG", transparency=clear), tmp_path / "a.png")
        assert (found.arrays[0] == np.asarray(expected.convert("RGBA"))).all()
        assert (found.arrays[0][..., 3] == 0).any()

    @pytest.mark.parametrize("deep", [False, True])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_one_value_without_a_palette(self, channels: int, deep: bool, tmp_path: Path) -> None:
        array = smooth(24, 32, channels, 65535 if deep else 255, np.uint16 if deep else np.uint8)
        key = array[3, 4]
        content = b"".join(struct.pack(">H", int(value)) for value in key)
        plain = (
            png16(array)
            if deep
            else encoded(Image.fromarray(array[..., 0] if channels == 1 else array), "PNG")
        )
        found = again(spliced(plain, [(b"tRNS", content)]), tmp_path / "a.png")
        clear = (array == key).all(2)
        assert (found.arrays[0][..., :-1] == array).all()
        assert ((found.arrays[0][..., -1] == 0) == clear).all()

    def test_one_bit(self, tmp_path: Path) -> None:
        bits = RANDOM.integers(0, 2, (8, 9)).astype(bool)
        data = spliced(encoded(Image.fromarray(bits), "PNG"), [(b"tRNS", b"\0\1")])
        found = image.load(data, "a")
        assert (found.arrays[0][..., 0] == bits * 255).all()
        assert (found.arrays[0][..., 1] == 255 - bits * 255).all()

    def test_a_format_without_it_is_refused(self, tmp_path: Path) -> None:
        document = image.load(encoded(Image.fromarray(smooth(8, 8, 4)), "PNG"), "a.png")
        with pytest.raises(OutputError, match=r"\.jpg cannot store the transparency.*png"):
            Result(tmp_path / "a.jpg", document)


def animation(count: int = 4, clear: bool = False) -> list[Image.Image]:
    """A square that moves."""
    frames = []
    for i in range(count):
        array = np.zeros((24, 32, 4), np.uint8)
        array[..., 3] = 0 if clear else 255
        array[4 : 4 + 8, 4 + 5 * i : 12 + 5 * i] = (250, 30 * i, 40, 255)
        frames.append(Image.fromarray(array))
    return frames


class TestAnimations:
    @pytest.mark.parametrize("clear", [False, True])
    @pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".avif"])
    def test_every_frame_with_its_time(self, suffix: str, clear: bool, tmp_path: Path) -> None:
        frames, times = animation(clear=clear), [100, 200, 300, 40]
        options = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 3}
        more = {"lossless": True} if suffix == ".webp" else {"disposal": 2} if suffix == ".gif" else {}
        more |= {"quality": 100, "subsampling": "4:4:4"} if suffix == ".avif" else {}
        data = encoded(frames[0], Image.registered_extensions()[suffix], **options, **more)
        document = image.load(data, "a")
        assert (len(document), document.has_alpha) == (4, clear)
        assert document.metadata.durations == tuple(times)
        found = enlarged(document, tmp_path / f"a{suffix}")
        assert found.metadata.durations == tuple(times)
        assert suffix == ".avif" or found.metadata.plays == 3
        tolerance = 14 if suffix == ".avif" else 0
        for array, frame in zip(found.arrays, frames, strict=True):
            expected = np.asarray(frame)
            seen = expected[..., 3] > 0
            assert np.abs(array.astype(int)[seen] - expected[seen][:, : array.shape[2]]).max() <= tolerance
            if clear:
                assert ((array[..., 3] > 0) == seen).all()

    def test_frames_that_build_on_others(self, tmp_path: Path) -> None:
        frames = [frame.convert("RGB") for frame in animation()]
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50, disposal=1)
        assert len(data) < 2 * len(encoded(frames[0], "GIF")) + 800
        found = again(data, tmp_path / "a.png")
        for array, frame in zip(found.arrays, frames, strict=True):
            assert (array == np.asarray(frame)).all()

    def test_a_gif_that_plays_once(self, tmp_path: Path) -> None:
        frames = animation()
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
        assert again(data, tmp_path / "a.gif").metadata.plays == 1
        assert again(data, tmp_path / "a.png").metadata.plays == 1

    def test_one_frame_is_a_picture(self, tmp_path: Path) -> None:
        found = again(encoded(Image.fromarray(smooth(8, 8, 1)[..., 0]), "GIF"), tmp_path / "a.png")
        assert found.arrays[0].shape == (8, 8, 1)

    @pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".tif"])
    def test_a_format_without_frames_is_refused(self, suffix: str, tmp_path: Path) -> None:
        frames = animation()
        data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
        with pytest.raises(OutputError, match="holds an animation; choose"):
            Result(tmp_path / f"a{suffix}", image.load(data, "a.gif"))


AXES = ["ZYX", "TYX", "CYX", "ZCYX", "TZCYX", "TCYX", "TZYX"]


class TestStacks:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
    @pytest.mark.parametrize("axes", AXES)
    def test_all_planes_and_all_that_is_said_of_them(
        self, axes: str, kind: str, dtype: Any, tmp_path: Path
    ) -> None:
        sizes = {"T": 2, "Z": 3, "C": 2, "Y": 8, "X": 9}
        array = RANDOM.uniform(0, 1, [sizes[axis] for axis in axes])
        array = array.astype(dtype) if dtype is np.float32 else (array * np.iinfo(dtype).max).astype(dtype)
        metadata = {"axes": axes, "spacing": 0.5, "unit": "um"} if kind == "imagej" else {"axes": axes}
        if kind == "ome":
            metadata |= {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm"}
        flags = {} if kind == "shaped" else {kind: True}
        data = tiff(array, metadata=metadata, resolution=(4, 4), photometric="minisblack", **flags)
        again(data, tmp_path / "a.tif")
        with tifffile.TiffFile(io.BytesIO(data)) as old, tifffile.TiffFile(tmp_path / "a.tif") as new:
            before, after = old.series[0], new.series[0]
            assert (after.axes, after.shape, after.dtype) == (before.axes, before.shape, before.dtype)
            assert (after.asarray() == before.asarray()).all()
            assert new.imagej_metadata == old.imagej_metadata
            assert new.pages[0].tags["XResolution"].value == old.pages[0].tags["XResolution"].value
            assert new.ome_metadata == old.ome_metadata
            assert len(new.pages) == len(old.pages)

    @pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
    def test_sizes_and_units_of_larger_planes(self, kind: str, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 65536, (3, 2, 8, 9), dtype=np.uint16)
        metadata: dict[str, Any] = {"axes": "ZCYX"}
        if kind == "ome":
            metadata |= {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
        flags = {} if kind == "shaped" else {kind: True}
        again(tiff(array, metadata=metadata, resolution=(4, 4), **flags), tmp_path / "a.tif", 2)
        with tifffile.TiffFile(tmp_path / "a.tif") as new:
            assert (new.series[0].axes, new.series[0].shape) == ("ZCYX", (3, 2, 16, 18))
            assert (new.series[0].asarray() == array.repeat(2, 2).repeat(2, 3)).all()
            assert new.pages[0].tags["XResolution"].value == (8, 1)
            if kind == "ome":
                assert 'PhysicalSizeX="0.125"' in new.ome_metadata
                assert 'PhysicalSizeY="0.25"' in new.ome_metadata

    def test_labels_and_colours_of_imagej(self, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 256, (2, 8, 9), dtype=np.uint8)
        table = np.arange(256, dtype=np.uint8)[None].repeat(3, 0)
        metadata = {"axes": "CYX", "Labels": ["DAPI", "GFP"], "LUTs": [table, table], "mode": "composite"}
        again(tiff(array, imagej=True, metadata=metadata), tmp_path / "a.tif")
        with tifffile.TiffFile(tmp_path / "a.tif") as new:
            assert new.imagej_metadata["Labels"] == ["DAPI", "GFP"]
            assert (new.imagej_metadata["LUTs"][0] == table).all()

    def test_two_descriptions(self, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 256, (5, 8, 9), dtype=np.uint8)
        again(tiff(array, description="a note", metadata={"axes": "ZYX"}), tmp_path / "a.tif")
        with tifffile.TiffFile(tmp_path / "a.tif") as new:
            assert new.pages[0].description == "a note"
            assert (new.series[0].axes, new.series[0].shape) == ("ZYX", (5, 8, 9))

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("big", [False, True])
    def test_pages_of_which_nothing_is_said(self, big: bool, order: Any, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 65536, (3, 8, 9), dtype=np.uint16)
        data = tiff(
            array,
            photometric="minisblack",
            metadata=None,
            bigtiff=big,
            byteorder=order,
            description="a note",
            software="scope",
        )
        found = again(data, tmp_path / "a.tif")
        assert (planes(found)[..., 0] == array).all()
        with tifffile.TiffFile(tmp_path / "a.tif") as new:
            assert (new.is_bigtiff, new.byteorder, len(new.pages)) == (big, order, 3)
            assert new.pages[0].description == "a note"
            assert new.pages[0].software == "scope"

    def test_axes_that_a_user_gives(self, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 65536, (3, 8, 9), dtype=np.uint16)
        data = tiff(array, photometric="minisblack", metadata=None)
        joined = image.load(data, "a", axes="CYX")
        assert (joined.arrays[0] == array.transpose(1, 2, 0)).all()
        enlarged(joined, tmp_path / "a.tif")
        assert (tifffile.imread(tmp_path / "a.tif") == array).all()
        assert len(image.load(data, "a", axes="zyx")) == 3
        samples = tiff(array.transpose(1, 2, 0).copy(), photometric="minisblack", planarconfig="contig")
        apart = image.load(samples, "a", axes="YXZ")
        assert (planes(apart)[..., 0] == array).all()
        enlarged(apart, tmp_path / "b.tif")
        assert (tifffile.imread(tmp_path / "b.tif") == array.transpose(1, 2, 0)).all()

    @pytest.mark.parametrize("axes", ["YX", "ZZYX", "ZCYX", "ZCX"])
    def test_axes_that_do_not_fit(self, axes: str) -> None:
        with pytest.raises(ImageError, match=rf"axes '{axes}' for values of shape \(3, 8, 9\).*expected 3 "):
            image.load(
                tiff(np.zeros((3, 8, 9), np.uint8), photometric="minisblack", metadata=None),
                "a.tif",
                axes=axes,
            )

    def test_axes_of_a_file_that_has_none(self) -> None:
        with pytest.raises(ImageError, match="has no axes"):
            image.load(encoded(Image.new("L", (8, 8)), "PNG"), "a.png", axes="ZYX")

    def test_pages_of_several_sizes(self, tmp_path: Path) -> None:
        pages = [smooth(8, 9, 3), smooth(6, 5, 1)[..., 0], smooth(6, 5, 3)]
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream) as file:
            for page in pages:
                file.write(page, metadata=None, photometric="rgb" if page.ndim == 3 else "minisblack")
        again(stream.getvalue(), tmp_path / "a.tif")
        with tifffile.TiffFile(tmp_path / "a.tif") as new:
            for page, expected in zip(new.pages, pages, strict=True):
                assert (page.asarray() == expected).all()

    @pytest.mark.parametrize(
        "kind", ["tiled", "zlib", "planes", "rgb", "palette", "white", "bits", "lzw", "jpeg"]
    )
    def test_ways_to_store_a_page(self, kind: str, tmp_path: Path) -> None:
        rgb, grey = smooth(40, 48, 3), smooth(40, 48, 1)[..., 0]
        bits = grey > 128
        data, expected = {
            "tiled": lambda: (tiff(rgb, tile=(16, 16), photometric="rgb"), rgb),
            "zlib": lambda: (tiff(grey, compression="zlib"), grey),
            "planes": lambda: (
                tiff(rgb.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"),
                rgb,
            ),
            "rgb": lambda: (tiff(np.stack([rgb, 255 - rgb]), photometric="rgb"), np.stack([rgb, 255 - rgb])),
            "palette": lambda: (encoded(Image.fromarray(grey).convert("P"), "TIFF"), grey),
            "white": lambda: (tiff(255 - grey, photometric="miniswhite"), grey),
            "bits": lambda: (encoded(Image.fromarray(bits), "TIFF"), bits * np.uint8(255)),
            "lzw": lambda: (encoded(Image.fromarray(rgb), "TIFF", compression="tiff_lzw"), rgb),
            "jpeg": lambda: (encoded(Image.fromarray(grey), "TIFF", compression="jpeg", quality=100), grey),
        }[kind]()
        again(data, tmp_path / "a.tif")
        found = tifffile.imread(tmp_path / "a.tif")
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).max() <= (3 if kind == "jpeg" else 0)

    def test_lzw_of_several_deep_pages(self, tmp_path: Path) -> None:
        pages = [Image.fromarray(smooth(8, 9, 1, 65535 - i, np.uint16)[..., 0]) for i in range(3)]
        data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
        found = again(data, tmp_path / "a.tif")
        assert (planes(found)[..., 0] == np.stack([np.asarray(page) for page in pages])).all()

    def test_values_of_12_bits_keep_their_scale(self, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 65536, (8, 9), dtype=np.uint16)
        found = again(tiff(array), tmp_path / "a.png")
        assert (found.arrays[0][..., 0] == array).all()

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
    def test_a_format_without_planes_is_refused(self, suffix: str, tmp_path: Path) -> None:
        document = image.load(
            tiff(np.zeros((3, 8, 9), np.uint8), photometric="minisblack", metadata=None), "a.tif"
        )
        with pytest.raises(OutputError, match="holds a stack of planes; choose the format tif"):
            Result(tmp_path / f"a{suffix}", document)

    def test_colour_made_of_a_grey_stack(self, tmp_path: Path) -> None:
        array = RANDOM.integers(0, 256, (3, 8, 9), dtype=np.uint8)
        document = image.load(tiff(array, imagej=True, metadata={"axes": "ZYX"}), "a")
        result = Result(tmp_path / "a.tif", document)
        for i in range(3):
            result.add(i, document.picture(i).pixels * torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1))
        result.write()
        with tifffile.TiffFile(tmp_path / "a.tif") as new:
            assert (new.series[0].axes, new.series[0].shape) == ("ZYXS", (3, 8, 9, 3))
            assert (new.series[0].asarray()[..., 0] == array).all()


class TestDamage:
    @pytest.mark.parametrize("interlaced", [False, True])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_half_a_png(self, channels: int, interlaced: bool) -> None:
        array = np.concatenate([RANDOM.integers(1, 256, (40, 48, channels), dtype=np.uint8)])
        picture = Image.fromarray(array[..., 0] if channels == 1 else array)
        data = encoded(picture, "PNG") if not interlaced else adam7(array)
        assert (image.load(data, "a").arrays[0] == array).all()
        found = image.load(data[: len(data) // 2], "a.png", partial=True)
        (note,) = found.notes
        assert "a.png: truncated or damaged" in note
        if not interlaced:
            lost = int(note.partition("last ")[2].partition("%")[0])
            assert 40 <= lost <= 60
            assert (found.arrays[0][:18] == array[:18]).all()

    def test_half_a_deep_png(self) -> None:
        array = RANDOM.integers(0, 65536, (40, 48, 3), dtype=np.uint16)
        found = image.load(png16(array)[:5000], "a.png", partial=True)
        assert (found.arrays[0][:15] == array[:15]).all()
        assert "lost, and black" in found.notes[0]

    @pytest.mark.parametrize("turn", [1, 6])
    def test_half_a_jpeg(self, turn: int) -> None:
        array = RANDOM.integers(0, 256, (96, 64, 3), dtype=np.uint8)
        data = encoded(Image.fromarray(array), "JPEG", quality=90, exif=exif(turn))
        whole = image.load(data, "a.jpg").arrays[0]
        found = image.load(data[: len(data) // 2], "a.jpg", partial=True)
        assert found.arrays[0].shape == whole.shape
        lost = int(found.notes[0].partition("last ")[2].partition("%")[0])
        assert 35 <= lost <= 60
        good = np.s_[:30] if turn == 1 else np.s_[:, -30:]
        assert np.abs(found.arrays[0][good].astype(int) - whole[good]).max() < 3

    def test_a_whole_file_has_no_notes(self) -> None:
        assert image.load(encoded(Image.new("L", (8, 8)), "JPEG"), "a", partial=True).notes == ()

    @pytest.mark.parametrize("format", ["JPEG", "PNG"])
    def test_a_head_alone_is_refused(self, format: str) -> None:
        data = encoded(Image.fromarray(RANDOM.integers(0, 256, (96, 64, 3), dtype=np.uint8)), format)
        with pytest.raises(ImageError, match="truncated"):
            image.load(data[:60], "a", partial=True)

    def test_it_is_not_read_where_that_is_not_said(self) -> None:
        data = encoded(Image.fromarray(RANDOM.integers(0, 256, (96, 64, 3), dtype=np.uint8)), "JPEG")
        with pytest.raises(ImageError, match="truncated"):
            image.read(data[: len(data) // 2])


def adam7(array: np.ndarray) -> bytes:
    """An interlaced PNG."""
    from restora.pictures.png import PASSES

    height, width, channels = array.shape
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 1)
    rows = b""
    for top, left, down, right in PASSES:
        rows += b"".join(b"\0" + row.tobytes() for row in array[top::down, left::right])
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in parts)


class TestFormats:
    def test_a_photo_with_a_preview(self, tmp_path: Path) -> None:
        photo = Image.fromarray(smooth(40, 48, 3))
        data = encoded(photo, "MPO", save_all=True, append_images=[photo.resize((20, 20))], quality=95)
        document = image.load(data, "a.jpg")
        assert document.arrays[0].shape == (40, 48, 3)
        assert document.notes == ("a.jpg: holds 2 pictures; only the first, its main one, is restored",)
        assert len(enlarged(document, tmp_path / "a.jpg")) == 1

    @pytest.mark.parametrize("mode", ["CMYK", "LAB"])
    def test_tiffs_of_other_colours(self, mode: str, tmp_path: Path) -> None:
        array = smooth(40, 48, 3)
        picture = Image.fromarray(array)
        if mode == "CMYK":
            data = encoded(picture.convert("CMYK"), "TIFF")
        else:
            seen = ImageCms.profileToProfile(
                picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
            )
            assert seen is not None
            data = encoded(seen, "TIFF")
        found = again(data, tmp_path / "a.tif")
        assert np.abs(found.arrays[0].astype(int) - array).mean() < 4

    @pytest.mark.parametrize("suffix", [".avif", ".gif", ".jfif", ".jpe", ".apng", ".heic", ".jxl"])
    def test_suffixes_are_known(self, suffix: str) -> None:
        from restora.pictures.formats import SUFFIXES

        assert suffix in SUFFIXES

    @pytest.mark.parametrize(("format", "module"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
    def test_extras_are_read_and_named(
        self, format: str, module: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import sys

        plugin = pytest.importorskip(module)
        if format == "HEIF":
            plugin.register_heif_opener()
        array = smooth(48, 64, 3)
        data = encoded(Image.fromarray(array), format, quality=95, exif=exif(1).tobytes())
        found = image.load(data, "a")
        assert np.abs(found.arrays[0].astype(int) - array).mean() < 5
        assert found.metadata.exif
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImageError, match=r"pip install 'restora\[(heic|jxl)\]'"):
            image.load(data, "a")

    @pytest.mark.parametrize("quality", [30, 95])
    def test_quality(self, quality: int, tmp_path: Path) -> None:
        noise = Image.fromarray(RANDOM.integers(0, 256, (96, 64, 3), dtype=np.uint8))
        for suffix in (".jpg", ".webp", ".avif"):
            again(encoded(noise, "PNG"), tmp_path / f"a{suffix}", quality=quality)
        with Image.open(tmp_path / "a.jpg") as found:
            assert (max(found.quantization[0]) < 20) == (quality == 95)
        sizes = [(tmp_path / f"a{suffix}").stat().st_size for suffix in (".jpg", ".webp", ".avif")]
        assert all(size < 6500 for size in sizes) == (quality == 30)

    @pytest.mark.parametrize("suffix", [".jpg", ".avif", ".webp"])
    def test_results_are_good_and_have_all_their_chroma(self, suffix: str, tmp_path: Path) -> None:
        array = RANDOM.integers(60, 200, (96, 64, 3), dtype=np.uint8)
        found = again(encoded(Image.fromarray(array), "PNG"), tmp_path / f"a{suffix}")
        half = io.BytesIO(encoded(Image.fromarray(array), "JPEG", quality=95, subsampling="4:2:0"))
        error = np.abs(found.arrays[0].astype(int) - array).mean()
        assert error < min(4, np.abs(np.asarray(Image.open(half)).astype(int) - array).mean() / 3)

"""restora.pictures.image: every kind of file that is accepted, and what is said of those that are not."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from restora.errors import ImageError, MaskError, OutputError, RestoraError
from restora.pictures import colour, formats, image
from restora.pictures.atomic import atomic
from restora.pictures.file import File

RANDOM = np.random.default_rng(1)
DEEP = RANDOM.integers(0, 65536, (5, 7, 3), dtype=np.uint16)
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=format, **options)
    return stream.getvalue()


def tiff(array: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(array: np.ndarray, colour: int, *, size: tuple[int, int] | None = None) -> bytes:
    """A PNG written by hand, for kinds that Pillow cannot write; `size` is what the header claims."""
    height, width = size or array.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, array.dtype.itemsize * 8, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(array.dtype.newbyteorder(">")).tobytes() for row in array)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return PNG_MAGIC + b"".join(chunk(kind, data) for kind, data in parts)


def levels(picture: image.Picture, full: int = 255) -> np.ndarray:
    """(H, W, C) in [0, full], not rounded."""
    return picture.pixels.permute(1, 2, 0).double().numpy() * full


def tensor(array: np.ndarray) -> torch.Tensor:
    """(H, W, C) unsigned -> (C, H, W) in [0, 1]."""
    full = np.iinfo(array.dtype).max
    return torch.from_numpy(array.astype(np.float32) / full).permute(2, 0, 1)


class TestRead:
    @pytest.mark.parametrize(
        ("format", "tolerance"), [("PNG", 0), ("TIFF", 0), ("BMP", 0), ("JPEG", 12), ("WEBP", 12)]
    )
    def test_colour(self, picture, format, tolerance):
        options = {"quality": 95} if tolerance else {}
        found = image.read(encoded(Image.fromarray(picture), format, **options))
        assert found.size == (24, 32)
        assert found.bits == 8
        assert found.pixels.dtype == torch.float32
        assert np.abs(levels(found) - picture).max() <= tolerance + 1e-4

    @pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "JPEG"])
    def test_grey_stays_grey(self, picture, format):
        grey = picture[..., :1]
        found = image.read(encoded(Image.fromarray(grey[..., 0]), format))
        assert found.pixels.shape == (1, 24, 32)
        assert np.abs(levels(found) - grey).max() <= (8 if format == "JPEG" else 1e-4)

    def test_grey_is_repeated_where_colour_is_needed(self, picture):
        data = encoded(Image.fromarray(picture[..., 0]), "PNG")
        found = levels(image.read(data, channels=3))
        np.testing.assert_allclose(found, np.repeat(picture[..., :1], 3, axis=2), atol=1e-4)

    def test_colour_becomes_bt601_luma_where_grey_is_needed(self, picture):
        found = levels(image.read(encoded(Image.fromarray(picture), "PNG"), channels=1))
        np.testing.assert_allclose(found[..., 0], picture @ [0.299, 0.587, 0.114], atol=1e-3)

    @pytest.mark.parametrize("depth", [1, 8])
    def test_channel_counts_given_explicitly(self, picture, depth):
        source = Image.fromarray(picture).convert("1" if depth == 1 else "L")
        assert image.read(encoded(source, "PNG"), channels=1).pixels.shape[0] == 1
        assert image.read(encoded(source, "PNG"), channels=3).pixels.shape[0] == 3

    @pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
    def test_one_bit(self, format):
        bits = RANDOM.integers(0, 2, (6, 11), dtype=np.uint8) * 255
        found = image.read(encoded(Image.fromarray(bits).convert("1"), format))
        np.testing.assert_array_equal(levels(found)[..., 0], bits)

    def test_palette(self, picture):
        source = Image.fromarray(picture).quantize(16)
        found = image.read(encoded(source, "PNG"))
        np.testing.assert_allclose(levels(found), np.asarray(source.convert("RGB")), atol=1e-4)

    def test_transparent_palette_entry_is_white(self, picture):
        source = Image.fromarray(picture).quantize(16)
        clear = int(np.asarray(source)[0, 0])
        found = levels(image.read(encoded(source, "PNG", transparency=clear)))
        expected = np.asarray(source.convert("RGB")).copy()
        expected[np.asarray(source) == clear] = 255
        assert (expected != np.asarray(source.convert("RGB"))).any()
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_alpha_is_laid_over_white(self, picture):
        alpha = RANDOM.integers(0, 256, (24, 32, 1), dtype=np.uint8)
        data = encoded(Image.fromarray(np.concatenate([picture, alpha], axis=2)), "PNG")
        share = alpha / 255
        np.testing.assert_allclose(levels(image.read(data)), picture * share + 255 * (1 - share), atol=1e-3)

    def test_opaque_alpha_changes_nothing(self, picture):
        opaque = np.full((24, 32, 1), 255, np.uint8)
        with_alpha = encoded(Image.fromarray(np.concatenate([picture, opaque], axis=2)), "PNG")
        without = encoded(Image.fromarray(picture), "PNG")
        assert torch.equal(image.read(with_alpha).pixels, image.read(without).pixels)

    def test_grey_with_alpha_stays_grey(self):
        array = RANDOM.integers(0, 256, (6, 5, 2), dtype=np.uint8)
        found = image.read(encoded(Image.fromarray(array, "LA"), "PNG"))
        share = array[..., 1] / 255
        assert found.pixels.shape == (1, 6, 5)
        np.testing.assert_allclose(
            levels(found)[..., 0], array[..., 0] * share + 255 * (1 - share), atol=1e-3
        )

    def test_cmyk_jpeg(self, picture):
        source = Image.fromarray(picture).convert("CMYK")
        found = image.read(encoded(source, "JPEG", quality=98))
        assert np.abs(levels(found) - picture).max() <= 16

    def test_first_page_of_several(self, picture):
        pages = [Image.fromarray(picture), Image.fromarray(255 - picture)]
        data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
        np.testing.assert_allclose(levels(image.read(data)), picture, atol=1e-4)


class TestDeep:
    """More than 8 bits a channel."""

    @pytest.mark.parametrize("suffix", [".png", ".tiff"])
    def test_colour(self, suffix):
        found = image.read(cv2.imencode(suffix, DEEP[..., ::-1])[1].tobytes())
        assert found.bits == 16
        np.testing.assert_allclose(levels(found, 65535), DEEP, atol=0.01)

    @pytest.mark.parametrize("suffix", [".png", ".tiff"])
    def test_grey(self, suffix):
        found = image.read(cv2.imencode(suffix, DEEP[..., 0])[1].tobytes())
        assert found.bits == 16
        np.testing.assert_allclose(levels(found, 65535), DEEP[..., :1], atol=0.01)

    def test_big_endian_grey_tiff(self):
        found = image.read(tiff(DEEP[..., 0], byteorder=">"))
        np.testing.assert_allclose(levels(found, 65535), DEEP[..., :1], atol=0.01)

    @pytest.mark.parametrize(("channels", "colour"), [(2, 4), (4, 6)])
    def test_alpha(self, channels, colour):
        array = RANDOM.integers(0, 65536, (5, 7, channels), dtype=np.uint16)
        found = image.read(png(array, colour))
        share = array[..., -1:] / 65535
        expected = array[..., :-1] * share + 65535 * (1 - share)
        assert found.bits == 16
        np.testing.assert_allclose(levels(found, 65535), expected, atol=0.1)

    @pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
    def test_float_tiff_keeps_its_values(self, shape):
        array = RANDOM.uniform(-0.2, 1.2, shape).astype(np.float32)
        found = image.read(tiff(array, photometric="rgb" if len(shape) == 3 else "minisblack"))
        np.testing.assert_array_equal(found.pixels.permute(1, 2, 0).numpy().reshape(shape), array)

    @pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_float_tiff_with_non_finite_values(self, shape, bad):
        array = np.full(shape, 0.5, np.float32)
        array[2, 3] = bad
        with pytest.raises(ImageError, match="NaN or infinite"):
            image.read(tiff(array, photometric="rgb" if len(shape) == 3 else "minisblack"))

    def test_float_tiff_on_another_scale(self):
        with pytest.raises(ImageError, match=r"from 0 to 254.*expected \[0, 1\]"):
            image.read(tiff(np.arange(0, 255, 2, dtype=np.float32).reshape(8, 16)))

    def test_integers_of_32_bits(self):
        with pytest.raises(ImageError, match="expected 8 or 16 bits"):
            image.read(tiff(np.full((5, 7), 70_000, np.int32)))

    def test_half_precision(self, capfd):
        assert (image.read(tiff(np.full((5, 7), 0.5, np.float16))).pixels == 0.5).all()
        assert capfd.readouterr() == ("", "")

    def test_complex_numbers(self, capfd):
        with pytest.raises(ImageError, match=r"complex64; expected 8 or 16 bits"):
            image.read(tiff(np.full((5, 7), 0.5, np.complex64)))
        assert capfd.readouterr() == ("", "")


SAMPLES = {"photometric": "minisblack", "planarconfig": "contig"}
STACKS = {
    "imagej": {"imagej": True, "metadata": {"axes": "CYX"}},
    "ome": {"ome": True, "metadata": {"axes": "CYX"}},
    "axes": {"metadata": {"axes": "CYX"}, "photometric": "minisblack"},
    "planes": {"photometric": "minisblack", "planarconfig": "separate"},
}


class TestChannels:
    """TIFFs of other than 1 or 3 channels."""

    @pytest.mark.parametrize("count", [2, 4, 5, 16])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_samples_of_a_pixel(self, count, dtype):
        array = RANDOM.integers(0, np.iinfo(dtype).max, (5, 7, count), dtype=dtype)
        found = image.read(tiff(array, **SAMPLES))
        assert found.bits == array.dtype.itemsize * 8
        assert torch.equal(found.pixels, tensor(array))

    @pytest.mark.parametrize("kind", STACKS)
    @pytest.mark.parametrize("count", [2, 3, 5])
    def test_pages_and_planes(self, kind, count):
        array = RANDOM.integers(0, 65536, (count, 5, 7), dtype=np.uint16)
        found = image.read(tiff(array, **STACKS[kind]))
        assert found.bits == 16
        assert torch.equal(found.pixels, tensor(array.transpose(1, 2, 0)))

    @pytest.mark.parametrize("axes", ["ZYX", "TYX"])
    def test_pages_that_are_no_channels(self, axes):
        array = RANDOM.integers(0, 65536, (4, 5, 7), dtype=np.uint16)
        found = image.read(tiff(array, imagej=True, metadata={"axes": axes}))
        assert torch.equal(found.pixels, tensor(array[0][..., None]))

    def test_pages_of_which_nothing_is_said(self):
        array = RANDOM.integers(0, 65536, (2, 5, 7), dtype=np.uint16)
        assert torch.equal(image.read(tiff(array, metadata=None)).pixels, tensor(array[0][..., None]))

    def test_the_channels_of_the_first_slice(self):
        array = RANDOM.integers(0, 65536, (3, 2, 5, 7), dtype=np.uint16)
        found = image.read(tiff(array, imagej=True, metadata={"axes": "ZCYX"}))
        assert torch.equal(found.pixels, tensor(array[0].transpose(1, 2, 0)))

    def test_floats(self):
        array = RANDOM.uniform(0, 1, (5, 7, 2)).astype(np.float32)
        np.testing.assert_array_equal(image.read(tiff(array, **SAMPLES)).pixels.permute(1, 2, 0), array)

    @pytest.mark.parametrize("count", [2, 6])
    def test_declared_alpha_is_laid_over_white(self, count):
        array = RANDOM.integers(0, 65536, (5, 7, count), dtype=np.uint16)
        kinds = ["unspecified"] * (count - 2) + ["unassalpha"]
        found = image.read(tiff(array, **SAMPLES, extrasamples=kinds))
        share = array[..., -1:] / 65535
        expected = array[..., :-1] * share + 65535 * (1 - share)
        np.testing.assert_allclose(levels(found, 65535), expected, atol=0.1)

    def test_a_fourth_sample_beside_rgb_that_is_not_said_to_be_alpha(self):
        array = RANDOM.integers(0, 256, (5, 7, 4), dtype=np.uint8)
        found = image.read(tiff(array, photometric="rgb", extrasamples=["unspecified"]))
        assert torch.equal(found.pixels, tensor(array))

    def test_deep_colour_in_planes(self):
        data = tiff(DEEP.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
        assert torch.equal(image.read(data).pixels, tensor(DEEP))

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation(self, picture, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        upright = image.read(encoded(Image.fromarray(picture), "PNG", exif=exif)).pixels
        turned = image.read(tiff(picture[..., :2], **SAMPLES, extratags=[(274, 3, 1, orientation, True)]))
        assert torch.equal(turned.pixels, upright[:2])

    def test_too_many_channels(self):
        with pytest.raises(ImageError, match=r"a.tif: 17 channels; at most 16"):
            image.read(tiff(np.zeros((5, 7, 17), np.uint8), **SAMPLES), name="a.tif")

    def test_max_pixels(self):
        with pytest.raises(ImageError, match="7x5"):
            image.read(tiff(np.zeros((5, 7, 2), np.uint8), **SAMPLES), max_pixels=34)

    def test_damage_is_either_read_or_reported(self):
        whole = tiff(RANDOM.integers(0, 65536, (3, 9, 7), dtype=np.uint16), **STACKS["imagej"])
        for seed in range(100):
            random = np.random.default_rng(seed)
            data = np.frombuffer(whole, np.uint8).copy()
            data[random.integers(0, min(len(data), 400), 4)] = random.integers(0, 256, 4)
            try:
                assert image.read(data.tobytes()).pixels.isfinite().all()
            except ImageError as error:
                assert "\n" not in str(error)  # noqa: PT017

    @pytest.mark.parametrize(("has", "wanted"), [(2, 3), (2, 1), (1, 2), (3, 2), (5, 3)])
    def test_channels_that_cannot_be_made(self, has, wanted):
        with pytest.raises(
            ImageError, match=rf"a.tif: has {has} channels?, expected {wanted}; .*channels={has} "
        ):
            colour.convert(torch.zeros(has, 2, 2), wanted, "a.tif")

    def test_kept_where_they_are_wanted(self):
        assert colour.convert(torch.zeros(5, 2, 2), 5).shape == (5, 2, 2)


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_as_pillow_does(self, picture, format, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(Image.fromarray(picture), format, exif=exif)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        assert upright.size == ((32, 24) if orientation < 5 else (24, 32))
        np.testing.assert_allclose(levels(image.read(data)), np.asarray(upright), atol=1e-4)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["png", "tiff", "float tiff"])
    def test_deep_files_turn_as_8_bit_ones(self, picture, kind, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        expected = levels(image.read(encoded(Image.fromarray(picture), "PNG", exif=exif)))
        if kind == "png":
            plain = png(picture.astype(np.uint16) * 257, colour=2)
            data = plain[:33] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + plain[33:]
        else:
            array = picture.astype(np.uint16) * 257 if kind == "tiff" else picture / np.float32(255)
            data = tiff(array, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
        np.testing.assert_allclose(levels(image.read(data)), expected, atol=1e-3)

    @pytest.mark.parametrize("orientation", [0, 9, 60_000])
    def test_a_meaningless_orientation_is_ignored(self, picture, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        found = image.read(encoded(Image.fromarray(picture), "PNG", exif=exif))
        np.testing.assert_allclose(levels(found), picture, atol=1e-4)

    @pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0MM"])
    def test_damaged_exif_is_ignored(self, picture, exif):
        found = image.read(encoded(Image.fromarray(picture), "JPEG", exif=exif, quality=95))
        assert np.abs(levels(found) - picture).max() <= 12

    @pytest.mark.parametrize("exif", [b"II*\0", b"II*\0\x08\0\0\0\x01\0\x12\x01\x01\0\x01\0\0\0\x06\0\0\0"])
    def test_damaged_exif_of_a_file_is_ignored(self, picture, exif, tmp_path):
        path = tmp_path / "damaged.png"
        path.write_bytes(encoded(Image.fromarray(picture), "PNG", exif=exif))
        assert image.size(path) == picture.shape[:2]
        np.testing.assert_allclose(levels(image.read(path)), picture, atol=1e-4)


class TestRefused:
    def refused(self, source: Path | str | bytes) -> str:
        with pytest.raises(ImageError) as caught:
            image.read(source)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
    def test_truncated(self, picture, format, tmp_path):
        path = tmp_path / "cut.png"
        data = encoded(Image.fromarray(picture), format)
        path.write_bytes(data[: len(data) // 2])
        assert str(path) in self.refused(path)

    def test_truncated_deep_png(self):
        data = cv2.imencode(".png", RANDOM.integers(0, 65536, (50, 70, 3), dtype=np.uint16))[1].tobytes()
        assert "truncated" in self.refused(data[: len(data) // 2])

    @pytest.mark.parametrize(
        "data", [b"", b"hello", b"GIF89a\1\0\1\0", b"%!PS-Adobe-3.0 EPSF-3.0\n", PNG_MAGIC]
    )
    def test_not_an_image(self, data):
        assert "not an image" in self.refused(data)

    def test_a_format_outside_the_list_is_not_even_opened(self, picture):
        assert "expected one of .png" in self.refused(encoded(Image.fromarray(picture), "PPM"))

    def test_missing(self, tmp_path):
        assert (
            self.refused(tmp_path / "no.png")
            == f"{tmp_path}/no.png: cannot be read (No such file or directory)"
        )

    def test_folder(self, tmp_path):
        assert "cannot be read" in self.refused(tmp_path)

    def test_impossible_name(self):
        assert "cannot be read" in self.refused("nul\0.png")

    def test_bomb(self):
        bomb = png(np.zeros((1, 1), np.uint8), colour=0, size=(100_000, 100_000))
        assert len(bomb) < 100
        assert "pixels" in self.refused(bomb)

    @pytest.mark.parametrize("kind", ["png", "float tiff"])
    def test_max_pixels(self, kind):
        flat = np.zeros((10, 10, 3), np.float32)
        data = tiff(flat, photometric="rgb") if kind == "float tiff" else png(flat.astype(np.uint8), colour=2)
        assert image.read(data, max_pixels=100).size == (10, 10)
        with pytest.raises(
            ImageError, match=r"10x10 is 0.0001 megapixels; at most 9.9e-05 .* raise max_pixels"
        ):
            image.read(data, max_pixels=99)

    def test_many_pixels_are_refused_by_the_head_and_read_where_they_may_be(self, tmp_path, monkeypatch):
        """Also beyond the limit of Pillow, which is as it was afterwards."""
        path = tmp_path / "large.png"
        Image.new("1", (20_000, 10_000)).save(path)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", usual := Image.MAX_IMAGE_PIXELS)
        with monkeypatch.context() as context:
            context.setattr(Path, "read_bytes", lambda path: pytest.fail("was read"))
            assert "20000x10000 is 200 megapixels; at most 64 are accepted" in self.refused(path)
        assert image.size(path) == (10_000, 20_000)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
        Image.new("1", (20, 10)).save(path)
        assert image.read(path).size == (10, 20)
        assert Image.MAX_IMAGE_PIXELS == 50 != usual

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
    def test_damage_is_either_read_or_reported(self, picture, format):
        whole = encoded(Image.fromarray(picture), format)
        for seed in range(60):
            random = np.random.default_rng(seed)
            data = np.frombuffer(whole, np.uint8).copy()
            places = random.integers(0, min(len(data), 400), 4)
            data[places] = random.integers(0, 256, 4)
            try:
                assert image.read(data.tobytes()).pixels.isfinite().all()
            except ImageError as error:
                assert "\n" not in str(error)  # noqa: PT017


@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 4, 7, 16])),
    )
)
def test_what_is_written_is_read(tmp_path_factory, array):
    bits = array.dtype.itemsize * 8
    path = tmp_path_factory.mktemp("files") / f"a{image.result_suffix(array.shape[2])}"
    image.write(path, tensor(array), bits)
    found = image.read(path)
    assert found.bits == bits
    assert torch.equal(found.pixels, tensor(array))
    assert File(path).head.size == array.shape[:2]


def test_a_png_of_two_channels_is_not_written(tmp_path):
    with pytest.raises(OutputError, match=r"\.png has 1 or 3 channels, got 2; write a \.tif"):
        image.write(tmp_path / "a.png", torch.zeros(2, 4, 4))


def test_the_standard_deviation_of_two_channels_keeps_16_bits(tmp_path):
    image.write(tmp_path / "a.tiff", torch.full((2, 4, 4), 1000 / 65535), bits=16)
    assert (tifffile.imread(tmp_path / "a.tiff") == 1000).all()


class TestWrite:
    @pytest.mark.parametrize("suffix", formats.WRITTEN)
    @pytest.mark.parametrize("channels", [1, 3])
    def test_the_suffix_names_the_format(self, picture, tmp_path, suffix, channels):
        path = tmp_path / f"a{suffix.upper()}"
        image.write(path, tensor(picture[..., :channels]))
        format = formats.of_suffix(suffix)
        assert format is not None
        with Image.open(path) as found:
            assert found.format == format.name
        found = levels(image.read(path, channels=channels))
        assert np.abs(found - picture[..., :channels]).max() <= (12 if format.lossy else 1e-4)

    @pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_16_bits(self, tmp_path, suffix, channels):
        path = tmp_path / f"a{suffix}"
        image.write(path, tensor(DEEP[..., :channels]), bits=16)
        found = image.read(path)
        assert found.bits == 16
        np.testing.assert_allclose(levels(found, 65535), DEEP[..., :channels], atol=0.01)

    def test_16_bits_become_8_where_the_format_has_no_more(self, tmp_path):
        image.write(tmp_path / "a.bmp", tensor(DEEP), bits=16)
        found = image.read(tmp_path / "a.bmp")
        assert found.bits == 8
        assert np.abs(levels(found) - DEEP / 257).max() <= 0.501

    @given(
        hnp.arrays(np.uint8, st.tuples(*map(st.integers, (1, 1, 1), (9, 9, 2)))),
        st.sampled_from([".png", ".bmp"]),
    )
    def test_round_trip_of_8_bits(self, array, suffix):
        array = array if array.shape[2] == 1 else np.concatenate([array, array[..., :1]], axis=2)
        found = image.read(image.encode(tensor(array), suffix))
        assert torch.equal(colour.to_uint8(found.pixels), torch.from_numpy(array).permute(2, 0, 1))

    @given(hnp.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))))
    @example(np.zeros((1, 1, 1), np.uint16))
    def test_round_trip_of_16_bits(self, array):
        for suffix in (".png", ".tiff"):
            found = image.read(image.encode(tensor(array), suffix, bits=16))
            assert found.bits == 16
            np.testing.assert_array_equal(np.rint(levels(found, 65535)), array)

    def test_values_are_clipped_and_rounded_to_nearest(self):
        x = torch.tensor([-1.0, 0.49 / 255, 0.51 / 255, 254.51 / 255, 2.0])
        assert colour.to_uint8(x).tolist() == [0, 0, 1, 255, 255]

    def test_makes_the_folder(self, picture, tmp_path):
        image.write(tmp_path / "a" / "b" / "c.png", tensor(picture))
        assert image.read(tmp_path / "a" / "b" / "c.png").size == (24, 32)

    def test_a_tensor_with_a_gradient(self, tmp_path):
        image.write(tmp_path / "a.png", torch.rand(3, 4, 4, requires_grad=True))
        image.write(tmp_path / "b.png", torch.rand(3, 4, 4, requires_grad=True), bits=16)

    def test_longest_file_name(self, tmp_path):
        path = tmp_path / ("n" * 251 + ".png")
        image.write(path, torch.rand(3, 4, 4))
        assert path.exists()

    def test_permissions_follow_the_umask(self, tmp_path):
        before = os.umask(0o027)
        try:
            image.write(tmp_path / "a.png", torch.rand(3, 4, 4))
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640

    @pytest.mark.parametrize("name", ["a.heic", "a", "a.txt"])
    def test_unknown_suffix(self, tmp_path, name):
        with pytest.raises(OutputError, match="unknown suffix"):
            image.write(tmp_path / name, torch.rand(3, 4, 4))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_a_picture_that_diverged(self, tmp_path, bad):
        with pytest.raises(OutputError, match="NaN or infinite"):
            image.write(tmp_path / "a.png", torch.full((3, 4, 4), bad))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", [".webp", ".jpg"])
    def test_a_size_that_the_format_cannot_have(self, tmp_path, suffix):
        with pytest.raises(OutputError, match="cannot be encoded"):
            image.write(tmp_path / f"a{suffix}", torch.zeros(1, 1, 70_000))
        assert list(tmp_path.iterdir()) == []

    def test_a_file_where_the_folder_should_be(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match="cannot be written"):
            image.write(tmp_path / "file" / "a.png", torch.rand(3, 4, 4))

    def test_a_folder_where_the_file_should_be(self, tmp_path):
        (tmp_path / "a.png").mkdir()
        with pytest.raises(OutputError, match="cannot be written"):
            image.write(tmp_path / "a.png", torch.rand(3, 4, 4))
        assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


class TestAtomic:
    """A failure leaves the earlier file as it was, and nothing else."""

    def full_disk(self, *args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def half_written(self, path: Path, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        self.full_disk()

    @pytest.mark.parametrize("stage", ["encode", "write", "rename"])
    def test_full_disk(self, tmp_path, monkeypatch, stage):
        earlier, new = tmp_path / "earlier.png", tmp_path / "new.png"
        image.write(earlier, torch.rand(3, 4, 4))
        kept = earlier.read_bytes()
        if stage == "encode":
            monkeypatch.setattr(Image.Image, "save", self.full_disk)
        elif stage == "write":
            monkeypatch.setattr(Path, "write_bytes", lambda path, data: self.half_written(path, data))
        else:
            monkeypatch.setattr(os, "replace", self.full_disk)
        for path in (earlier, new):
            with pytest.raises(OutputError) as caught:
                image.write(path, torch.rand(3, 4, 4))
            assert str(path) in str(caught.value)
            assert "No space left on device" in str(caught.value)
            assert "\n" not in str(caught.value)
        assert [p.name for p in tmp_path.iterdir()] == ["earlier.png"]
        assert earlier.read_bytes() == kept

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
    def test_other_exceptions_pass_through_and_clean_up(self, tmp_path, error):
        def fail(part: Path) -> None:
            part.write_bytes(b"half")
            raise error

        with pytest.raises(error), atomic(tmp_path / "a.png") as part:
            fail(part)
        assert list(tmp_path.iterdir()) == []

    def test_the_file_appears_only_at_the_end(self, tmp_path):
        path = tmp_path / "a.png"
        with atomic(path) as part:
            assert part.parent == tmp_path
            part.write_bytes(b"whole")
            assert not path.exists()
        assert path.read_bytes() == b"whole"
        assert list(tmp_path.iterdir()) == [path]


def test_every_error_is_a_restora_error():
    assert issubclass(ImageError, RestoraError)
    assert issubclass(MaskError, ImageError)
    assert issubclass(OutputError, RestoraError)


def test_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (6, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    picture.save(tmp_path / "upright.png")
    for name in ("turned.jpg", "upright.png"):
        assert image.size(tmp_path / name) == image.read(tmp_path / name).size
    assert image.size(tmp_path / "turned.jpg") == (6, 4)
    assert image.size(tmp_path / "missing.png") is None

"""Files as people have them, through whole commands: what comes back has all that went in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms, ImageOps
from rich.progress import Progress
from skimage import data

from restora.noise.level import estimate_noise
from restora.pictures import image
from restora.pictures.exif import PREFIX, upright

Command = Callable[..., Any]
RANDOM = np.random.default_rng(5)
TV = ("--task", "denoise", "--sigma", 0.05, "--method", "tv", "--device", "cpu")


def smooth(height: int, width: int, shift: float = 0) -> np.ndarray:
    row, column = np.mgrid[0:height, 0:width]
    return 0.5 + 0.4 * np.sin(row / 9 + shift) * np.cos(column / 11 - shift)


def noisy(*truth: np.ndarray) -> np.ndarray:
    """16 bits, with noise of 0.05."""
    stack = np.stack(truth)
    return np.rint((stack + RANDOM.normal(0, 0.05, stack.shape)).clip(0, 1) * 65535).astype(np.uint16)


def coloured(height: int, width: int) -> np.ndarray:
    """(H, W, 3) of 8 bits."""
    planes = noisy(*(smooth(height, width, shift) for shift in range(3)))
    return (planes >> 8).astype(np.uint8).transpose(1, 2, 0)


def done(restora: Command, *words: object) -> Any:
    found = restora(*words)
    assert found.code == 0, found.err
    return found


def entry(out: Path) -> dict[str, Any]:
    (found,) = json.loads((out / "restora.json").read_text())["files"].values()
    return found


class TestStacks:
    @pytest.mark.parametrize("axes", ["ZYX", "ZCYX", "TZCYX"])
    def test_every_plane_is_denoised(self, axes: str, restora: Command, tmp_path: Path) -> None:
        sizes = [{"T": 2, "Z": 3, "C": 2}[axis] for axis in axes[:-2]]
        truth = [smooth(40, 44, i) for i in range(int(np.prod(sizes)))]
        tifffile.imwrite(
            tmp_path / "a.tif", noisy(*truth).reshape(*sizes, 40, 44), imagej=True, metadata={"axes": axes}
        )
        done(restora, "restore", tmp_path / "a.tif", "-o", tmp_path / "out", *TV)
        with tifffile.TiffFile(tmp_path / "out" / "a.tif") as found:
            assert (found.series[0].axes, found.series[0].dtype) == (axes, np.uint16)
            planes = found.series[0].asarray().reshape(-1, 40, 44) / 65535
        assert all(np.sqrt(np.mean((x - y) ** 2)) < 0.03 for x, y in zip(planes, truth, strict=True))
        assert entry(tmp_path / "out")["planes"] == np.prod(sizes) // (2 if "C" in axes else 1)

    def test_channels_as_grey_pictures_and_what_they_are_uncertain_of(
        self, restora: Command, tmp_path: Path
    ) -> None:
        truth = [smooth(40, 44, i) for i in range(4)]
        data = noisy(*truth).reshape(2, 2, 40, 44)
        tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZCYX"})
        words = ("--task", "denoise", "--sigma", 0.05, "--device", "cpu", "--prior", "natural")
        more = ("--uncertainty", "--samples", 2)
        done(restora, "restore", tmp_path / "a.tif", "-o", tmp_path / "out", *words, *more)
        for name in ("a.tif", "a-2.tif", "a-std.tiff"):
            with tifffile.TiffFile(tmp_path / "out" / name) as found:
                assert (found.series[0].axes, found.series[0].shape) == ("ZCYX", (2, 2, 40, 44))
        planes = tifffile.imread(tmp_path / "out" / "a.tif").reshape(-1, 40, 44) / 65535
        assert all(np.sqrt(np.mean((x - y) ** 2)) < 0.035 for x, y in zip(planes, truth, strict=True))
        assert len({plane.tobytes() for plane in planes}) == 4

    def test_noise_that_hides_in_some_planes_is_known_from_the_others(
        self, restora: Command, tmp_path: Path
    ) -> None:
        """Textured planes show none of it, and a clean one, which has none, stays as it is."""
        photo, random = data.camera()[60:124, 100:180] / 255, np.random.default_rng(1)
        truth = [np.roll(photo, 7 * i, 0) for i in range(7)]
        stack = [plane + random.normal(0, 0.05, plane.shape) for plane in truth]
        planes = np.rint(65535 * np.stack([*stack, smooth(64, 80)]).clip(0, 1)).astype(np.uint16)
        alone = [estimate_noise(torch.from_numpy(p / 65535.0)[None, None])[0].sigma.item() for p in planes]
        assert 1 < sum(level == 0 for level in alone) < 4
        tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, metadata={"axes": "ZYX"})
        words = ("--task", "denoise", "--method", "tv", "--device", "cpu")
        told = done(restora, "restore", tmp_path / "a.tif", "-o", tmp_path / "out", *words)
        found = tifffile.imread(tmp_path / "out/a.tif")
        for before, after, known in zip(planes, found, truth, strict=False):
            errors = [np.square(part / 65535.0 - known).mean() for part in (before, after)]
            assert errors[1] < 0.8 * errors[0]
        assert np.array_equal(found[7], planes[7])
        assert "no noise was found in 1 of its 8 pictures, which were written as they are" in told.err

    def test_planes_have_noise_of_their_own_from_a_seed(self, restora: Command, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", np.full((3, 9, 8), 30_000, np.uint16), photometric="minisblack")
        for seed, out in ((0, "x"), (0, "y"), (1, "z")):
            words = ("--task", "denoise", "--sigma", 0.05, "--seed", seed)
            done(restora, "degrade", tmp_path / "a.tif", "-o", tmp_path / out, *words)
        x, y, z = (tifffile.imread(tmp_path / out / "a.tif") for out in "xyz")
        assert (x == y).all()
        assert (x != z).mean() > 0.9
        assert (x[0] != x[1]).mean() > 0.9

    def test_a_plane_that_cannot_be_restored_fails_the_file_alone(
        self, restora: Command, tmp_path: Path
    ) -> None:
        bad = np.full((3, 9, 8), 0.5, np.float32)
        bad[1, 2, 3] = np.nan
        (tmp_path / "in").mkdir()
        tifffile.imwrite(tmp_path / "in" / "a.tif", bad, photometric="minisblack")
        tifffile.imwrite(tmp_path / "in" / "b.tif", np.nan_to_num(bad, nan=0.5), photometric="minisblack")
        found = restora("restore", tmp_path / "in", "-o", tmp_path / "out", *TV)
        assert found.code == 1
        assert "a.tif: has NaN or infinite values" in found.err
        assert not (tmp_path / "out" / "a.tif").exists()
        assert tifffile.imread(tmp_path / "out" / "b.tif").dtype == np.float32

    def test_axes(self, restora: Command, tmp_path: Path) -> None:
        stack = noisy(*[smooth(9, 8)] * 4)
        tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", metadata=None)
        for axes, planes in (("ZYX", 4), ("CYX", None)):
            out = tmp_path / axes
            done(restora, "restore", tmp_path / "a.tif", "-o", out, *TV, "--axes", axes)
            assert entry(out).get("planes") == planes
            assert tifffile.imread(out / "a.tif").shape == (4, 9, 8)
        found = restora("restore", tmp_path / "a.tif", "-o", tmp_path / "o", *TV, "--axes", "ZCYX")
        assert "axes 'ZCYX' for values of shape (4, 9, 8)" in found.err

    def test_larger_planes(self, restora: Command, tmp_path: Path) -> None:
        stack = noisy(*(smooth(9, 8, i) for i in range(3)))
        metadata = {"axes": "ZYX", "unit": "um"}
        tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata=metadata, resolution=(2, 2))
        words = ("--task", "superres", "--scale", 2, "--method", "tv", "--device", "cpu")
        done(restora, "restore", tmp_path / "a.tif", "-o", tmp_path / "out", *words)
        with tifffile.TiffFile(tmp_path / "out" / "a.tif") as found:
            assert found.series[0].shape == (3, 18, 16)
            assert found.pages[0].tags["XResolution"].value == (4, 1)


class TestAnimations:
    @pytest.mark.parametrize("suffix", [".webp", ".png", ".gif"])
    def test_every_frame_is_restored(self, suffix: str, restora: Command, tmp_path: Path) -> None:
        frames = [Image.fromarray(coloured(24, 28)) for _ in range(3)]
        more = {"lossless": True} if suffix == ".webp" else {}
        times = {"duration": [50, 70, 90], "loop": 0}
        frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], **times, **more)
        done(restora, "restore", tmp_path / f"a{suffix}", "-o", tmp_path / "out", *TV)
        found = image.load(tmp_path / "out" / ("a.png" if suffix == ".gif" else f"a{suffix}"))
        assert found.metadata.durations == (50, 70, 90)
        truth = np.stack([smooth(24, 28, shift) for shift in range(3)], 2)
        assert all(np.sqrt(np.mean((x / 255 - truth) ** 2)) < 0.04 for x in found.arrays)

    def test_a_palette_is_used_where_it_is_asked_for(self, restora: Command, tmp_path: Path) -> None:
        frames = [Image.fromarray(coloured(24, 28)) for _ in range(3)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
        done(restora, "restore", tmp_path / "a.gif", "-o", tmp_path / "out", *TV, "--format", "gif")
        assert len(image.load(tmp_path / "out" / "a.gif")) == 3

    def test_a_format_without_frames(self, restora: Command, tmp_path: Path) -> None:
        frames = [Image.fromarray(coloured(24, 28)) for _ in range(3)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        (failure,) = restora(
            "restore", tmp_path / "a.gif", "-o", tmp_path / "out", *TV, "--format", "jpg"
        ).failures()
        assert "no .jpg holds an animation; choose the format png, webp or avif" in failure


def turned(orientation: int, quality: int = 20) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "Grandma 1950"
    stream = io.BytesIO()
    picture = Image.fromarray(coloured(40, 56))
    picture.save(stream, "JPEG", quality=quality, exif=exif, dpi=(300, 300))
    return stream.getvalue()


class TestJPEG:
    @pytest.mark.parametrize("orientation", [1, 3, 6, 7])
    def test_blocks_of_turned_photos(self, orientation: int, restora: Command, tmp_path: Path) -> None:
        """The same as the picture before it was turned."""
        RANDOM.bit_generator.state = np.random.default_rng(5).bit_generator.state
        data = turned(orientation)
        (tmp_path / "turned.jpg").write_bytes(data)
        with Image.open(io.BytesIO(data)) as stored:
            quantization = stored.quantization
        (tmp_path / "plain.jpg").write_bytes(_upright(data))
        assert Image.open(tmp_path / "plain.jpg").quantization == quantization
        words = ("--task", "jpeg", "--method", "tv", "--device", "cpu")
        for name in ("turned", "plain"):
            done(restora, "restore", tmp_path / f"{name}.jpg", "-o", tmp_path / f"out-{name}", *words)
        found = Image.open(tmp_path / "out-turned" / "turned.png")
        expected = Image.open(tmp_path / "out-plain" / "plain.png").convert("RGB")
        exif = Image.Exif()
        exif[0x0112] = orientation
        stream = io.BytesIO()
        expected.save(stream, "PNG", exif=exif)
        assert (np.asarray(found) == np.asarray(ImageOps.exif_transpose(Image.open(stream)))).all()
        assert found.getexif()[0x010E] == "Grandma 1950"
        assert found.getexif()[0x0112] == 1
        assert found.info["dpi"] == pytest.approx((300, 300), abs=0.1)

    def test_a_photo_stays_a_jpeg_where_the_task_is_another(self, restora: Command, tmp_path: Path) -> None:
        (tmp_path / "a.jfif").write_bytes(turned(6))
        done(restora, "restore", tmp_path / "a.jfif", "-o", tmp_path / "out", *TV)
        with Image.open(tmp_path / "out" / "a.jfif") as found:
            assert (found.format, found.size, found.getexif()[0x0112]) == ("JPEG", (40, 56), 1)
            assert found.getexif()[0x010E] == "Grandma 1950"

    def test_observations_are_exact(self, restora: Command, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").write_bytes(turned(1))
        done(restora, "degrade", tmp_path / "a.jpg", "-o", tmp_path / "out", "--task", "denoise")
        assert (tmp_path / "out" / "a.png").exists()

    def test_half_of_one_is_restored_with_a_note(self, restora: Command, tmp_path: Path) -> None:
        data = turned(1, quality=97)
        (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
        found = done(restora, "restore", tmp_path / "a.jpg", "-o", tmp_path / "out", *TV)
        assert "truncated or damaged; the last" in found.err
        assert "1 written" in found.out
        assert "lost" in entry(tmp_path / "out")["notes"][0]


def _upright(data: bytes) -> bytes:
    start = data.index(PREFIX)
    length = int.from_bytes(data[start - 2 : start], "big") - 2
    return data[:start] + upright(data[start : start + length]) + data[start + length :]


class TestOptions:
    @pytest.mark.parametrize("format", ["png", "jpg", "webp", "tif", "avif", "bmp", "gif"])
    def test_format(self, format: str, restora: Command, tmp_path: Path) -> None:
        Image.fromarray(coloured(24, 28)).save(tmp_path / "a.png")
        done(restora, "restore", tmp_path / "a.png", "-o", tmp_path / "out", *TV, "--format", format)
        assert image.read(tmp_path / "out" / f"a.{format}").size == (24, 28)

    def test_another_format_is_another_run(self, restora: Command, tmp_path: Path) -> None:
        Image.fromarray(coloured(24, 28)).save(tmp_path / "a.png")
        done(restora, "restore", tmp_path / "a.png", "-o", tmp_path / "out", *TV)
        again = restora("restore", tmp_path / "a.png", "-o", tmp_path / "out", *TV, "--format", "jpg")
        assert "format: not set there, jpg now" in again.error()

    def test_quality(self, restora: Command, tmp_path: Path) -> None:
        Image.fromarray(RANDOM.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
        for quality in (10, 90):
            words = (*TV, "--quality", quality)
            done(restora, "restore", tmp_path / "a.jpg", "-o", tmp_path / str(quality), *words)
        small, large = ((tmp_path / q / "a.jpg").stat().st_size for q in ("10", "90"))
        assert small < large / 1.5

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--format", "heic"), "--format: expected one of png, jpg"),
            (("--format", "tiff", "--quality", 90), "--quality is for jpg, webp and avif; tif has none"),
            (("--quality", 0), "--quality: expected a whole number from 1 to 100, got '0'"),
            (("--quality", "best"), "--quality: expected a whole number from 1 to 100, got 'best'"),
        ],
    )
    def test_refused(self, words: tuple[object, ...], message: str, restora: Command, tmp_path: Path) -> None:
        Image.new("L", (8, 8)).save(tmp_path / "a.png")
        error = restora("restore", tmp_path / "a.png", "-o", tmp_path / "out", *TV, *words).error()
        assert error.startswith(message)


def test_a_mask_an_orientation_transparency_and_a_profile_together(restora: Command, tmp_path: Path) -> None:
    upright = coloured(40, 56)
    alpha = np.full((40, 56, 1), 255, np.uint8)
    alpha[:, :10] = 100
    exif = Image.Exif()
    exif[0x0112] = 8  # turned to the right
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    stored = np.ascontiguousarray(np.rot90(np.concatenate([upright, alpha], 2), -1))
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif, icc_profile=icc)
    mask = np.zeros((40, 56), np.uint8)
    mask[10:20, 30:40] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--method", "tv", "--device", "cpu")
    done(restora, "restore", tmp_path / "a.png", "-o", tmp_path / "out", *words)
    with Image.open(tmp_path / "out" / "a.png") as found:
        array = np.asarray(found)
        assert found.info["icc_profile"] == icc
        assert found.getexif()[0x0112] == 1
    assert (array[..., 3:] == alpha).all()
    assert (array[mask == 0][:, :3] == upright[mask == 0]).all()
    assert (array[mask > 0][:, :3] != upright[mask > 0]).mean() > 0.5


def test_parts_that_are_filled_are_opaque(restora: Command, tmp_path: Path) -> None:
    array = np.concatenate([coloured(24, 28), np.full((24, 28, 1), 255, np.uint8)], 2)
    array[8:14, 8:14] = 0
    Image.fromarray(array).save(tmp_path / "a.png")
    words = ("--task", "inpaint", "--mask", "alpha", "--method", "tv", "--device", "cpu")
    done(restora, "restore", tmp_path / "a.png", "-o", tmp_path / "out", *words)
    with Image.open(tmp_path / "out" / "a.png") as found:
        assert found.mode == "RGB"


def test_dark_grey_of_16_bits(restora: Command, tmp_path: Path) -> None:
    truth = smooth(40, 44) * 0.05
    deep = np.rint((truth + RANDOM.normal(0, 0.01, truth.shape)).clip(0, 1) * 65535).astype(np.uint16)
    image.write(tmp_path / "a.png", image.read(_png(deep)).pixels, bits=16)
    words = ("--task", "denoise", "--sigma", 0.01, "--device", "cpu", "--prior", "natural")
    done(restora, "restore", tmp_path / "a.png", "-o", tmp_path / "out", *words)
    found = image.load(tmp_path / "out" / "a.png")
    assert (found.arrays[0].shape, found.dtype) == ((40, 44, 1), np.uint16)
    errors = [np.sqrt(np.mean((x / 65535 - truth) ** 2)) for x in (found.arrays[0][..., 0], deep)]
    assert errors[0] < 0.95 * errors[1]


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_frames_and_planes_of_several_files_share_batches(restora: Command, tmp_path: Path) -> None:
    """The same result as each alone."""
    (tmp_path / "in").mkdir()
    for i in range(3):
        stack = noisy(*(smooth(9, 8, j) for j in range(i + 1)))
        tifffile.imwrite(tmp_path / "in" / f"{i}.tif", stack, photometric="minisblack", metadata=None)
    done(restora, "restore", tmp_path / "in", "-o", tmp_path / "all", *TV, "--batch-size", 4)
    for i in range(3):
        words = (*TV, "--batch-size", 1)
        done(restora, "restore", tmp_path / "in" / f"{i}.tif", "-o", tmp_path / str(i), *words)
        x, y = (image.load(tmp_path / out / f"{i}.tif") for out in ("all", str(i)))
        assert len(x) == len(y) == i + 1
        for a, b in zip(x.arrays, y.arrays, strict=True):
            assert np.abs(a.astype(int) - b).max() <= 1


def test_progress_counts_planes(restora: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noisy(*[smooth(9, 8)] * 5), photometric="minisblack")
    seen: list[tuple[float, float]] = []
    monkeypatch.setattr(
        Progress, "update", lambda bar, line, *, completed, total: seen.append((completed, total))
    )
    done(restora, "restore", tmp_path / "a.tif", "-o", tmp_path / "out", *TV, "--batch-size", 2)
    assert {total for _, total in seen} == {5}
    assert {2, 4, 5} <= {completed for completed, _ in seen}
    assert [completed for completed, _ in seen] == sorted(completed for completed, _ in seen)

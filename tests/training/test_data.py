"""restora.training.data: folders and zips of images, and batches that depend only on (seed, step)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restora.errors import DataError
from restora.pictures import image
from restora.training.data import Batches, load, load_whole, members, to_square
from restora.training.squares import Crops, grid


def png(level: int, size: tuple[int, int] = (8, 8)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (level, level, 255 - level)).save(stream, "PNG")
    return stream.getvalue()


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def archive(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def put(kind: str, place: Path, files: dict[str, bytes]) -> Path:
    return folder(place / "set", files) if kind == "folder" else archive(place / "set.zip", files)


def reds(images: torch.Tensor) -> list[int]:
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("kind", ["folder", "zip"])
class TestLoad:
    def test_nested_and_in_name_order(self, tmp_path, kind):
        files = {"b.png": png(2), "a/c.png": png(1), "a/b/x.PNG": png(0), "dataset.json": b"{}"}
        images, errors = load([put(kind, tmp_path, files)], 8)
        assert images.dtype == torch.uint8
        assert images.shape == (3, 3, 8, 8)
        assert reds(images) == [0, 1, 2]
        assert images[2, :, 4, 4].tolist() == [2, 2, 253]
        assert errors == []

    def test_a_bad_image_is_skipped_and_named(self, tmp_path, kind):
        files = {"a.png": png(1), "b.png": png(2)[:45], "c.png": b"", "d.png": png(4)}
        images, errors = load([put(kind, tmp_path, files)], 8)
        assert reds(images) == [1, 4]
        assert len(errors) == 2
        assert "b.png" in errors[0]
        assert "c.png" in errors[1]
        assert not any("\n" in e for e in errors)

    def test_none_can_be_read(self, tmp_path, kind):
        with pytest.raises(DataError, match=r"none of 2 images could be read; the first: .*a\.png"):
            load([put(kind, tmp_path, {"a.png": b"", "b.png": b"x"})], 8)

    def test_no_image(self, tmp_path, kind):
        with pytest.raises(DataError, match="no image in"):
            load([put(kind, tmp_path, {"readme.txt": b"hello"})], 8)

    def test_hidden_files_are_passed_over(self, tmp_path, kind):
        files = {"a.png": png(1), "._a.png": b"x", "__MACOSX/a.png": b"x", ".trash/b.png": png(2)}
        images, errors = load([put(kind, tmp_path, files)], 8)
        assert reds(images) == [1]
        assert errors == []

    def test_grey(self, tmp_path, kind):
        images, _ = load([put(kind, tmp_path, {"a.png": png(100)})], 8, channels=1)
        assert images.shape == (1, 1, 8, 8)
        assert images.unique().tolist() == [round(0.886 * 100 + 0.114 * 155)]


class TestSources:
    def test_several_sources_in_the_order_given(self, tmp_path):
        first = archive(tmp_path / "z.zip", {"x.png": png(1)})
        second = folder(tmp_path / "a", {"y.png": png(2)})
        images, _ = load([first, str(second)], 8)
        assert reds(images) == [1, 2]
        assert [name for name, _, _ in members([first, second])] == [f"{first}/x.png", f"{second}/y.png"]

    def test_compressed_zip(self, tmp_path):
        images, _ = load([archive(tmp_path / "z.zip", {"x.png": png(7)}, zipfile.ZIP_DEFLATED)], 8)
        assert reds(images) == [7]

    def test_a_damaged_member_is_named_and_the_others_are_read(self, tmp_path):
        path = archive(tmp_path / "z.zip", {"a.png": png(1), "b.png": png(2), "c.png": png(3)})
        data = bytearray(path.read_bytes())
        data[data.index(png(2)) + 45] ^= 255
        path.write_bytes(data)
        images, errors = load([path], 8)
        assert reds(images) == [1, 3]
        assert len(errors) == 1
        assert "b.png" in errors[0]
        assert "CRC" in errors[0]

    def test_a_zip_cut_short(self, tmp_path):
        path = archive(tmp_path / "z.zip", {"a.png": png(1)})
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(DataError, match=r"z\.zip"):
            load([path], 8)

    def test_a_broken_link_is_named(self, tmp_path):
        folder(tmp_path, {"a.png": png(1)})
        (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
        images, errors = load([tmp_path], 8)
        assert reds(images) == [1]
        assert len(errors) == 1
        assert "b.png" in errors[0]

    def test_a_folder_with_the_name_of_an_image(self, tmp_path):
        images, errors = load([folder(tmp_path, {"a.png/b.png": png(3)})], 8)
        assert reds(images) == [3]
        assert errors == []

    def test_a_hidden_source_is_meant(self, tmp_path):
        images, _ = load([folder(tmp_path / ".cache" / "set", {"a.png": png(3)})], 8)
        assert reds(images) == [3]

    def test_missing(self, tmp_path):
        with pytest.raises(
            DataError, match=r"no\.zip: does not exist; expected images, or a folder or a zip"
        ):
            load([tmp_path / "no.zip"], 8)

    def test_neither_folder_nor_zip(self, tmp_path):
        (tmp_path / "a.tar").write_bytes(b"tar")
        with pytest.raises(DataError, match="is no folder, zip or image"):
            load([tmp_path / "a.tar"], 8)

    def test_empty_folder(self, tmp_path):
        with pytest.raises(DataError, match="no image in"):
            load([tmp_path], 8)


class TestFit:
    def test_what_fits_is_untouched(self):
        pixels = torch.rand(3, 8, 8)
        assert torch.equal(to_square(pixels, 8), pixels)

    @pytest.mark.parametrize(("height", "width", "top", "left"), [(8, 13, 0, 2), (12, 8, 2, 0)])
    def test_the_centre_square_is_taken(self, height, width, top, left):
        pixels = torch.rand(3, height, width)
        assert torch.equal(to_square(pixels, 8), pixels[:, top : top + 8, left : left + 8])

    def test_scaling_down_averages(self):
        checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2
        assert (to_square(checks[None].float(), 16) - 0.5).abs().max() < 0.02

    @pytest.mark.parametrize("size", [5, 40])
    def test_values_stay_in_range(self, size):
        edge = (torch.arange(16) > 7).float().expand(1, 16, 16)
        scaled = to_square(edge, size)
        assert scaled.shape == (1, size, size)
        assert scaled.min() == 0
        assert scaled.max() == 1

    def test_mirror_symmetry(self):
        pixels = torch.rand(1, 17, 17)
        torch.testing.assert_close(to_square(pixels.flip(-1), 6), to_square(pixels, 6).flip(-1))


IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (10, 3, 6, 7), dtype=np.uint8))
PLAIN = {"shift": 0, "mirror": False}


def variants(image: torch.Tensor, shift: int) -> dict[tuple[bool, int, int], np.ndarray]:
    """Every mirror and move of one image, by the definition: the border repeats."""
    found = {}
    for flip in (False, True):
        pixels = image.numpy()[..., ::-1] if flip else image.numpy()
        padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
        for dy in range(2 * shift + 1):
            for dx in range(2 * shift + 1):
                found[flip, dy - shift, dx - shift] = padded[:, dy : dy + 6, dx : dx + 7]
    return found


class TestBatches:
    def test_a_batch_depends_only_on_seed_and_step(self):
        forward = Batches(IMAGES, 4, seed=3)
        wanted = {step: forward[step] for step in range(12)}
        resumed = Batches(IMAGES, 4, seed=3)
        for step in (11, 0, 5, 5, 2):
            assert torch.equal(resumed[step], wanted[step])

    def test_steps_and_seeds_differ(self):
        batches = Batches(IMAGES, 4, seed=3)
        assert not torch.equal(batches[0], batches[1])
        assert not torch.equal(batches[0], Batches(IMAGES, 4, seed=4)[0])

    def test_the_global_stream_is_left_alone(self):
        before = torch.get_rng_state()
        Batches(IMAGES, 4)[0]
        assert torch.equal(before, torch.get_rng_state())

    def test_range_and_type(self):
        ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 4, 4)
        batch = Batches(ends, 2)[0]
        assert batch.dtype == torch.float32
        assert batch.shape == (2, 3, 4, 4)
        assert sorted(batch[:, 0, 0, 0].tolist()) == [-1, 1]

    @pytest.mark.parametrize("batch", [1, 3, 10, 25])
    def test_every_epoch_sees_each_image_once(self, batch):
        marks = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
        batches = Batches(marks, batch, **PLAIN)
        levels = torch.cat([batches[step].flatten() for step in range(-(-40 // batch))])
        epochs = (levels.add(1).mul(127.5).round().long())[:40].view(4, 10)
        assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
        assert len({tuple(epoch.tolist()) for epoch in epochs}) == 4

    @pytest.mark.parametrize("shift", [0, 1, 2])
    def test_mirror_and_shift_against_brute_force(self, shift):
        batches = Batches(IMAGES, 8, shift=shift)
        tables = [variants(image, shift) for image in IMAGES]
        allowed = {v.tobytes(): (i, *key) for i, table in enumerate(tables) for key, v in table.items()}
        assert len(allowed) == 10 * 2 * (2 * shift + 1) ** 2
        seen = set()
        for step in range(80):
            batch = batches[step].add(1).mul(127.5).round().to(torch.uint8).numpy()
            seen |= {allowed[row.tobytes()][1:] for row in batch}
        assert seen == set(tables[0])

    def test_half_are_mirrored(self):
        ramp = torch.arange(7, dtype=torch.uint8).expand(1, 1, 7, 7)
        rows = Batches(ramp, 400, shift=0)[0][:, 0, 0]
        share = (rows[:, 0] > rows[:, -1]).float().mean()
        assert 0.4 < share < 0.6

    def test_nothing_is_changed_without_augmentation(self):
        batches = Batches(IMAGES[:1], 5, **PLAIN)
        assert torch.equal(
            batches[2].add(1).mul(127.5).round().to(torch.uint8), IMAGES[:1].expand(5, -1, -1, -1)
        )


def test_crops_depend_on_the_step_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(256, (3, h, w), generator=generator).to(torch.uint8) for h, w in ((20, 30), (16, 16))
    ]
    crops, again = Crops(images, 8, 6, seed=2), Crops(images, 8, 6, seed=2)
    again[0]
    assert crops[3].shape == (6, 3, 8, 8)
    torch.testing.assert_close(crops[3], again[3], rtol=0, atol=0)
    assert not torch.equal(crops[3], crops[4])
    assert not torch.equal(crops[3], Crops(images, 8, 6, seed=3)[3])
    assert crops[3].abs().max() <= 1


def test_crops_are_cut_from_everywhere_in_all_sizes() -> None:
    row, column = torch.meshgrid(torch.arange(64), torch.arange(96), indexing="ij")
    ramp = torch.stack([2 * row, 2 * column, 0 * row]).to(torch.uint8)
    drawn = (torch.cat([Crops([ramp], 16, 32)[i] for i in range(20)]) + 1) * 127.5
    middle = drawn.mean((2, 3)) / 2
    assert middle[:, 0].min() < 12
    assert middle[:, 0].max() > 51
    assert middle[:, 1].min() < 12
    assert middle[:, 1].max() > 83
    steps = [drawn[:, 0].diff(dim=axis).abs().mean((1, 2)) for axis in (-2, -1)]
    slope = (steps[0] + steps[1]) / 2  # of a ramp that rises by 2 a row, or a column once turned
    assert 0.4 < (slope < 1.2).float().mean() < 0.6  # pixels as they are
    assert slope.max() > 2.5  # of SHRINK pixels
    turned = steps[1] > 1
    assert 0.3 < turned.float().mean() < 0.7


def test_whole_images_and_their_centres(tmp_path: Path) -> None:
    row, column = torch.meshgrid(torch.arange(9.0), torch.arange(12.0), indexing="ij")
    picture = torch.stack([row, column, 0 * row]) / 255
    image.write(tmp_path / "large.png", picture)
    image.write(tmp_path / "small.png", picture[:, :3])
    found, errors = load_whole([tmp_path], 4)
    assert [tuple(x.shape) for x in found] == [(3, 9, 12)]
    assert errors == ["1 image with a side of less than 4 pixels"]
    (middle,) = grid(found, 4, 1)
    assert middle[0, :, 0].tolist() == [2, 3, 4, 5]
    assert middle[1, 0].tolist() == [4, 5, 6, 7]
    with pytest.raises(DataError, match="no image has 10 pixels per side"):
        load_whole([tmp_path], 10)


DEEP = 40_000 + torch.arange(64, dtype=torch.int32).view(1, 8, 8)  # a quarter of a level of 8 bits


def test_deep_images_keep_their_levels(tmp_path: Path) -> None:
    image.write(tmp_path / "a.png", DEEP / 65535, bits=16)
    (found,), _ = load([tmp_path], 8, 1)
    assert found.dtype == torch.uint16
    assert torch.equal(found.int(), DEEP)
    (whole,), _ = load_whole([tmp_path], 8, 1)
    assert torch.equal(whole.int(), DEEP)


def test_images_of_8_bits_stay_so_unless_others_are_deeper(tmp_path: Path) -> None:
    flat = torch.full((1, 8, 8), 7 / 255)
    image.write(tmp_path / "b.png", flat)
    assert load([tmp_path], 8, 1)[0].dtype == torch.uint8
    image.write(tmp_path / "a.png", DEEP / 65535, bits=16)
    found, _ = load([tmp_path], 8, 1)
    assert torch.equal(found.int(), torch.stack([DEEP, torch.full_like(DEEP, 7 * 257)]))


def test_batches_and_crops_keep_deep_levels() -> None:
    images = DEEP.to(torch.uint16)[None]
    for batch in (Batches(images, 1, **PLAIN)[0], Crops([*images], 8, 1)[0]):
        levels = ((batch + 1) * 65535 / 2).round().int().flatten()
        assert sorted(levels.tolist()) == DEEP.flatten().tolist()

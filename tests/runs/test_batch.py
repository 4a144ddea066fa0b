"""restora.runs.batch: files of all kinds, one batch at a time, none of which disturbs another."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut
from torch import Tensor

from restora import random
from restora.degradations import Degradation, Downsample
from restora.metrics import psnr
from restora.noise import GaussianNoise
from restora.operators import Identity
from restora.pictures import colour, image
from restora.plan import Plan, decide, finish
from restora.priors import GANPrior, load_prior
from restora.runs import window
from restora.runs.batch import degrade_items, restore_items
from restora.runs.item import Item
from restora.runs.items import collect
from restora.runs.loading import Loaded
from restora.runs.task import Task
from restora.solvers import LatentMAP, Solver, Step

SOLVER = LatentMAP(iterations=5, restarts=2)
DENOISE = Task("denoise", {})


@pytest.fixture
def prior(tiny: Path) -> GANPrior:
    loaded = load_prior(tiny)
    assert isinstance(loaded, GANPrior)
    return loaded


def run(source: Path, out: Path, task: Task, prior: GANPrior, **options: int) -> dict[str, Item]:
    items = collect([source], out, 0, samples=options.get("samples", 1))
    plan = decide(SOLVER, prior, samples=options.pop("samples", 1), device="cpu")
    for _ in restore_items(items, task, plan, **options):
        pass
    return {item.path.name: item for item in items}


def groups(items: list[Item], task: Task, plan: Plan, **options: int) -> list[list[str]]:
    """Which pictures were restored together."""
    found: list[Sequence[Loaded]] = []

    def watch(loaded: Sequence[Loaded], y: Tensor, step: Step) -> None:
        if not found or found[-1] is not loaded:
            found.append(loaded)

    ended = [
        item.path for chunk in restore_items(items, task, plan, watch=watch, **options) for item in chunk
    ]
    assert sorted(ended) == sorted(item.path for item in items)
    return [[x.item.path.stem for x in loaded] for loaded in found]


def pixels(path: Path) -> Tensor:
    return image.read(path).pixels


def test_degrade_is_the_degradation_of_the_picture_with_the_file_s_own_noise(
    clean: Path, tmp_path: Path
) -> None:
    items = collect([clean], tmp_path / "out", 3)
    assert [item.status for item in degrade_items(items, Task("superres", {"sigma": 0.1}))] == ["done"] * 5
    for name in "abcde":
        x = pixels(clean / f"{name}.png")[None]
        y = Downsample(sigma=0.1)(x, random.generators([random.seed_of(name, 3)], 1))
        assert torch.equal(colour.to_uint8(pixels(tmp_path / "out" / f"{name}.png")), colour.to_uint8(y[0]))


def test_degrade_keeps_sixteen_bits(clean: Path, tmp_path: Path) -> None:
    image.write(clean / "a.png", torch.full((3, 8, 8), 1234 / 65535), bits=16)
    list(degrade_items(collect([clean / "a.png"], tmp_path / "out", 0), Task("superres", {})))
    picture = image.read(tmp_path / "out" / "a.png")
    assert picture.bits == 16
    assert (picture.pixels * 65535).round().eq(1234).all()


def test_result_depends_neither_on_the_batch_nor_on_other_files(
    clean: Path, tmp_path: Path, prior: GANPrior
) -> None:
    for size in (1, 2, 5):
        run(clean, tmp_path / str(size), DENOISE, prior, batch_size=size, samples=2)
    run(clean / "c.png", tmp_path / "alone", DENOISE, prior, samples=2)
    for name in [f"{stem}{k}.png" for stem in "abcde" for k in ("", "-2")]:
        reference = colour.to_uint8(pixels(tmp_path / "5" / name)).int()
        others = [tmp_path / "1" / name, tmp_path / "2" / name, *(tmp_path / "alone").glob(name)]
        for other in others:
            assert (colour.to_uint8(pixels(other)).int() - reference).abs().max() <= 1
    assert len(list((tmp_path / "alone").iterdir())) == 2


def test_results_of_different_files_and_samples_differ(clean: Path, tmp_path: Path, prior: GANPrior) -> None:
    run(clean, tmp_path / "out", Task("inpaint", {}, hole="center"), prior, samples=2)
    results = {path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert len(results) == 10


def test_items_are_given_back_as_they_end(clean: Path, tmp_path: Path, prior: GANPrior) -> None:
    items = collect([clean], tmp_path / "out", 0)
    chunks = restore_items(items, DENOISE, decide(SOLVER, prior, device="cpu"), batch_size=2)
    first = next(chunks)
    assert {item.path.stem for item in first} <= {"a", "b"}
    assert {item.status for item in first} == {"done"}
    assert items[4].status == "waiting"
    rest = [item.path.stem for chunk in chunks for item in chunk]
    assert sorted([*(item.path.stem for item in first), *rest]) == list("abcde")


def test_a_batch_has_no_more_pixels_than_it_may(
    clean: Path, tmp_path: Path, prior: GANPrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(clean, tmp_path / "all", DENOISE, prior)
    monkeypatch.setattr(window, "MAX_PIXELS", 2 * 8 * 8 + 1)
    items = collect([clean], tmp_path / "few", 0)
    assert groups(items, DENOISE, decide(SOLVER, prior, device="cpu")) == [["a", "b"], ["c", "d"], ["e"]]
    for name in "abcde":
        few, all_ = (colour.to_uint8(pixels(tmp_path / x / f"{name}.png")).int() for x in ("few", "all"))
        assert (few - all_).abs().max() <= 1


def test_draws_of_an_image_count_as_its_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        image.write(tmp_path / "in" / f"{name}.png", torch.rand(3, 16, 16))
    monkeypatch.setattr(window, "MAX_PIXELS", 8 * 16 * 16)
    for uncertainty, sizes in ((False, [3]), (True, [1, 1, 1])):
        plan = decide("flower", "natural", uncertainty=uncertainty, device="cpu")
        items = collect([tmp_path / "in"], tmp_path / str(uncertainty), 0)
        found = groups(items, Task("denoise", {"sigma": 0.1}), plan)
        assert [len(group) for group in found] == sizes


def mixed(folder: Path) -> None:
    """Pictures of two sizes in turn, one of another, and a file that is none."""
    for k in range(6):
        image.write(folder / f"{k}.png", torch.rand(3, *((6, 6), (6, 3))[k % 2]))
    image.write(folder / "3-other.png", torch.rand(3, 9, 9))
    (folder / "1-none.png").write_bytes(b"not an image")


def test_mixed_sizes_fill_batches(tmp_path: Path) -> None:
    mixed(tmp_path / "in")
    items = collect([tmp_path / "in"], tmp_path / "out", 0)
    plan = decide("tv", device="cpu")
    found = groups(items, Task("superres", {"scale": 2}), plan, batch_size=3)
    assert found == [["0", "2", "4"], ["1", "3", "5"], ["3-other"]]
    assert [item.status for item in items if item.path.stem == "1-none"] == ["failed"]
    assert {item.status for item in items if item.path.stem != "1-none"} == {"done"}


def test_no_more_pictures_wait_than_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed(tmp_path / "in")
    monkeypatch.setattr(window, "WINDOW", 1)
    items = collect([tmp_path / "in"], tmp_path / "out", 0)
    found = groups(items, Task("superres", {"scale": 2}), decide("tv", device="cpu"), batch_size=3)
    assert found == [["0", "2"], ["1", "3"], ["3-other"], ["4"], ["5"]]


def test_room() -> None:
    sizes = ((64, 64), (321, 481), (1024, 1024), (2000, 2000))
    assert [window.room(size, 64) for size in sizes] == [64, 6, 1, 1]
    assert window.room((8, 8), 2) == 2


def test_facts_of_a_restored_file(clean: Path, tmp_path: Path, prior: GANPrior) -> None:
    facts = run(clean, tmp_path / "out", Task("inpaint", {}, hole="center"), prior, samples=2)["a.png"].facts
    assert facts["outputs"] == ["a.png", "a-2.png"]
    assert facts["seconds"] > 0
    assert np.isfinite(facts["loss"])
    hole = torch.ones(8, 8)
    hole[2:6, 2:6] = 0
    difference = (pixels(tmp_path / "out" / "a.png") - pixels(clean / "a.png")) * hole
    assert facts["residual"] == pytest.approx(difference.square().mean().sqrt().item(), abs=2 / 255)


def test_sixteen_bits_in_sixteen_bits_out(tmp_path: Path, prior: GANPrior) -> None:
    deep = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "in" / "a.png", deep, bits=16)
    run(tmp_path / "in", tmp_path / "out", DENOISE, prior)
    picture = image.read(tmp_path / "out" / "a.png")
    assert picture.bits == 16
    assert ((picture.pixels * 65535).round() % 257).ne(0).any()  # not eight bits, spread


def same_result(one: Path, two: Path, task: Task, prior: GANPrior, out: Path) -> bool:
    run(one, out / "1", task, prior)
    run(two, out / "2", task, prior)
    return torch.equal(pixels(out / "1" / "a.png"), pixels(out / "2" / "a.png"))


def test_a_grey_file_stays_grey(tmp_path: Path, prior: GANPrior) -> None:
    grey = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "grey" / "a.png", grey, bits=16)
    item = run(tmp_path / "grey", tmp_path / "out", DENOISE, prior)["a.png"]
    found = pixels(tmp_path / "out" / "a.png")
    assert found.shape == (1, 8, 8)
    y = pixels(tmp_path / "grey" / "a.png")[None]
    degradation = Degradation(Identity(), GaussianNoise(0.1))
    result = finish(decide(SOLVER, prior, device="cpu").run(y, degradation, [item.seed]))
    torch.testing.assert_close(found, result.image[0], rtol=0, atol=1e-4)


def test_noise_of_a_grey_photo(tmp_path: Path) -> None:
    """Taken for three channels with noise of their own, it is hardly removed: 24 dB."""
    truth = colour.luma(torch.from_numpy(astronaut()[:128, 160:288]).permute(2, 0, 1) / 255)
    noisy = truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "a.png", noisy)
    items = collect([tmp_path / "a.png"], tmp_path / "out", 0)
    plan = decide(images=(3, 128, 128), device="cpu")
    for _ in restore_items(items, DENOISE, plan):
        pass
    assert psnr(pixels(tmp_path / "out" / "a.png")[None], truth[None]) > 28.5


def test_colour_file_for_colorize_counts_as_its_luma(tmp_path: Path, prior: GANPrior) -> None:
    colour = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 8, 8)
    image.write(tmp_path / "colour" / "a.png", colour, bits=16)
    image.write(tmp_path / "grey" / "a.png", torch.full((1, 8, 8), 0.587), bits=16)
    run(tmp_path / "colour", tmp_path / "1", Task("colorize", {}), prior)
    run(tmp_path / "grey", tmp_path / "2", Task("colorize", {}), prior)
    one, two = pixels(tmp_path / "1" / "a.png"), pixels(tmp_path / "2" / "a.png")
    assert one.shape == (3, 8, 8)
    assert (one - two).abs().max() < 1e-3


def test_colours_under_transparency_are_restored(tmp_path: Path, prior: GANPrior) -> None:
    colours = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "opaque" / "a.png", colours)
    (tmp_path / "alpha").mkdir()
    clear = Image.open(tmp_path / "opaque" / "a.png")
    clear.putalpha(Image.linear_gradient("L").resize((8, 8)))
    clear.save(tmp_path / "alpha" / "a.png")
    for folder in ("opaque", "alpha"):
        run(tmp_path / folder, tmp_path / f"out-{folder}", DENOISE, prior)
    found, plain = (np.asarray(Image.open(tmp_path / f"out-{x}" / "a.png")) for x in ("alpha", "opaque"))
    assert (found[..., :3] == plain).all()
    assert (found[..., 3] == np.asarray(clear)[..., 3]).all()


def test_exif_turns_the_picture(tmp_path: Path, prior: GANPrior) -> None:
    upright = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "upright" / "a.png", upright)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned to the left by 90 degrees
    (tmp_path / "turned").mkdir()
    image.to_pil(upright.rot90(1, (1, 2))).save(tmp_path / "turned" / "a.png", exif=exif)
    assert same_result(tmp_path / "turned", tmp_path / "upright", DENOISE, prior, tmp_path / "out")


def test_one_bad_file_among_a_hundred(tmp_path: Path, prior: GANPrior) -> None:
    for i in range(100):
        image.write(tmp_path / "in" / f"{i:03}.png", torch.rand(3, 2, 2))
    (tmp_path / "in" / "042.png").write_bytes(b"not an image")
    items = run(tmp_path / "in", tmp_path / "out", Task("superres", {}), prior, batch_size=32)
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == [
        f"{i:03}" for i in range(100) if i != 42
    ]
    assert [name for name, item in items.items() if item.status != "done"] == ["042.png"]
    assert items["042.png"].facts["error"].startswith("not an image")


@pytest.mark.parametrize(
    ("task", "shape", "message"),
    [
        (DENOISE, (3, 9, 8), "8x9 with 3 channels, but prior 'tiny' makes 8x8 images"),
        (Task("superres", {}), (3, 8, 8), "needs 2x2 with 3 channels"),
        (Task("colorize", {}), (1, 4, 4), "needs 8x8 with 1 channel"),
        (Task("inpaint", {}, hole="center"), (3, 4, 6), "is 6x4, but prior 'tiny' makes 8x8 images"),
    ],
)
def test_observation_of_the_wrong_size(
    task: Task, shape: tuple[int, ...], message: str, tmp_path: Path, prior: GANPrior
) -> None:
    image.write(tmp_path / "in" / "a.png", torch.rand(*shape))
    item = run(tmp_path / "in", tmp_path / "out", task, prior)["a.png"]
    assert item.status == "failed"
    assert message in item.facts["error"]
    assert not (tmp_path / "out").exists()


def test_full_disk_fails_that_file_alone(
    clean: Path, tmp_path: Path, prior: GANPrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_bytes(path: Path, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data[:10])
        counts.append(path)
        if len(counts) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data)

    counts: list[Path] = []
    real = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    items = run(clean, tmp_path / "out", DENOISE, prior)
    (failed,) = (name for name, item in items.items() if item.status == "failed")  # threads write
    assert "No space left on device" in items[failed].facts["error"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == items.keys() - {failed}


@dataclass(frozen=True)
class Root(Solver):
    """A dark picture has none."""

    def steps(self, y: Tensor, *rest: object) -> Iterator[Step]:
        yield Step(1, 1, (y - 0.1 * (y.mean((1, 2, 3), keepdim=True) < 0.1)).sqrt(), torch.zeros(len(y)))


def test_a_result_that_is_not_finite_fails_that_file_alone(clean: Path, tmp_path: Path) -> None:
    image.write(clean / "b.png", torch.zeros(3, 8, 8))
    items = collect([clean], tmp_path / "out", 0)
    list(restore_items(items, DENOISE, decide(Root(), device="cpu")))
    assert [item.status for item in items] == ["done", "failed", "done", "done", "done"]
    assert "method 'Root': the result has NaN or infinite values" in items[1].facts["error"]
    assert not items[1].pictures[0].exists()


def test_degrade_goes_on_after_a_file_that_does_not_fit(clean: Path, tmp_path: Path) -> None:
    image.write(clean / "b.png", torch.rand(3, 9, 9))
    items = collect([clean], tmp_path / "out", 0)
    assert len(list(degrade_items(items, Task("superres", {})))) == 5
    assert [item.status for item in items] == ["done", "failed", "done", "done", "done"]
    assert "divide by 4, got 9x9" in items[1].facts["error"]


def test_what_the_hole_of_a_picture_holds_does_not_matter(tmp_path: Path, prior: GANPrior) -> None:
    picture = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    image.write(tmp_path / "painted" / "a.png", picture)
    picture[:, 2:6, 2:6] = 0
    image.write(tmp_path / "black" / "a.png", picture)
    task = Task("inpaint", {}, hole="center")
    assert same_result(tmp_path / "painted", tmp_path / "black", task, prior, tmp_path / "out")

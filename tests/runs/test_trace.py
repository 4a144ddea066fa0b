"""restora.runs.trace: the animation of each item, of nothing but that item."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageSequence

from restora.errors import OutputError
from restora.pictures import image
from restora.pictures.document import Document
from restora.pictures.picture import Picture
from restora.runs.item import Item
from restora.runs.job import Job
from restora.runs.loading import Loaded
from restora.runs.task import Task
from restora.runs.trace import FRAMES, SCALE, SIDE, Trace
from restora.solvers import Step

BRIGHTNESS = {"a": 0.2, "b": 0.5, "c": 0.8}


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    made = []
    for name in BRIGHTNESS:
        image.write(tmp_path / f"{name}.png", torch.zeros(3, 2, 2))
        out = tmp_path / "out"
        item = Item(tmp_path / f"{name}.png", 0, [out / f"{name}.png"], out / f"{name}-trace.webp")
        item.done(outputs=[f"{name}.png"])
        made.append(item)
    return made


def loaded(items: list[Item], number: int = 0) -> list[Loaded]:
    """Pictures of the items, of which the trace asks for no more than the item and the number."""
    picture, nothing = Picture(torch.zeros(3, 2, 2)), Document("", [], False, 255)
    task = Task("denoise", {})
    return [Loaded(Job(item, task, nothing, []), number, picture, {}, 4) for item in items]


def watch(trace: Trace, items: list[Item], total: int = 4) -> None:
    """Restorations that fade in from black to the brightness of the item."""
    shown = loaded(items)
    for i in range(1, total + 1):
        x = torch.stack([torch.full((3, 8, 8), BRIGHTNESS[item.path.stem] * i / total) for item in items])
        y = torch.zeros(len(items), 3, 2, 2)
        trace.watch(shown, y, Step(i, total, x, torch.zeros(len(items)), x[:, None] if i == total else None))


def frames(path: Path) -> list[Image.Image]:
    with Image.open(path) as picture:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]


def test_frames_show_the_observation_beside_each_step(items: list[Item]) -> None:
    trace = Trace()
    watch(trace, items)
    for item in items:
        trace.write(item)
        assert item.trace is not None
        pictures = frames(item.trace)
        assert [picture.size for picture in pictures] == [(17 * SCALE, 8 * SCALE)] * 4
        for i, picture in enumerate(pictures, 1):
            red = [picture.getpixel((x * SCALE, 4 * SCALE)) for x in (4, 13)]
            assert red[0][0] == pytest.approx(0, abs=8)
            assert red[1][0] == pytest.approx(255 * BRIGHTNESS[item.path.stem] * i / 4, abs=8)
        assert item.facts["outputs"] == [f"{item.path.stem}.png", f"{item.path.stem}-trace.webp"]


def test_item_that_failed_does_not_shift_the_others(items: list[Item]) -> None:
    trace = Trace()
    watch(trace, items)
    items[0].fail(OSError("full disk"))
    for item in items:
        trace.write(item)
    assert items[0].trace is not None
    assert not items[0].trace.exists()
    assert items[1].trace is not None
    assert frames(items[1].trace)[-1].getpixel((13 * SCALE, 16))[0] == pytest.approx(127, abs=8)


def test_trace_that_cannot_be_written_fails_its_item_alone(items: list[Item]) -> None:
    trace = Trace()
    watch(trace, items)
    (items[1].path.parent / "file").write_text("in the way")
    items[1].trace = items[1].path.parent / "file" / "b-trace.webp"
    with pytest.raises(OutputError, match="cannot be written"):
        trace.write(items[1])
    assert not trace.frames.keys() & {items[1].path}


def test_frames_are_few_and_forgotten_after_writing(items: list[Item]) -> None:
    trace = Trace()
    watch(trace, items, total=500)
    assert all(FRAMES <= len(frames) <= FRAMES + 2 for _, _, frames in trace.frames.values())
    for item in items:
        trace.write(item)
    assert not trace.frames


def test_pictures_of_several_sizes_and_a_second_try(items: list[Item]) -> None:
    """Where a batch fails, it is restored picture by picture, and only that is shown."""
    trace, (a, b, c) = Trace(), items
    watch(trace, [a, b])
    watch(trace, [a])
    trace.watch(loaded([c]), torch.zeros(1, 3, 2, 2), Step(1, 1, torch.ones(1, 3, 4, 600), torch.zeros(1)))
    for item in items:
        trace.write(item)
    assert a.trace is not None
    assert c.trace is not None
    assert len(frames(a.trace)) == 4
    assert frames(c.trace)[0].size == (2 * SIDE + SCALE, 3)  # of a large one the frames are reduced


def test_two_channels_are_magenta_and_green(tmp_path: Path) -> None:
    y = torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])[None]
    item = Item(tmp_path / "a.tif", 0, [tmp_path / "out" / "a.tif"], tmp_path / "a-trace.webp")
    item.done(outputs=["a.tif"])
    trace = Trace()
    trace.watch(
        loaded([item]),
        y,
        Step(1, 1, torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8), torch.zeros(1)),
    )
    trace.write(item)
    (picture,) = frames(tmp_path / "a-trace.webp")
    observed, restored = (picture.getpixel((x * SCALE, 4 * SCALE)) for x in (4, 13))
    assert observed == pytest.approx((255, 0, 255), abs=8)
    assert restored == pytest.approx((0, 255, 0), abs=8)


def test_of_a_file_of_several_planes_the_first_is_shown_when_all_are_done(items: list[Item]) -> None:
    trace, item = Trace(), items[0]
    item.status = "waiting"
    for number, value in enumerate([1.0, 0.0]):
        x = torch.full((1, 3, 8, 8), value)
        trace.watch(loaded([item], number), torch.zeros(1, 3, 2, 2), Step(1, 1, x, torch.zeros(1)))
    assert item.trace is not None
    item.done(outputs=[])
    trace.write(item)
    (picture,) = frames(item.trace)
    assert picture.getpixel((13 * SCALE, 16))[0] == pytest.approx(255, abs=8)

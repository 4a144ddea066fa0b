"""The page in Chromium: upload, paint, restore, compare, choose, download, cancel, wait, keys alone."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SETTLE = 0.1


def photo(height: int = 96, width: int = 128) -> np.ndarray:
    """(H, W, 3) uint8, smooth."""
    row, column = np.mgrid[0:height, 0:width]
    ramps = np.stack([row + column, 255 - column, row + 40], 2)
    return ramps.clip(0, 255).astype(np.uint8)


def upload(page: Any, data: bytes, name: str = "photo.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})


def visit(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#examples button")


def open_photo(page: Any, pixels: np.ndarray | None = None) -> None:
    stream = io.BytesIO()
    Image.fromarray(photo() if pixels is None else pixels).save(stream, "PNG")
    upload(page, stream.getvalue())
    page.wait_for_selector("#settings:visible")


def choose(page: Any, task: str, method: str = "biharmonic") -> None:
    page.check(f"#task-{task} > label input")
    page.locator("#result-options summary").click()
    page.select_option("#method", method)


def paint(page: Any) -> None:
    """A stroke across the middle."""
    box = page.locator("#mask").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 10, steps=6)
    page.mouse.up()


PAINTED = """() => { const c = document.getElementById("mask");
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"""


def painted(page: Any) -> int:
    """Pixels of the mask that are."""
    return int(page.evaluate(PAINTED))


def until(truth: Callable[[], bool], seconds: float = 60) -> None:
    """Playwright's own wait evaluates text, which the policy of the page forbids."""
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end
        time.sleep(0.05)


def restore(page: Any) -> None:
    page.click("#restore")
    page.wait_for_selector("#outcome:visible")
    page.wait_for_selector("#after:visible")


def downloaded(page: Any, tmp_path: Path, click: str = "#download") -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        page.click(click)
    path = tmp_path / "downloaded"
    waiting.value.save_as(path)
    return waiting.value.suggested_filename, path.read_bytes()


def test_upload_paint_restore_compare_and_download(page: Any, tmp_path: Path) -> None:
    open_photo(page)
    assert page.inner_text("#facts").startswith("128 × 96 · PNG")
    choose(page, "inpaint")
    assert page.is_disabled("#restore")
    assert "Paint over" in page.inner_text("#why")
    paint(page)
    count = painted(page)
    assert 0 < count < 128 * 96 / 3
    restore(page)
    name, data = downloaded(page, tmp_path)
    found = np.asarray(Image.open(io.BytesIO(data)))
    assert (name, found.shape) == ("photo.png", (96, 128, 3))
    changed = (found != photo()).any(2)
    assert changed.sum() <= count
    assert np.abs(found.astype(int) - photo()).max() < 20
    page.focus("#slider")
    before = page.evaluate("document.getElementById('after').style.clipPath")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.getElementById('after').style.clipPath") != before
    assert "--task inpaint --mask photo-mask.png --method biharmonic" in page.text_content("#command")
    page.click("#views >> text=Before")
    assert page.is_hidden("#after")


def test_the_mask_is_kept_and_can_be_changed(page: Any, tmp_path: Path) -> None:
    open_photo(page)
    choose(page, "inpaint")
    paint(page)
    count = painted(page)
    page.keyboard.press("Control+z")
    assert painted(page) == 0
    page.keyboard.press("Control+y")
    assert painted(page) == count
    page.click("#invert")
    assert painted(page) == 128 * 96 - count
    page.click("#undo")
    restore(page)
    page.click("#edit")
    assert painted(page) == count
    name, data = downloaded(page, tmp_path, "#save")
    mask = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert (name, set(np.unique(mask)), (mask > 0).sum()) == ("photo-mask.png", {0, 255}, count)
    page.click("#eraser")
    paint(page)
    assert painted(page) < count
    page.click("#clear")
    assert painted(page) == 0
    page.set_input_files("#mask-file", {"name": "m.png", "mimeType": "image/png", "buffer": data})
    until(lambda: painted(page) == count)


def test_candidates_certainty_and_history(page: Any) -> None:
    open_photo(page)
    choose(page, "inpaint", "lmmse")
    paint(page)
    page.fill("#count", "3")
    page.check("#uncertainty")
    restore(page)
    buttons = page.locator("#candidates button")
    assert buttons.count() == 3
    first = page.get_attribute("#download", "href")
    buttons.nth(2).click()
    assert page.get_attribute("#download", "href") != first
    page.click("#views >> text=Uncertainty")
    until(lambda: page.evaluate("document.getElementById('map').naturalWidth") == 128)
    assert re.search(r"\d.* or more", page.inner_text("#legend-top"))
    page.click("#go-on")
    page.wait_for_selector("body[data-state=edit]")
    assert page.locator("#results li").count() == 1
    page.click("#results >> text=Show")
    page.wait_for_selector("#outcome:visible")


def test_what_was_asked_for_last_is_shown(page: Any) -> None:
    open_photo(page)
    choose(page, "inpaint", "lmmse")
    paint(page)
    restore(page)
    with page.expect_response("**/picture"):
        page.evaluate(
            "document.getElementById('go-on').click(); document.querySelector('#results button').click()"
        )
    time.sleep(0.5)
    assert page.is_visible("#outcome")
    assert page.get_attribute("body", "data-state") == "result"


def test_bad_uploads_are_said_and_change_nothing(page: Any) -> None:
    upload(page, b"\xff\xd8\xff nothing", "broken.jpg")
    assert "broken.jpg" in page.inner_text("#alerts .alert")
    assert page.is_visible("#welcome")
    open_photo(page)
    choose(page, "inpaint")
    paint(page)
    page.click("#clear")
    page.click("#invert")
    page.click("#restore")
    page.wait_for_selector("#alerts .alert")
    assert "everywhere" in page.inner_text("#alerts .alert")
    assert painted(page) == 128 * 96


def test_cancel_and_those_who_wait(page: Any, context: Any, address: str) -> None:
    page.click("text=A scratched portrait")
    page.wait_for_selector("#settings:visible")
    until(lambda: painted(page) > 0)
    page.fill("#count", "8")
    page.click("#restore")
    page.wait_for_selector("#progress:visible")
    other = context.new_page()
    visit(other, address)
    open_photo(other)
    choose(other, "denoise", "tv")
    other.click("#restore")
    other.wait_for_selector("#doing:has-text('Waiting for one restoration')")
    start = time.monotonic()
    page.click("#cancel")
    page.wait_for_selector("#progress", state="hidden")
    assert time.monotonic() - start < 3
    assert painted(page) > 0
    other.wait_for_selector("#outcome:visible")


def test_a_closed_tab_stops_its_work(context: Any, page: Any, address: str) -> None:
    other = context.new_page()
    visit(other, address)
    other.click("text=A scratched portrait")
    other.wait_for_selector("#settings:visible")
    until(lambda: painted(other) > 0)
    other.fill("#count", "8")
    other.click("#restore")
    other.wait_for_selector("#progress:visible")
    busy = "fetch('/api/about').then(a => a.json()).then(a => a.queue.running)"
    until(lambda: page.evaluate(busy) == 1)
    other.close(run_before_unload=True)
    until(lambda: page.evaluate(busy) == 0, 20)


def test_keys_alone(page: Any, tmp_path: Path) -> None:
    open_photo(page)
    page.focus("#task-inpaint input")
    page.keyboard.press("Space")
    page.focus("#mask")
    page.keyboard.press("]")
    page.keyboard.down("Space")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.up("Space")
    count = painted(page)
    assert count > 0
    page.keyboard.press("x")
    page.keyboard.press("Space")
    assert painted(page) < count
    page.focus("#restore")
    page.keyboard.press("Enter")
    page.wait_for_selector("#outcome:visible")
    assert page.evaluate("document.activeElement.id") == "outcome-head"
    with page.expect_download() as waiting:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "photo.png"


def test_settings_for_several_pictures(page: Any, tmp_path: Path) -> None:
    open_photo(page)
    choose(page, "denoise", "tv")
    restore(page)
    page.click("#folder summary")
    stream = io.BytesIO()
    Image.fromarray(photo()).save(stream, "PNG")
    files = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": stream.getvalue()} for n in "ab"]
    page.set_input_files("#many-files", [*files, {"name": "c.png", "mimeType": "image/png", "buffer": b"no"}])
    page.wait_for_selector("#folder-state a")
    assert "2 of 3" in page.inner_text("#folder-state")
    assert "c.png" in page.inner_text("#folder-state")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_page(browser: Any, address: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    visit(page, address)
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= width
    open_photo(page)
    page.check("#task-inpaint > label input")
    assert page.evaluate(wide) <= width
    unnamed = """() => [...document.querySelectorAll("button, input, select, a[href]")].filter((e) =>
        e.offsetParent && !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).length"""
    assert page.evaluate(unnamed) == 0
    context.close()


def test_touch_paints_and_two_fingers_zoom(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800}, has_touch=True)
    page = context.new_page()
    visit(page, address)
    open_photo(page)
    page.check("#task-inpaint > label input")
    page.evaluate("document.getElementById('frame').scrollIntoView()")
    box = page.locator("#frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        found = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})

    touch("touchStart", (x, y))
    touch("touchMove", (x + 30, y))
    touch("touchEnd")
    time.sleep(SETTLE)
    count = painted(page)
    assert count > 0
    zoom = page.inner_text("#zoom")
    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchEnd")
    time.sleep(SETTLE)
    assert page.inner_text("#zoom") != zoom
    assert painted(page) == count
    context.close()

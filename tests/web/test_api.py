"""The HTTP interface: from an upload to the bytes of a result."""

from __future__ import annotations

import asyncio
import io
import json
import shlex
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from visitor import Visitor, hole, photo, png

from restora.cli import main
from restora.web.events import stream
from restora.web.service import Service


def test_a_hole_is_filled_and_nothing_else_is_touched(visitor: Visitor) -> None:
    picture = visitor.picture()
    assert visitor.mask(picture).json()["missing"] == pytest.approx(140 / (48 * 64))
    job = visitor.restore(picture)
    assert (job["state"], job["done"], job["error"]) == ("done", 1, "")
    answer = visitor.result(job)
    assert 'filename="photo.png"' in answer.headers["content-disposition"]
    found = np.asarray(Image.open(io.BytesIO(answer.content)))
    kept = hole() == 0
    assert (found[kept] == photo()[kept]).all()
    assert np.abs(found[~kept].astype(int) - photo()[~kept]).max() < 12
    assert "nothing was changed" in job["items"][0]["verdict"]


def test_the_command_it_shows_makes_the_same_bytes(
    visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = visitor.picture(name="my photo.png")
    visitor.mask(picture)
    job = visitor.restore(picture, options={"grow": "2"}, method="lmmse", candidates=2, seed=3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photo.png").write_bytes(png(photo()))
    (tmp_path / "my photo-mask.png").write_bytes(png(hole()))
    assert main(shlex.split(job["command"])[1:]) == 0
    for number, name in enumerate(job["items"][0]["results"]):
        assert visitor.result(job, number).content == (tmp_path / "restored" / name).read_bytes()


def test_depth_exif_and_profile_are_kept(visitor: Visitor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    stream = io.BytesIO()
    Image.fromarray(photo()).save(stream, "JPEG", exif=exif, quality=95)
    job = visitor.restore(
        visitor.picture(stream.getvalue(), "a.jpg"), "denoise", method="tv", options={"sigma": 0.05}
    )
    found = Image.open(io.BytesIO(visitor.result(job).content))
    assert (found.format, found.getexif()[0x010E]) == ("JPEG", "a description")
    deep = photo().astype(np.uint16) * 257 + 3
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    picture = visitor.picture((tmp_path / "deep.tif").read_bytes(), "deep.tif")
    visitor.mask(picture)
    job = visitor.restore(picture)
    assert tifffile.imread(io.BytesIO(visitor.result(job).content))[0, 0].tolist() == deep[0, 0].tolist()
    view = visitor.client.get(f"{visitor.root}/jobs/{job['id']}/items/0/results/0/view")
    assert view.headers["content-type"] == "image/png"


def test_candidates_and_their_uncertainty(visitor: Visitor) -> None:
    picture = visitor.picture()
    visitor.mask(picture)
    job = visitor.restore(picture, method="lmmse", candidates=3, uncertainty=True)
    (item,) = job["items"]
    assert item["results"] == ["photo.png", "photo-2.png", "photo-3.png"]
    assert len({visitor.result(job, k).content for k in range(3)}) == 3
    sheet = Image.open(io.BytesIO(visitor.client.get(f"{visitor.root}/jobs/{job['id']}/items/0/map").content))
    colours = np.asarray(sheet.convert("RGB"))
    assert sheet.size == (64, 48)
    assert item["scale"] > 0
    assert (colours[0, 0] == (68, 1, 84)).all()  # viridis at 0
    assert (colours[15, 27] != (68, 1, 84)).any()


def test_a_result_is_the_next_picture(visitor: Visitor) -> None:
    picture = visitor.picture()
    visitor.mask(picture)
    job = visitor.restore(picture)
    bytes = visitor.result(job).content
    found = visitor.client.post(f"{visitor.root}/jobs/{job['id']}/items/0/results/0/picture").json()
    assert (found["width"], found["height"], found["name"]) == (64, 48, "photo.png")
    assert visitor.client.get(f"{visitor.root}/pictures/{found['id']}/view").content == bytes
    assert visitor.restore(found["id"], "superres", method="bicubic", options={"scale": "2"})["items"][0][
        "size"
    ] == [96, 128]


def test_settings_for_a_folder(visitor: Visitor) -> None:
    ids = [visitor.picture(name=name) for name in ("a.png", "b.png", "a.png")]
    visitor.mask(ids[0])
    small = visitor.picture(png(photo(20, 20)), "other.png")
    job = visitor.wait(visitor.submit(ids[0], pictures=[*ids, small]).json()["id"])
    assert [bool(item["error"]) for item in job["items"]] == [False, False, False, True]
    assert "20x20" in job["items"][-1]["error"]
    archive = visitor.client.get(f"{visitor.root}/jobs/{job['id']}/results.zip").content
    assert sorted(zipfile.ZipFile(io.BytesIO(archive)).namelist()) == ["a-2.png", "a.png", "b.png"]


def test_what_is_found_is_said(visitor: Visitor) -> None:
    noisy = photo(160, 160) // 2 + 64 + np.random.default_rng(0).normal(0, 16, (160, 160, 3))
    found = visitor.upload(png(noisy.clip(0, 255).astype(np.uint8))).json()["findings"]
    noise = next(f for f in found if f["step"] and f["step"]["task"] == "denoise")
    assert noise["suggested"]
    stream = io.BytesIO()
    Image.fromarray(photo(160, 160)).save(stream, "JPEG", quality=20)
    found = visitor.upload(stream.getvalue(), "b.jpg").json()["findings"]
    assert any("20" in f["text"] and f["step"]["task"] == "jpeg" for f in found)


def test_nothing_is_found_and_nothing_changed_where_nothing_is_wrong(visitor: Visitor) -> None:
    picture = visitor.upload(png(photo(420, 420))).json()
    assert [f for f in picture["findings"] if f["suggested"]] == []
    job = visitor.restore(picture["id"], "denoise", method="auto")
    assert "Nothing was changed" in job["items"][0]["verdict"]
    assert (np.asarray(Image.open(io.BytesIO(visitor.result(job).content))) == photo(420, 420)).all()


def test_every_frame_of_an_animation(visitor: Visitor) -> None:
    frames = [Image.fromarray(np.roll(photo(), 9 * k, 0)) for k in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=70)
    answer = visitor.upload(stream.getvalue(), "moving.gif").json()
    assert (answer["planes"], "3 frames" in answer["facts"]) == (3, True)
    visitor.mask(answer["id"])
    found = Image.open(io.BytesIO(visitor.result(visitor.restore(answer["id"])).content))
    assert (found.format, found.n_frames) == ("PNG", 3)


def test_examples_come_with_what_they_need(visitor: Visitor) -> None:
    about = visitor.client.get("/api/about").json()
    for example in about["examples"]:
        assert (
            visitor.client.get(f"/api/examples/{example['name']}.jpg").headers["content-type"] == "image/jpeg"
        )
        assert visitor.client.post(f"{visitor.root}/examples/{example['name']}").status_code == 201


def test_tasks_come_from_the_registry(visitor: Visitor) -> None:
    from restora.degradations import degradations

    tasks = {task["name"]: task for task in visitor.client.get("/api/about").json()["tasks"]}
    assert list(tasks) == degradations.names()
    sigma = next(option for option in tasks["denoise"]["options"] if option["name"] == "sigma")
    assert (sigma["auto"], sigma["default"], sigma["plain"]) == (True, "auto", True)


def test_the_interface_is_described(visitor: Visitor) -> None:
    schema = visitor.client.get("/api/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), (method, path)


def test_events_tell_of_a_restoration(visitor: Visitor, service: Service) -> None:
    picture = visitor.picture()
    visitor.mask(picture)
    job = visitor.restore(picture, method="tv")

    async def read() -> list[str]:
        events = stream(service.visits.get(visitor.root.rpartition("/")[2]))  # type: ignore[arg-type]
        found = [await anext(events), await anext(events)]
        await events.aclose()  # type: ignore[attr-defined]
        return found

    with ThreadPoolExecutor() as pool:  # a loop of playwright's may run in this thread
        _, event = pool.submit(asyncio.run, read()).result()
    kind, data, *_ = event.splitlines()
    assert kind == "event: job"
    assert json.loads(data.removeprefix("data: "))["id"] == job["id"]

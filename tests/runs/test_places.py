"""Zips and URLs as inputs and outputs: the results of a folder, and nothing outside of the output."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

from restora import limits
from restora.errors import ImageError, OutputError, PackageError
from restora.pictures import image, remote, zips
from restora.pictures.file import File
from restora.runs import segments
from restora.runs.items import Inputs
from restora.runs.manifest import Manifest

Command = Callable[..., Any]
WORDS = ("--task", "denoise", "--sigma", 0.1, "--method", "tv", "--device", "cpu")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """fsspec's file system in memory, empty; and no waiting for locks."""
    monkeypatch.setattr(segments, "SETTLE", 0.01)
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def zipped(path: Path, **files: bytes | Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data if isinstance(data, bytes) else data.read_bytes())
    return path


def tree(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if name != "restora.json"}


def test_a_zip_is_restored_as_its_folder(clean: Path, tmp_path: Path, restora: Command) -> None:
    names = {f"x/{path.name}": path for path in clean.iterdir()}
    archive = zipped(tmp_path / "all.zip", **names, **{"top.png": clean / "a.png", "__MACOSX/x/._a.png": b""})
    done = restora("restore", archive, "-o", tmp_path / "out", *WORDS)
    assert (done.code, done.out, done.err) == (0, f"6 written to {tmp_path / 'out'}\n", "")
    (tmp_path / "plain" / "x").mkdir(parents=True)
    for name, path in {**names, "top.png": clean / "a.png"}.items():
        (tmp_path / "plain" / name).write_bytes(path.read_bytes())
    restora("restore", tmp_path / "plain", "-o", tmp_path / "out2", "--recursive", *WORDS)
    assert tree(tmp_path / "out") == tree(tmp_path / "out2")
    entries = json.loads((tmp_path / "out" / "restora.json").read_text())["files"]
    assert f"{archive}/x/a.png" in entries
    assert restora("restore", archive, "-o", tmp_path / "out", *WORDS).out.endswith(
        "6 kept from an earlier run\n"
    )


@pytest.mark.parametrize(
    "name", ["/tmp/a.png", "../a.png", "x/../../a.png", "x\\..\\a.png", "./a.png", "x//a.png"]
)
def test_names_that_lead_out_of_a_zip(name: str, clean: Path, tmp_path: Path, restora: Command) -> None:
    archive = zipped(tmp_path / "bad.zip", **{name: clean / "a.png", "good [1] -ü.png": clean / "b.png"})
    before = tree(tmp_path)
    done = restora("restore", archive, "-o", tmp_path / "out", *WORDS)
    note = f"restora: note: skipped 1 link or name that leads out of a zip: {archive}\n"
    assert (done.code, done.err) == (0, note)
    assert tree(tmp_path).keys() - before.keys() == {"out/good [1] -ü.png", "out/restora.json"}


def test_a_link_in_a_zip(clean: Path, tmp_path: Path) -> None:
    archive = tmp_path / "link.zip"
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, str(clean / "a.png"))
    with pytest.raises(ImageError, match="no image in this zip"):
        Inputs([archive], tmp_path / "out", 0)


def test_bombs_in_zips(
    tmp_path: Path, clean: Path, restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(10**6))
        file.write(clean / "b.png", "b.png")
    monkeypatch.setattr(limits, "MEMBER", 10**5)
    (failure,) = restora("restore", archive, "-o", tmp_path / "out", *WORDS).failures()
    assert failure == f"{archive}/a.png: cannot be read (1000000 bytes; at most 100000 are accepted)"
    data = archive.read_bytes()
    size = (10**6).to_bytes(4, "little")
    assert data.count(size) == 2
    archive.write_bytes(data.replace(size, (10**5).to_bytes(4, "little")))  # it lies about its size
    with pytest.raises(ImageError, match="cannot be read"):
        File(zips.zip_at(archive) / "a.png").read("a", 10**9)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_zip(data: bytes, tmp_path: Path, restora: Command) -> None:
    (tmp_path / "bad.zip").write_bytes(data)
    error = restora("restore", tmp_path / "bad.zip", "-o", tmp_path / "out", *WORDS).error()
    assert "bad.zip: cannot be read as a zip" in error


def test_urls_in_and_out(clean: Path, tmp_path: Path, restora: Command, memory: Any) -> None:
    memory.put(str(clean), "/in", recursive=True)
    memory.pipe("/in/sub/f.png", (clean / "a.png").read_bytes())
    words = ("restore", "memory://in", "-o", "memory://out/here", "--recursive", *WORDS)
    done = restora(*words)
    assert (done.code, done.out, done.err) == (0, "6 written to memory://out/here\n", "")
    restora("restore", clean, "-o", tmp_path / "out", *WORDS)
    for name, data in tree(tmp_path / "out").items():
        assert memory.cat(f"/out/here/{name}") == data
    found = sorted(path.removeprefix("/out/here/") for path in memory.find("/out"))
    assert found == [*(f"{s}.png" for s in "abcde"), "restora.json", "sub/f.png"]
    local = json.loads((tmp_path / "out" / "restora.json").read_text())
    content = json.loads(memory.cat("/out/here/restora.json"))
    assert content.keys() == local.keys()
    entry = content["files"]["memory://in/a.png"]
    assert entry.keys() == local["files"][str(clean / "a.png")].keys()
    assert restora(*words).out == "0 written to memory://out/here, 6 kept from an earlier run\n"
    memory.pipe("/in/b.png", (clean / "c.png").read_bytes())
    memory.rm("/out/here/a.png")
    assert restora(*words).out.startswith("2 written")


def test_a_run_behind_a_url_that_is_killed(clean: Path, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SYNC", 0)
    out = remote.place_of("memory://out")
    inputs = Inputs([clean], out, 0)
    one, two = Manifest(out, {}), Manifest(out, {})
    one.begin(inputs)
    for i, manifest in enumerate((one, one, two, two)):
        if i == 2:
            two.begin(inputs)
        item = inputs.item(i)
        memory.pipe(f"/out/{item.pictures[0].name}", b"result")
        item.done()
        manifest.record([item])
    two.close()  # the other is killed
    with Manifest(out, {}) as third:
        third.begin(inputs)
        assert [third.keep(item) for item in inputs] == [True] * 4 + [False]
    assert sorted(memory.ls("/out", detail=False)) == sorted(
        [*(f"/out/{s}.png" for s in "abcd"), "/out/restora.json"]
    )


def test_lock_of_a_process_that_was_killed(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "DEAD", 0.1)
    memory.pipe("/out/.restora.lock", b"someone")
    with segments.locked(remote.place_of("memory://out")):
        assert memory.cat("/out/.restora.lock") != b"someone"
    assert not memory.exists("/out/.restora.lock")


def test_a_store_that_is_full(
    clean: Path, restora: Command, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, local: str, target: str, **options: object) -> None:
        raise RuntimeError("quota exceeded")

    monkeypatch.setattr(type(memory), "put_file", full)
    error = restora("restore", clean, "-o", "memory://out", *WORDS).error()
    assert error == "memory://out/restora.json: cannot be written (quota exceeded)"


def test_other_urls(clean: Path, tmp_path: Path, restora: Command) -> None:
    archive = zipped(tmp_path / "a.zip", **{"x/a.png": clean / "a.png"})
    done = restora("restore", f"zip://x::file://{archive}", "-o", f"file://{tmp_path}/out", *WORDS)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "out" / "a.png").exists()
    assert (
        "unknown kind of URL" in restora("restore", "nothing://a.png", "-o", tmp_path / "o", *WORDS).error()
    )
    error = restora("restore", "memory://nowhere", "-o", tmp_path / "o", *WORDS).error()
    assert error.startswith("memory://nowhere: no such file or folder")


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    remote._remote.cache_clear()
    with pytest.raises(PackageError, match="s3:// needs an optional package: pip install s3fs"):
        remote.place_of("s3://bucket/pictures")


def test_nothing_is_written_into_a_zip(clean: Path, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", **{"a.png": clean / "a.png"})
    with pytest.raises(OutputError, match="nothing is written into a zip"):
        image.write(zips.zip_at(archive) / "b.png", torch.zeros(3, 4, 4))

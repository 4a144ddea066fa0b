"""Names of any kind, and links: results have the names of their inputs, and stay in the output folder."""

from __future__ import annotations

import os
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora.errors import ImageError
from restora.pictures import image
from restora.training import data

Command = Callable[..., Any]
NAMES = (
    "with space",
    "[brackets]",
    "star*",
    "que?",
    "-dash",
    "--output",
    "new\nline",
    "tab\t",
    unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"),
    "\u202ertl",
    "$(touch x)",
    "a'b\"c",
    "~",
    "a.",
    "a..b",
    os.fsdecode(b"bad\xff"),
    " ",
    "%s{}",
    "\x1b[31m",
    "x" * 240,
)
DENOISE = ("--task", "denoise", "--sigma", "0.1", "--method", "tv", "--set", "iterations=2")


def picture(path: Path) -> None:
    image.write(path, torch.full((3, 12, 12), 0.5))


def test_any_name(restora: Command, tmp_path: Path) -> None:
    for name in NAMES:
        picture(tmp_path / "in" / f"{name}.png")
    assert restora("restore", tmp_path / "in", "-o", tmp_path / "out", *DENOISE).code == 0
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {"restora.json", *(f"{name}.png" for name in NAMES)}
    assert restora("restore", tmp_path / "in", "-o", tmp_path / "out", *DENOISE).code == 0  # all are kept


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("-")])
def test_a_name_as_it_is_given(
    name: str, restora: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path(f"{name}.png"))
    outcome = restora("restore", f"{name}.png", "-o", "out", *DENOISE)
    assert (outcome.code, Path("out", f"{name}.png").exists()) == (0, True)


MORE = ("--task", "denoise", "--sigma", "0.1", "--method", "lmmse", "--prior", "natural-gaussian")
LONG = "x" * 251  # with .png, the longest name that there is


def written(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def failures(outcome: Any) -> list[str]:
    """The lines of the files that failed, without notes."""
    assert outcome.code == 1
    return [line for line in outcome.err.splitlines() if line.startswith("restora: failed: ")]


@pytest.mark.parametrize("name", [LONG, "é" * 125 + "x"])
@pytest.mark.parametrize("wish", ["--uncertainty", "--trace", "--samples=2", "--format=webp"])
def test_a_name_whose_results_have_none(name: str, wish: str, restora: Command, tmp_path: Path) -> None:
    """It fails alone, before it is restored, however often it is tried."""
    for stem in ("a", name, "z"):
        picture(tmp_path / "in" / f"{stem}.png")
    for done in ("2 written", "0 written"):
        outcome = restora("restore", tmp_path / "in", "-o", tmp_path / "out", *MORE, wish)
        (failure,) = failures(outcome)
        assert "cannot be written (File name too long)" in failure
        assert outcome.out.startswith(done)
    assert {Path(path).name[0] for path in written(tmp_path / "out") - {"restora.json"}} == {"a", "z"}


def test_the_longest_name(restora: Command, tmp_path: Path) -> None:
    picture(tmp_path / "in" / f"{LONG}.png")
    for word in ("1 written", "0 written"):
        assert restora("restore", tmp_path / "in", "-o", tmp_path / "out", *DENOISE).out.startswith(word)
    assert written(tmp_path / "out") == {f"{LONG}.png", "restora.json"}


@pytest.mark.parametrize("command", ["degrade", "restore"])
def test_zip_entries_that_no_file_system_takes(command: str, restora: Command, tmp_path: Path) -> None:
    """A zip has names of up to 65,535 bytes."""
    picture(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in ("a", "sub/b", "n" * 300, "n" * 300 + "/c", "/".join(["n" * 200] * 30)):
            archive.write(tmp_path / "a.png", f"{name}.png")
    words = DENOISE if command == "restore" else DENOISE[:4]
    for more in ((), ("--overwrite",)):
        outcome = restora(command, tmp_path / "data.zip", "-o", tmp_path / "out", *words, *more)
        assert len(failures(outcome)) == 3
        assert outcome.out.startswith("2 written")
        assert written(tmp_path / "out") == {"a.png", "sub/b.png", "restora.json"}


def test_names_too_long_for_a_folder_of_masks(restora: Command, tmp_path: Path) -> None:
    """Such a mask is missing; the name of a picture is looked for with other suffixes too."""
    for name in ("a.png", f"{LONG}.bmp"):
        picture(tmp_path / "in" / name)
    mask = torch.zeros(1, 12, 12)
    mask[:, :4, :4] = 1
    image.write(tmp_path / "masks" / "a.png", mask)
    words = ("--task", "inpaint", "--mask", tmp_path / "masks", "--method", "tv")
    outcome = restora("restore", tmp_path / "in", "-o", tmp_path / "out", *words)
    (failure,) = failures(outcome)
    assert "no mask for it" in failure
    assert outcome.out.startswith("1 written")
    image.write(tmp_path / "masks" / f"{LONG}.bmp", mask)
    assert restora("restore", tmp_path / "in", "-o", tmp_path / "out", *words).out.startswith("1 written")


@pytest.mark.parametrize("name", ["n\0l.png", "n\0l/b.png"])
def test_names_that_only_a_store_takes(name: str, restora: Command, tmp_path: Path) -> None:
    files = pytest.importorskip("fsspec").filesystem("memory")
    picture(tmp_path / "a.png")
    for key in ("a.png", name):
        files.pipe_file(f"/names/{key}", (tmp_path / "a.png").read_bytes())
    try:
        outcome = restora("restore", "memory://names", "-o", tmp_path / "out", "--recursive", *DENOISE)
    finally:
        files.rm("/names", recursive=True)
    (failure,) = failures(outcome)
    assert "cannot be written (embedded null byte)" in failure
    assert written(tmp_path / "out") == {"a.png", "restora.json"}


def test_links_in_a_circle(restora: Command, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "sub" / "c.png")
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "round").symlink_to("round")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to("sub")
    outcome = restora("restore", tmp_path / "in", "-o", tmp_path / "out", "--recursive", *DENOISE)
    (failure,) = failures(outcome)
    assert "sub/c.png: cannot be written (Too many levels of symbolic links)" in failure
    assert outcome.out.startswith("1 written")


def test_zip_that_is_inspected(restora: Command, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "sub/a.png")
    assert f"{tmp_path}/data.zip/sub/a.png" in restora("inspect", tmp_path / "data.zip").out


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a file that nobody may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "victim.png").write_bytes(b"precious")
    return tmp_path / "outside"


def untouched(outside: Path) -> bool:
    return [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("victim.png", b"precious")]


@pytest.mark.parametrize("name", ["a.png", "restora.json"])
@pytest.mark.parametrize("target", ["victim.png", "new.png"])
def test_a_link_in_the_place_of_a_result(
    name: str, target: str, restora: Command, tmp_path: Path, outside: Path
) -> None:
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(outside / target)
    restora("restore", tmp_path / "in", "-o", tmp_path / "out", *DENOISE)
    assert untouched(outside)
    restora("restore", tmp_path / "in", "-o", tmp_path / "out", *DENOISE, "--overwrite")
    assert untouched(outside)


def test_a_folder_that_leads_out(restora: Command, tmp_path: Path, outside: Path) -> None:
    picture(tmp_path / "in" / "sub" / "c.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(outside, target_is_directory=True)
    for more in ((), ("--overwrite",)):
        outcome = restora("restore", tmp_path / "in", "-o", tmp_path / "out", "--recursive", *DENOISE, *more)
        assert "sub is a link that leads out of" in outcome.error()
        assert untouched(outside)


def test_an_output_folder_that_is_a_link(restora: Command, tmp_path: Path) -> None:
    """It is the user's own."""
    picture(tmp_path / "in" / "sub" / "c.png")
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    assert restora("restore", tmp_path / "in", "-o", tmp_path / "out", "--recursive", *DENOISE).code == 0
    assert (tmp_path / "real" / "sub" / "c.png").exists()


def test_dots_in_a_path(restora: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert restora("restore", "../in/../in/a.png", "-o", "out", *DENOISE).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in", "work"}
    assert {path.name for path in (tmp_path / "work" / "out").iterdir()} == {"a.png", "restora.json"}


def test_zip_entries_that_lead_out(tmp_path: Path) -> None:
    """Nothing is extracted; a name that begins with a dot is hidden."""
    picture(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in ("../../evil.png", "/abs.png", "..\\evil.png", "fine/ok.png"):
            archive.write(tmp_path / "a.png", name)
    names = [member for _, _, member in data.members([tmp_path / "data.zip"])]
    assert "fine/ok.png" in names
    assert len(data.load([tmp_path / "data.zip"], 8)[0]) == len(names)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "data.zip"}


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_never_ends(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "endless.png")
    with pytest.raises(ImageError, match="a pipe or a device, not a file"):
        image.read(tmp_path / "endless.png")

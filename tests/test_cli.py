"""The command line as people and scripts use it: outputs, manifest, exit codes, errors of one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence
from safetensors.torch import save_file

from restora.cli import main
from restora.degradations import Mask, degradations
from restora.networks.dcgan import Discriminator, Generator
from restora.pictures import colour, encoding, image
from restora.priors import GANPrior, GaussianPrior, load_prior, places, store
from restora.random import seed_of
from restora.restoration import restore
from restora.runs.task import Task
from restora.solvers import LatentMAP

Command = Callable[..., Any]
QUICK = ("--set", "iterations=5", "--set", "restarts=2", "--device", "cpu")
SIGMA = ("--sigma", 0.1)
OPTIONS = {"denoise": SIGMA, "inpaint": ("--hole", "center"), "deblur": ("--width", "0.5")}
OPTIONS["jpeg"] = ("--quality", 10)


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "restora.json").read_text())


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def denoise(restora: Command, tiny: Path) -> Command:
    """denoise(inputs..., options...) runs a quick `restora restore --task denoise` with the tiny prior."""
    return lambda *words: restora(
        "restore",
        *words,
        "--task",
        "denoise",
        "--prior",
        tiny,
        *QUICK,
        *(() if "--sigma" in words else SIGMA),
    )


@pytest.mark.parametrize("task", degradations.names())
def test_round_trip_of_every_task(
    task: str, clean: Path, tmp_path: Path, tiny: Path, restora: Command
) -> None:
    options = ("--task", task, *OPTIONS.get(task, ()))
    made = restora("degrade", clean, "-o", tmp_path / "obs", *options)
    assert (made.code, made.out, made.err) == (0, f"5 written to {tmp_path / 'obs'}\n", "")
    done = restora(
        "restore", tmp_path / "obs", "-o", tmp_path / "out", *options, "--prior", tiny, *QUICK, "--samples", 2
    )
    assert (done.code, done.out, done.err) == (0, f"5 written to {tmp_path / 'out'}\n", "")
    assert listing(tmp_path / "out") == sorted(
        [f"{s}{k}.png" for s in "abcde" for k in ("", "-2")] + ["restora.json"]
    )

    hole, width = ("center" if task == "inpaint" else None), ({"width": 0.5} if task == "deblur" else {})
    prior, described = load_prior(tiny), Task(task, width, hole)
    degradation = described.degradation(
        [described.pictures(Path("a.png"), image.Picture(torch.zeros(3, 8, 8)))] * 5
    )
    channels = degradation.operator.observed_shape(prior.image_shape)[0]
    y = torch.stack([image.read(tmp_path / "obs" / f"{s}.png", channels).pixels for s in "abcde"])
    seeds = [seed_of(s, 0) for s in "abcde"]
    solver = LatentMAP(iterations=5, restarts=2)
    expected = restore(y, degradation, method=solver, prior=prior, samples=2, seed=seeds, device="cpu")
    for i, stem in enumerate("abcde"):
        for k, name in enumerate([f"{stem}.png", f"{stem}-2.png"]):
            written = colour.to_uint8(image.read(tmp_path / "out" / name).pixels)
            assert torch.equal(written, colour.to_uint8(expected.samples[i, k]))


def test_manifest(clean: Path, tmp_path: Path, tiny: Path, denoise: Command) -> None:
    (clean / "b.png").write_bytes(b"nothing")
    denoise(clean, "-o", tmp_path / "out", "--seed", 4)
    content = manifest(tmp_path / "out")
    settings = content["settings"]
    assert settings["method settings"] == {**vars(LatentMAP()), "iterations": 5, "restarts": 2}
    assert {
        k: settings[k] for k in ("command", "task", "sigma", "method", "prior", "samples", "seed", "device")
    } == {
        "command": "restore",
        "task": "denoise",
        "sigma": 0.1,
        "method": "map",
        "prior": "tiny",
        "samples": 1,
        "seed": 4,
        "device": "cpu",
    }
    assert content["versions"]["torch"] == torch.__version__
    assert sorted(content["files"]) == [str(clean / f"{s}.png") for s in "abcde"]
    good, bad = content["files"][str(clean / "a.png")], content["files"][str(clean / "b.png")]
    assert sorted(good) == ["loss", "outputs", "residual", "seconds", "seed", "sha256", "status"]
    assert (good["status"], good["seed"], good["outputs"]) == ("done", seed_of("a", 4), ["a.png"])
    assert (bad["status"], bad["error"].split(";")[0]) == ("failed", "not an image")


def test_second_run_keeps_and_overwrite_does_again(clean: Path, tmp_path: Path, denoise: Command) -> None:
    out = tmp_path / "out"
    denoise(clean, "-o", out)
    first = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert denoise(clean, "-o", out).out == f"0 written to {out}, 5 kept from an earlier run\n"
    assert first == {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    image.write(clean / "c.png", torch.zeros(3, 8, 8))
    assert denoise(clean, "-o", out).out == f"1 written to {out}, 4 kept from an earlier run\n"
    assert denoise(clean, "-o", out, "--overwrite").out == f"5 written to {out}\n"
    assert "seed: 0 there, 1 now" in denoise(clean, "-o", out, "--seed", 1).error()
    assert denoise(clean, "-o", out, "--seed", 1, "--overwrite").code == 0


def test_failed_file_is_tried_again(clean: Path, tmp_path: Path, denoise: Command) -> None:
    good = (clean / "a.png").read_bytes()
    (clean / "a.png").write_bytes(good[:60])
    (failure,) = denoise(clean, "-o", tmp_path / "out").failures()
    assert failure.startswith(f"{clean / 'a.png'}: truncated or damaged")
    (clean / "a.png").write_bytes(good)
    assert denoise(clean, "-o", tmp_path / "out").out.startswith("1 written")


@pytest.mark.parametrize("command", ["degrade", "restore"])
def test_json_is_all_there_is_on_stdout(
    command: str, clean: Path, tmp_path: Path, tiny: Path, restora: Command
) -> None:
    (clean / "b.png").write_bytes(b"nothing")
    more = ("--prior", tiny, *QUICK) if command == "restore" else ()
    done = restora(command, clean, "-o", tmp_path / "out", "--task", "denoise", "--json", *more)
    assert json.loads(done.out) == manifest(tmp_path / "out")
    assert len(done.failures()) == 1


def test_trace_is_an_animation(clean: Path, tmp_path: Path, denoise: Command) -> None:
    assert denoise(clean / "a.png", "-o", tmp_path / "out").code == 0
    assert denoise(clean / "a.png", "-o", tmp_path / "out", "--trace").out.startswith("1 written")
    with Image.open(tmp_path / "out" / "a-trace.webp") as picture:
        assert picture.format == "WEBP"
        assert len(list(ImageSequence.Iterator(picture))) > 1
    assert manifest(tmp_path / "out")["files"][str(clean / "a.png")]["outputs"] == ["a.png", "a-trace.webp"]


@pytest.fixture
def uncertain(restora: Command, tmp_path: Path) -> Command:
    """A quick `restora restore --task inpaint` with a Gaussian prior."""
    spread = 0.1 * torch.eye(3)[..., None, None].expand(-1, -1, 8, 8).contiguous()
    prior = GaussianPrior(torch.full((3, 8, 8), 0.5), torch.zeros(0, 3, 8, 8), spread)
    store.save(tmp_path / "gaussian", prior, {})
    usual = ("--task", "inpaint", "--hole", "center", "--prior", tmp_path / "gaussian", "--device", "cpu")
    return lambda *words: restora("restore", *words, "-o", tmp_path / "out", *usual)


def test_uncertainty(clean: Path, tmp_path: Path, uncertain: Command) -> None:
    out = tmp_path / "out"
    assert uncertain(clean / "a.png", "--uncertainty", "--set", "samples=201").code == 0
    assert listing(out) == ["a-std.png", "a-std.tiff", "a.png", "restora.json"]
    std = image.read(out / "a-std.tiff")
    assert (std.bits, std.size, len(std.pixels)) == (16, (8, 8), 3)
    hole = std.pixels[:, 2:6, 2:6]
    assert hole.mean().item() == pytest.approx(0.1, rel=0.03)
    assert std.pixels.sum().item() == pytest.approx(hole.sum().item(), abs=0.02)
    entry = manifest(out)["files"][str(clean / "a.png")]
    assert entry["outputs"] == ["a.png", "a-std.png", "a-std.tiff"]
    assert entry["std"] == pytest.approx(std.pixels.square().mean().sqrt().item(), abs=1e-4)


def test_uncertainty_in_a_second_run(clean: Path, tmp_path: Path, uncertain: Command) -> None:
    out, words = tmp_path / "out", (clean, "--samples", 3, "--set", "samples=9")
    assert uncertain(*words).out == f"5 written to {out}\n"
    assert uncertain(*words, "--uncertainty").out == f"5 written to {out}\n"
    assert listing(out) == sorted(
        [f"{s}{k}" for s in "abcde" for k in (".png", "-2.png", "-3.png", "-std.png", "-std.tiff")]
        + ["restora.json"]
    )
    assert uncertain(*words, "--uncertainty").out.startswith("0 written")
    (out / "c-std.tiff").unlink()
    assert uncertain(*words, "--uncertainty").out.startswith("1 written")
    assert "samples: 9 there, 8 now" in uncertain(clean, "--samples", 3, "--set", "samples=8").error()


def test_uncertainty_that_there_is_not(
    clean: Path, tmp_path: Path, restora: Command, uncertain: Command
) -> None:
    words = ("restore", clean, "-o", tmp_path / "out", "--uncertainty")
    for method in ("map", "tv"):
        error = restora(*words, "--task", "denoise", "--method", method).error()
        assert "does not sample from the posterior, so its uncertainty is unknown" in error
        assert "such as lmmse or flower, or leave --uncertainty out" in error
    gaussian = ("--prior", tmp_path / "gaussian")
    assert "not for Quantize" in restora(*words, "--task", "dequantize", *gaussian).error()
    assert (
        "not for Quantize" in restora(*words[:-1], "--samples", 2, "--task", "dequantize", *gaussian).error()
    )
    assert not (tmp_path / "out").exists()


def test_relative_paths_spaces_and_letters(
    clean: Path, tmp_path: Path, denoise: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (clean / "a.png").rename(tmp_path / "mein schönes Bild ☺.PNG")
    assert denoise("mein schönes Bild ☺.PNG", "clean/*.png", "-o", "aus gabe").code == 0
    assert listing(tmp_path / "aus gabe") == [
        "b.png",
        "c.png",
        "d.png",
        "e.png",
        "mein schönes Bild ☺.png",
        "restora.json",
    ]


def test_one_bad_file_among_a_hundred(tmp_path: Path, tiny: Path, restora: Command) -> None:
    for i in range(100):
        image.write(tmp_path / "in" / f"{i:03}.png", torch.rand(3, 2, 2))
    (tmp_path / "in" / "042.png").write_bytes((tmp_path / "in" / "041.png").read_bytes()[:45])
    done = restora(
        "restore", tmp_path / "in", "-o", tmp_path / "out", "--task", "superres", "--prior", tiny, *QUICK
    )
    (failure,) = done.failures()
    assert failure.startswith(f"{tmp_path / 'in' / '042.png'}: truncated or damaged")
    assert done.out == f"99 written to {tmp_path / 'out'}, 1 failed\n"
    assert len(listing(tmp_path / "out")) == 99 + 1


BAD = [
    (["missing"], "no such file or folder"),
    (["empty"], "no image in this folder"),
    (["clean", "--task", "denoize"], "unknown task 'denoize'. Did you mean 'denoise'"),
    (["clean", "--method", "mpa"], "unknown method 'mpa'. Did you mean 'map'"),
    (["clean", "--prior", "no-such"], "unknown prior 'no-such'. Known: "),
    (
        ["clean", "--prior", "empty"],
        "no prior.safetensors in this folder; expected one written by 'restora train'",
    ),
    (["clean", "--sgima", "0.1"], "unknown option '--sgima'; did you mean --sigma?"),
    (["clean", "--levels", "5"], "--levels is an option of dequantize; task 'denoise' has no such option"),
    (["clean", "--hole", "center"], "--hole is an option of inpaint"),
    (["clean", "--sigma", "many"], "--sigma: expected a number from 0 to 1 or 'auto' (standard"),
    (["clean", "--sigma", "nan"], "--sigma: expected a number from 0 to 1 or"),
    (["clean", "--task", "colorize", "--grey", "lumma"], "--grey: expected 'luma' or 'value'"),
    (["clean", "--set", "iteration=5"], "Did you mean 'iterations'?"),
    (["clean", "--set", "iterations"], "--set iterations: expected NAME=VALUE"),
    (["clean", "--set", "iterations=few"], "--set iterations=few: expected a whole number"),
    (["clean", "--set", "rate=0"], "--set rate=0: expected a number above 0 (largest step size"),
    (["clean", "--set", "restarts=0"], "expected a whole number of at least 1 or 'auto'"),
    (["clean", "--samples", "2", "--method", "reference"], "--samples: ReferenceMAP returns one restoration"),
    (["clean", "--set", "rate=inf"], "--set rate=inf: expected a number above 0"),
    (
        ["clean", "--set", "finish=gloss"],
        "--set finish=gloss: expected 'auto' or 'gaussian' or 'smooth'",
    ),
    (
        ["clean", "--set", "p=3"],
        "--set p=3: expected a whole number from 1 to 2 (power of the data term), got 3; the default is 2",
    ),
    (["clean", "--samples", "-1"], "--samples must be at least 1, got -1"),
    (["clean", "--tile", "-5"], "--tile must be at least 128, got -5"),
    (["clean", "--max-megapixels", "0"], "--max-megapixels: expected a positive number, got 0"),
    (["clean", "--max-megapixels", "nan"], "--max-megapixels: expected a positive number, got nan"),
    (["clean", "--batch-size", "0"], "--batch-size must be at least 1, got 0"),
    (["clean", "--device", "cdua"], "unknown device 'cdua'; expected auto, cpu or cuda"),
    (["clean", "--device", "meta"], "unknown device 'meta'; expected auto, cpu or cuda"),
    (["clean", "--task", "superres", "--scale", "3"], "task 'superres' does not fit prior 'tiny'"),
    (
        ["clean", "--task", "inpaint"],
        "either --mask FILE|DIR|alpha or --hole center, got neither",
    ),
    (["clean", "--task", "inpaint", "--hole", "center", "--mask", "white.png"], "got both"),
    *(
        (
            ["clean", "--task", "inpaint", "--hole", hole],
            f"--hole {hole}: expected center; the other holes only",
        )
        for hole in ("pixel", "pixels", "scratches", "text")
    ),
    (
        ["clean", "--task", "inpaint", "--hole", "center", "--grow", "2"],
        "--grow: it only works together with --mask FILE|DIR|alpha",
    ),
    (
        ["clean", "--task", "inpaint", "--mask", "white.png", "--grow", "-1"],
        "--grow: expected a whole number",
    ),
    (["clean", "--grow", "2"], "--grow is an option of inpaint; task 'denoise' has no such option"),
    (["clean", "--task", "inpaint", "--mask", "black.png"], "black.png: nothing is missing according to"),
    (["clean", "--task", "colorize", "--sigma", "much"], "--sigma: expected a number from 0 to 1 ("),
    (["clean", "--task", "impulse", "--share", "1"], "--share: expected a number from 0 to 0.99"),
    (["clean", "--task", "inpaint", "--mask", "white.png"], "white.png: the mask is white everywhere"),
    (["clean", "--task", "inpaint", "--mask", "none.png"], "none.png: cannot be read (No such file"),
    (["clean", "--output", "file"], "file is a file; expected a folder for the results"),
    (["clean", "--output", "file/out"], "file/out: cannot create this folder"),
    (["clean", "--output", "clean"], "this input would be overwritten"),
    (["clean", "--output", "out.png"], "out.png is one file, but there are 5 inputs"),
    (["clean/a.png", "--output", "out.heic"], "out.heic: .heic cannot be written; expected one of .png"),
    (["other/a.png", "--output", "white.png"], "white.png exists already; choose another name, or add --ov"),
]


@pytest.mark.parametrize(
    ("words", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str],
    message: str,
    clean: Path,
    tmp_path: Path,
    tiny: Path,
    restora: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("in the way")
    image.write(tmp_path / "white.png", torch.ones(1, 8, 8))
    image.write(tmp_path / "black.png", torch.zeros(1, 8, 8))
    image.write(tmp_path / "other" / "a.png", torch.ones(3, 8, 8))
    before = sorted(tmp_path.rglob("*"))
    usual = ("-o", "out", "--task", "denoise", "--prior", tiny, "--device", "cpu")
    assert message in restora("restore", *usual, *words).error()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["restor"], "unknown command 'restor'. Did you mean 'restore'"),
        (["--verison"], "unknown option '--verison'; did you mean --version?"),
        (
            ["degrade", "x"],
            "the following arguments are required: -o/--output, --task. See 'restora degrade --help'",
        ),
        (["degrade", "x", "-o", "y", "--tsak", "denoise"], "unknown option '--tsak'; did you mean --task?"),
        (["degrade", "--task", "denoise", "x", "-o", "y", "z"], "unexpected argument 'z'; give all inputs"),
        (["train", "dcgna"], "unknown kind 'dcgna'. Did you mean 'dcgan'"),
        (["priors", "shwo"], "unknown action 'shwo'. Did you mean 'show'"),
    ],
)
def test_words_that_are_no_command(words: list[str], message: str, restora: Command) -> None:
    assert message in restora(*words).error()


def test_noise_is_found_in_pictures_and_not_made(tmp_path: Path, tiny: Path, restora: Command) -> None:
    for stem, sigma in (("a", 0.05), ("b", 0.2)):
        noise = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
        image.write(tmp_path / "noisy" / f"{stem}.png", 0.5 + sigma * noise)
    words = ("--task", "denoise", "--sigma", "auto")
    assert "give a number" in restora("degrade", tmp_path / "noisy", "-o", tmp_path / "no", *words).error()
    out = tmp_path / "out"
    done = restora("restore", tmp_path / "noisy", "-o", out, *words, "--method", "tv", "--device", "cpu")
    assert (done.code, done.err) == (0, "")
    content = manifest(out)
    assert content["settings"]["sigma"] == "auto"
    for stem, sigma in (("a", 0.05), ("b", 0.2)):
        found = content["files"][str(tmp_path / "noisy" / f"{stem}.png")]["sigma"]
        assert found == pytest.approx(sigma, rel=0.06)
        alone = ("--task", "denoise", "--sigma", found, "--method", "tv", "--device", "cpu")
        restora("restore", tmp_path / "noisy" / f"{stem}.png", "-o", tmp_path / stem, *alone)
        pair = (colour.to_uint8(image.read(f / f"{stem}.png").pixels).int() for f in (out, tmp_path / stem))
        assert (next(pair) - next(pair)).abs().max() <= 1


def test_a_mask_that_is_named_is_made_by_degrade_and_given_to_restore_as_a_file(
    clean: Path, tmp_path: Path, tiny: Path, restora: Command
) -> None:
    named = ("--task", "inpaint", "--hole", "pixels", "--missing", "0.3", "--hole-seed", 2)
    restora("degrade", clean, "-o", tmp_path / "holes", *named, "--seed", 1)
    mask = Mask.pixels((8, 8), 0.3, 2).mask[0]
    image.write(tmp_path / "mask.png", 1 - mask)
    words = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--method", "tv")
    restora("restore", tmp_path / "holes", "-o", tmp_path / "out", *words)
    for stem in "abcde":
        y, x = (image.read(tmp_path / f / f"{stem}.png").pixels for f in ("holes", "out"))
        truth = image.read(clean / f"{stem}.png").pixels
        assert torch.equal(y, mask * truth)
        assert torch.equal(mask * x, mask * truth)
        assert (x[(1 - mask).expand_as(x) > 0] > 0).any()
    settings = manifest(tmp_path / "holes")["settings"]
    assert {k: settings[k] for k in ("hole", "missing", "hole_seed")} == {
        "hole": "pixels",
        "missing": 0.3,
        "hole_seed": 2,
    }


def test_a_picture_of_two_levels_stops_no_other(
    clean: Path, tmp_path: Path, tiny: Path, restora: Command
) -> None:
    image.write(clean / "b.png", torch.ones(3, 8, 8))
    done = restora(
        "restore", clean, "-o", tmp_path / "out", "--task", "impulse", "--method", "tv", "--device", "cpu"
    )
    (failure,) = done.failures()
    assert failure.startswith(f"{clean / 'b.png'}: every pixel is black or white")
    assert listing(tmp_path / "out") == ["a.png", "c.png", "d.png", "e.png", "restora.json"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_that_is_not_there(clean: Path, tmp_path: Path, tiny: Path, restora: Command) -> None:
    words = ("--task", "denoise", "--prior", tiny, "--device", "cuda")
    assert "no CUDA device" in restora("restore", clean, "-o", tmp_path / "out", *words).error()


def bomb(path: Path) -> None:
    Image.new("1", (30000, 30000)).save(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"text"), "not an image; it is damaged, or something else"),
        (lambda path: path.write_bytes(b""), "not an image"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "truncated or damaged"),
        (bomb, "30000x30000 is 900 megapixels; at most 64 are accepted"),
        (lambda path: image.write(path, torch.rand(3, 9, 9)), "needs 8x8 with 3 channels"),
    ],
)
def test_bad_file_is_named_and_the_others_are_restored(
    spoil: Callable[[Path], None], message: str, clean: Path, tmp_path: Path, denoise: Command
) -> None:
    spoil(clean / "b.png")
    done = denoise(clean, "-o", tmp_path / "out")
    (failure,) = done.failures()
    assert failure.startswith(f"{clean / 'b.png'}: ")
    assert message in failure
    assert listing(tmp_path / "out") == ["a.png", "c.png", "d.png", "e.png", "restora.json"]


def test_a_larger_picture_or_mask_than_may_be(clean: Path, tmp_path: Path, restora: Command) -> None:
    image.write(clean / "b.png", torch.rand(3, 9, 9))
    words = (clean, "-o", tmp_path / "out", "--task", "denoise", "--max-megapixels", "7e-5")
    for command in (("degrade",), ("restore", "--method", "tv")):
        (failure,) = restora(*command, *words, "--overwrite").failures()
        assert failure.startswith(f"{clean / 'b.png'}: 9x9 is 8.1e-05 megapixels; at most 7e-05 are accepted")
    image.write(tmp_path / "mask.png", torch.zeros(1, 9, 9))
    mask = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--max-megapixels", "7e-5")
    assert "mask.png: 9x9 is" in restora("restore", clean, "-o", tmp_path / "out", *mask).error()


def test_mask_missing_for_one_file_and_of_another_size(
    clean: Path, tmp_path: Path, tiny: Path, restora: Command
) -> None:
    masks, hole = tmp_path / "masks", torch.zeros(1, 8, 8)
    hole[:, 3:5, 3:5] = 1
    for stem in "ade":
        image.write(masks / f"{stem}.png", hole)
    image.write(masks / "b.png", torch.zeros(1, 9, 6))
    image.write(masks / "e.png", torch.ones(1, 8, 8))
    words = ("--task", "inpaint", "--mask", masks, "--prior", tiny, *QUICK)
    done = restora("restore", clean, "-o", tmp_path / "out", *words)
    one, two, three = done.failures()
    assert one.startswith(f"{clean / 'b.png'}: {masks / 'b.png'}: the mask is 6x9 but b.png is 8x8")
    assert two.startswith(f"{clean / 'c.png'}: c.png: no mask for it in {masks}")
    assert "e.png: the mask is white everywhere" in three
    assert listing(tmp_path / "out") == ["a.png", "d.png", "restora.json"]
    image.write(masks / "a.png", hole.mT.roll(2, 1))
    assert restora("restore", clean / "a.png", "-o", tmp_path / "out", *words).out.startswith("1 written")


def test_a_mask_of_another_kind_is_noted_once_and_in_the_manifest(
    clean: Path, tmp_path: Path, restora: Command
) -> None:
    ones = torch.zeros(1, 8, 8)
    ones[:, 3:5, 3:5] = 1 / 255
    image.write(tmp_path / "mask.png", ones)
    words = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--grow", 1, "--method", "tv")
    done = restora("restore", clean, "-o", tmp_path / "out", *words)
    note = f"{tmp_path / 'mask.png'}: its values are 0, 1 of 255; all but 0 is missing"
    assert (done.code, done.err) == (0, f"restora: note: {note}\n")
    content = manifest(tmp_path / "out")
    assert content["settings"]["grow"] == 1
    assert [entry["notes"] for entry in content["files"].values()] == [[note]] * 5
    x, y = (image.read(folder / "a.png").pixels for folder in (tmp_path / "out", clean))
    changed = (x != y).any(0)
    assert changed[2:6, 3:5].all()
    assert changed[3:5, 2:6].all()
    assert changed.sum() == 12  # the square and the pixels beside it
    again = restora("restore", clean, "-o", tmp_path / "out", *words)
    assert (again.err, again.out.startswith("0 written")) == ("", True)
    assert manifest(tmp_path / "out")["files"] == content["files"]


def test_the_transparent_parts_of_each_picture_are_its_mask(tmp_path: Path, restora: Command) -> None:
    pixels = torch.randint(0, 255, (8, 8, 4), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    pixels[..., 3] = 255
    for stem, columns in (("a", slice(2, 4)), ("b", slice(5, 7)), ("opaque", slice(0, 0))):
        own = pixels.clone()
        own[3:5, columns, 3] = 0
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(own.numpy()).save(tmp_path / "in" / f"{stem}.png")
    words = ("--task", "inpaint", "--mask", "alpha", "--method", "tv")
    (failure,) = restora("restore", tmp_path / "in", "-o", tmp_path / "out", *words).failures()
    assert "opaque.png: no transparent areas to fill" in failure
    for stem, columns in (("a", slice(2, 4)), ("b", slice(5, 7))):
        expected = torch.zeros(8, 8, dtype=torch.bool)
        expected[3:5, columns] = True
        x = image.read(tmp_path / "out" / f"{stem}.png").pixels
        changed = (x != pixels[..., :3].permute(2, 0, 1) / 255).any(0)
        assert torch.equal(changed, expected)
    assert manifest(tmp_path / "out")["settings"]["mask"] == "alpha"


def spoil_prior(folder: Path, tiny: Path, kind: str) -> str:
    """Write a bad prior; the message it should give."""
    data = (tiny / "prior.safetensors").read_bytes()
    folder.mkdir()
    path = folder / "prior.safetensors"
    if kind == "truncated":
        path.write_bytes(data[:1000])
        return "damaged or not a safetensors file"
    if kind == "pickle":
        torch.save({"a": torch.ones(2)}, path)
        return "damaged or not a safetensors file"
    if kind == "foreign":
        save_file({"a": torch.ones(2)}, path)
        return "not a restora prior; expected a file written by 'restora train'"
    old, new = {"another shape": ('"width": 4', '"width": 5'), "another kind": ('"gan"', '"gun"')}[kind]
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])["__metadata__"]["restora.prior"]
    assert old in header
    tensors = {name: value.contiguous() for name, value in load_prior(tiny).state_dict().items()}
    save_file(tensors, path, metadata={"restora.prior": header.replace(old, new)})
    return "its weights do not match its header"


@pytest.mark.parametrize("kind", ["truncated", "pickle", "foreign", "another shape", "another kind"])
def test_bad_prior(kind: str, clean: Path, tmp_path: Path, tiny: Path, restora: Command) -> None:
    message = spoil_prior(tmp_path / "bad", tiny, kind)
    words = ("-o", tmp_path / "out", "--task", "denoise", "--prior", tmp_path / "bad")
    error = restora("restore", clean, *words).error()
    assert error.startswith(f"{tmp_path / 'bad' / 'prior.safetensors'}: {message}")
    assert not (tmp_path / "out").exists()


def test_interrupted_run_keeps_its_finished_batches(
    clean: Path, tmp_path: Path, denoise: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(path: Path, *rest: Any) -> None:
        if path.name == "d.png":
            raise KeyboardInterrupt
        real(path, *rest)

    real = encoding.save
    with monkeypatch.context() as patch:
        patch.setattr(encoding, "save", interrupt)
        stopped = denoise(clean, "-o", tmp_path / "out", "--batch-size", 2)
    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err == "restora: interrupted; what was finished is kept\n"
    statuses = [entry["status"] for entry in manifest(tmp_path / "out")["files"].values()]
    assert (statuses[:3], statuses[3]) == (["done"] * 3, "waiting")
    kept = statuses.count("done")
    assert denoise(clean, "-o", tmp_path / "out").out.endswith(f"{kept} kept from an earlier run\n")


def test_interrupted_degrade_keeps_what_is_done(
    clean: Path, tmp_path: Path, restora: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(path: Path, *rest: Any) -> None:
        if path.name == "c.png":
            raise KeyboardInterrupt
        real(path, *rest)

    real = encoding.save
    monkeypatch.setattr(encoding, "save", interrupt)
    assert restora("degrade", clean, "-o", tmp_path / "out", "--task", "denoise").code == 130
    statuses = [entry["status"] for entry in manifest(tmp_path / "out")["files"].values()]
    assert (statuses[:2], statuses[2]) == (["done"] * 2, "waiting")


@pytest.fixture
def shipped(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "tiny").symlink_to(tiny)
    monkeypatch.setattr(places, "EMBEDDED", tmp_path / "weights")
    monkeypatch.setattr(places, "packaged", tuple)
    return tmp_path / "weights"


def test_priors(shipped: Path, restora: Command) -> None:
    line = "tiny: GANPrior, 8x8, 3 channels. For tests.\n"
    assert restora("priors").out == restora("priors", "list").out == line
    card = (shipped / "tiny" / "README.md").read_text()
    assert restora("priors", "show", "tiny").out == restora("priors", "show", shipped / "tiny").out == card
    facts = {"name": "tiny", "kind": "gan", "image_shape": [3, 8, 8], "summary": "For tests."}
    for words in (["--json", "list"], ["list", "--json"], ["--json"]):
        assert json.loads(restora("priors", *words).out) == {"tiny": facts}
    for words in (["--json", "show", "tiny"], ["show", "tiny", "--json"]):
        assert json.loads(restora("priors", *words).out) == facts
    assert "unknown prior 'tinny'. Did you mean 'tiny'?" in restora("priors", "show", "tinny").error()


def test_prior_that_ships_is_found_by_name(
    shipped: Path, clean: Path, tmp_path: Path, restora: Command
) -> None:
    words = ("--task", "denoise", "--prior", "tiny", *QUICK)
    assert restora("restore", clean, "-o", tmp_path / "out", *words).code == 0


def test_demo(tmp_path: Path, restora: Command) -> None:
    generator = Generator(latent=4, width=2, size=64).eval().fold()
    prior = GANPrior(generator, Discriminator(width=2, size=64).eval().bake(), latent_shape=(4,))
    store.save(tmp_path / "prior", prior, {})
    done = restora("demo", "-o", tmp_path / "demo", "--prior", tmp_path / "prior", "--json")
    assert done.code == 0
    assert all(line.startswith("restora: demo: ") for line in done.err.splitlines())  # on a slow machine
    content = json.loads(done.out)
    assert [row["task"] for row in content["tasks"]] == [
        "inpaint",
        "colorize",
        "superres",
        "denoise",
        "dequantize",
    ]
    assert all(5 < row["psnr"] < 60 and row["seconds"] > 0 for row in content["tasks"])
    assert content["sheet"] == str(tmp_path / "demo" / "demo.png")
    height, width = image.read(tmp_path / "demo" / "demo.png").size
    assert (height > 800, width > 800) == (True, True)


def test_demo_into_a_file(tmp_path: Path, restora: Command) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "is a file" in restora("demo", "-o", tmp_path / "file").error()


@pytest.mark.parametrize(
    "command",
    [
        "",
        "demo",
        "degrade",
        "restore",
        "bench",
        "train",
        "train dcgan",
        "methods",
        "tasks",
        "priors",
        "priors show",
    ],
)
def test_help_fits_a_terminal_and_tells_every_option(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    assert main([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: restora {command}".rstrip())
    assert max(map(len, text.splitlines())) <= 110
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("  -"):  # an option: its help stands beside it or below it
            assert "  " in line.strip() or lines[i + 1].startswith(" " * 20), line


def shell(words: list[object], **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "restora", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, **options)


def test_real_process_whose_reader_leaves(clean: Path, tmp_path: Path) -> None:
    process = shell(["degrade", clean, "-o", tmp_path / "out", "--task", "denoise", "--json"])
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # as head does when it has seen enough
    errors = process.stderr.read()
    assert (process.wait(), errors) == (141, "")
    assert listing(tmp_path / "out") == [*(f"{s}.png" for s in "abcde"), "restora.json"]


def test_real_process_that_is_interrupted(clean: Path, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "out"
    words = ["restore", clean, "-o", out, "--task", "denoise", "--prior", tiny, "--batch-size", 1]
    slow = ["--set", "iterations=1000000", "--set", "patience=0", "--set", "restarts=1"]
    process = shell([*words, *slow])
    deadline = time.monotonic() + 60
    while not (out / "restora.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors == "restora: interrupted; what was finished is kept\n"
    assert listing(out) == ["restora.json"]


def test_a_tree_of_folders_with_its_masks(tmp_path: Path, restora: Command) -> None:
    hole = torch.zeros(1, 8, 8)
    hole[:, 3:5, 3:5] = 1
    for k, name in enumerate(("a", "x/a", "x/y/a")):
        image.write(tmp_path / "in" / f"{name}.png", torch.rand(3, 8, 8))
        image.write(tmp_path / "masks" / f"{name}.png", hole.roll(k, 2))
    words = ("--recursive", "--task", "inpaint", "--mask", tmp_path / "masks", "--method", "tv")
    out = tmp_path / "in" / "out"
    done = restora("restore", tmp_path / "in", "-o", out, *words)
    assert (done.code, done.out, done.err) == (0, f"3 written to {out}\n", "")
    for k, name in enumerate(("a", "x/a", "x/y/a")):
        x, y = (image.read(folder / f"{name}.png").pixels for folder in (out, tmp_path / "in"))
        assert torch.equal((x != y).any(0), hole.roll(k, 2)[0] > 0)
        entry = manifest(out)["files"][str(tmp_path / "in" / f"{name}.png")]
        assert (entry["outputs"], entry["mask"]) == ([f"{name}.png"], str(tmp_path / "masks" / f"{name}.png"))
    assert restora("restore", tmp_path / "in", "-o", out, *words).out.endswith("3 kept from an earlier run\n")
    (tmp_path / "masks" / "x" / "a.png").unlink()
    (failure,) = restora("restore", tmp_path / "in", "-o", out, *words, "--overwrite").failures()
    assert f"no mask for it in {tmp_path / 'masks' / 'x'}" in failure


def test_equal_names_are_all_restored_and_kept(clean: Path, tmp_path: Path, restora: Command) -> None:
    image.write(clean / "a.jpg", torch.rand(3, 8, 8))
    image.write(tmp_path / "other" / "b.png", torch.rand(3, 8, 8))
    words = (
        "restore",
        clean,
        tmp_path / "other",
        "-o",
        tmp_path / "out",
        "--task",
        "denoise",
        "--method",
        "tv",
    )
    assert restora(*words).out == f"7 written to {tmp_path / 'out'}\n"
    assert restora(*words).out == f"0 written to {tmp_path / 'out'}, 7 kept from an earlier run\n"
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.[pj]*g")}
    assert {"clean/b.png", "other/b.png", "clean/c.png"} <= written
    assert len(written) == 7


def test_what_is_passed_over_is_said_once(clean: Path, tmp_path: Path, restora: Command) -> None:
    (clean / "notes.txt").write_text("mine")
    (clean / "old").mkdir()
    words = ("-o", tmp_path / "out", "--task", "denoise")
    for command in (("degrade", clean, *words), ("restore", clean, *words, "--overwrite", "--method", "tv")):
        done = restora(*command)
        assert done.code == 0
        assert done.err.splitlines() == [
            "restora: note: skipped 1 file of another kind: notes.txt",
            "restora: note: skipped 1 folder: old; add --recursive for the images in them",
        ]


def test_file_for_one_result(clean: Path, tmp_path: Path, restora: Command) -> None:
    target = tmp_path / "new" / "result.jpg"
    words = ("restore", clean / "a.png", "-o", target, "--task", "denoise", "--sigma", 0.1, "--method", "tv")
    done = restora(*words)
    assert (done.code, done.out) == (0, f"1 written to {target}\n")
    assert listing(target.parent) == ["result.jpg"]
    with Image.open(target) as picture:
        assert picture.format == "JPEG"
    before = target.read_bytes()
    assert "result.jpg exists already; choose another name, or add --overwrite" in restora(*words).error()
    assert target.read_bytes() == before
    content = json.loads(restora(*words, "--overwrite", "--json").out)
    assert content["files"][str(clean / "a.png")]["outputs"] == ["result.jpg"]
    made = restora("degrade", clean / "a.png", "-o", tmp_path / "grey.tif", "--task", "colorize")
    assert (made.code, len(image.read(tmp_path / "grey.tif").pixels)) == (0, 1)


def test_names_with_line_ends_are_told_in_one_line(clean: Path, tmp_path: Path, restora: Command) -> None:
    (clean / "two\nlines.png").write_bytes(b"nothing")
    (clean / "tab\there.txt").write_text("mine")
    done = restora("restore", clean, "-o", tmp_path / "out", "--task", "denoise", "--method", "tv")
    assert (done.code, len(done.err.splitlines())) == (1, 2)
    assert r"tab\there.txt" in done.err
    assert r"two\nlines.png" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["denoise", "a.png"], "unknown command 'denoise'. Did you mean 'restore --task denoise'?"),
        (["upscale", "a.png"], "unknown command 'upscale'. Did you mean 'restore --task superres'?"),
        (["restore", "a.png", "-o", ""], "expected the path of a file or folder, got an empty text"),
        (["restore", "", "-o", "out"], "expected the path of a file or folder, got an empty text"),
        (["restore", "a.png", "--mask", " "], "expected the path of a file or folder, got an empty text"),
        (["bench", "", "-o", "out"], "expected the path of a file or folder, got an empty text"),
        (["train", "gaussian", "", "-o", "out"], "expected the path of a file or folder, got an empty text"),
        (["restore", "a.png", "--seed", "one"], "--seed: expected a whole number, got 'one'"),
        (["restore", "a.png", "--max-megapixels", "big"], "--max-megapixels: expected a number, got 'big'"),
        (["bench", "x", "--limit", "1.5"], "--limit: expected a whole number, got '1.5'"),
    ],
)
def test_words_of_newcomers(words: list[str], message: str, restora: Command) -> None:
    assert message in restora(*words).error()

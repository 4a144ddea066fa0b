"""`restora bench` as people and scripts use it: files, resuming, failures, errors of one line."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from restora import metrics
from restora.bench import protocol, run
from restora.cli import progress
from restora.degradations import Mask
from restora.networks.dcgan import Discriminator, Generator
from restora.pictures import colour, image
from restora.plan import Plan
from restora.priors import GANPrior, store
from restora.random import generators, seed_of

Command = Callable[..., Any]
TIMES = ("seconds", "peak_memory_mib")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A stored prior of 16x16 pictures, called 'small'."""
    torch.manual_seed(0)
    generator = Generator(latent=8, width=4, size=16).eval().fold()
    prior = GANPrior(generator, Discriminator(width=4, size=16).eval().bake(), latent_shape=(8,))
    store.save(tmp_path / "small", prior, {})
    return tmp_path / "small"


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


def timeless(content: dict[str, Any]) -> dict[str, Any]:
    """Without what no second run can repeat."""
    for cell in content["cells"]:
        for key in TIMES:
            cell["summary"].pop(key, None)
        for row in cell["images"]:
            row.pop("seconds")
    return content


def failures(outcome: Any) -> list[str]:
    return [x.partition("failed: ")[2] for x in outcome.err.splitlines() if x.startswith("restora: failed: ")]


def test_everything_that_is_written(bench: Command, tmp_path: Path, brightness: None) -> None:
    done = bench("--methods", "copy,random", "--batch-size", 4)
    assert done.code == 0
    out = tmp_path / "out"
    content = results(out)
    assert {k: content[k] for k in ("protocol", "images", "size", "seed", "batch size", "device")} == {
        "protocol": "clean",
        "images": 6,
        "size": "16x16",
        "seed": 0,
        "batch size": 4,
        "device": "cpu",
    }
    assert content["names"] == list("abcdef")
    assert set(content["versions"]) == {"restora", "python", "torch", "numpy"}
    assert set(content["machine"]) == {"processor", "cores", "threads", "platform"}
    assert list(content["tasks"]) == list(protocol.TASKS)
    assert content["tasks"]["dequantize"] == {"sigma": 0.0, "levels": 5, "distance": "cell"}
    assert content["methods"]["copy"] == {"method": "copy", "settings": {}}
    assert content["perceptual"] == {"brightness": "mean of the restoration less that of the truth"}
    assert [(c["task"], c["method"]) for c in content["cells"]] == [
        (task, method) for task in protocol.TASKS for method in ("copy", "random")
    ]
    for cell in content["cells"]:
        assert cell["possible"] == (cell["task"] != "colorize")
        assert [row["name"] for row in cell["images"]] == (list("abcdef") if cell["possible"] else [])
        assert cell["failed"] == []
    (inpaint,) = [c for c in content["cells"] if (c["task"], c["method"]) == ("inpaint", "copy")]
    assert set(inpaint["images"][0]) == {
        "name",
        "psnr",
        "ssim",
        "hole_psnr",
        "residual",
        "seconds",
        "brightness",
    }
    assert inpaint["summary"]["psnr"]["mean"] == pytest.approx(
        sum(row["psnr"] for row in inpaint["images"]) / 6
    )
    assert (out / "restored" / "inpaint" / "copy" / "f.png").exists()
    for name in ("figure.png", "scatter.png"):
        assert min(image.read(out / name).size) > 200


@pytest.mark.usefixtures("no_figures")
def test_values_are_those_of_restore_and_of_the_metrics(bench: Command, data: Path, tmp_path: Path) -> None:
    bench("--methods", "copy", "--tasks", "inpaint,denoise", "--seed", 3, "--batch-size", 4)
    truth = torch.stack([image.read(data / f"{s}.png").pixels for s in "abcdef"])
    inpaint, denoise = results(tmp_path / "out")["cells"]
    y = truth + 0.1 * torch.stack([generators([seed_of(s, 3)], 1)[0].randn((3, 16, 16)) for s in "abcdef"])
    expected = metrics.psnr(y.clamp(0, 1), truth)
    assert [row["psnr"] for row in denoise["images"]] == pytest.approx(expected.tolist(), abs=1e-4)
    expected = metrics.ssim(y.clamp(0, 1), truth)
    assert [row["ssim"] for row in denoise["images"]] == pytest.approx(expected.tolist(), abs=1e-4)
    mask = Mask.center((16, 16)).mask
    squares = (colour.to_uint8(truth).double() / 255)[:, :, 4:12, 4:12].square().flatten(1).mean(1)
    assert [r["hole_psnr"] for r in inpaint["images"]] == pytest.approx((-10 * squares.log10()).tolist())
    assert torch.equal(image.read(tmp_path / "out/restored/inpaint/copy/a.png").pixels, truth[0] * mask[0])


@pytest.mark.usefixtures("no_figures")
def test_table(bench: Command, tmp_path: Path, brightness: None) -> None:
    done = bench("--methods", "copy,moody", "--tasks", "inpaint,colorize")
    table = (tmp_path / "out" / "table.md").read_text()
    assert done.out == f"{table}\nwritten to {tmp_path / 'out'}\n"
    assert "# 6 images, protocol clean\n" in table
    assert "bright: mean of the restoration less that of the truth." in table
    overview = [line for line in table.partition("## inpaint")[0].splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in overview[0].strip("|").split("|")] == ["method", "inpaint", "colorize"]
    assert [line.split()[1] for line in overview[2:]] == ["copy", "moody"]
    assert overview[2].split()[-2] == "—"
    inpaint, colorize = table.partition("## inpaint")[2].split("## colorize")
    header, rule, copy, _ = [line for line in inpaint.splitlines() if line.startswith("|")]
    titles = [cell.strip() for cell in header.strip("|").split("|")]
    assert titles == [
        "method",
        "PSNR dB",
        "hole PSNR dB",
        "SSIM",
        "bright",
        "s/image",
        "peak MiB",
        "residual",
    ]
    assert len({len(line) for line in (header, rule, copy)}) == 1
    cells = [cell.strip() for cell in copy.strip("|").split("|")]
    summary = results(tmp_path / "out")["cells"][0]["summary"]
    for i, (key, decimals) in enumerate([("psnr", 2), ("hole_psnr", 2), ("ssim", 3)], 1):
        mean, width = (f"{summary[key][k]:.{decimals}f}" for k in ("mean", "half_width"))
        assert cells[i] == f"{mean} ± {width}"
    dashes = next(line for line in colorize.splitlines() if line.startswith("| copy"))
    assert [cell.strip() for cell in dashes.strip("|").split("|")] == ["copy"] + ["—"] * 6
    assert "hole PSNR" not in colorize


@pytest.mark.usefixtures("no_figures")
def test_csv(bench: Command, tmp_path: Path) -> None:
    bench("--methods", "copy", "--tasks", "colorize,denoise")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text())))
    assert [(r["task"], r["method"], r["images"], r["failed"]) for r in rows] == [
        ("colorize", "copy", "0", "0"),
        ("denoise", "copy", "6", "0"),
    ]
    summary = results(tmp_path / "out")["cells"][1]["summary"]
    for key in ("psnr", "ssim", "seconds", "residual"):
        assert rows[0][key] == rows[0][f"{key}_half_width"] == ""
        assert float(rows[1][key]) == summary[key]["mean"]
        assert float(rows[1][f"{key}_half_width"]) == summary[key]["half_width"]


@pytest.mark.usefixtures("no_figures")
def test_json_is_all_there_is_on_stdout(bench: Command, tmp_path: Path) -> None:
    done = bench("--methods", "copy", "--tasks", "denoise", "--json")
    assert json.loads(done.out) == results(tmp_path / "out")


@pytest.mark.usefixtures("no_figures")
def test_a_line_a_cell_where_there_is_no_terminal(bench: Command) -> None:
    lines = bench("--methods", "copy,random", "--tasks", "colorize,denoise").err.splitlines()
    assert [line.partition(" dB")[0].rpartition(":")[0] for line in lines] == [
        "restora: 1 of 2: denoise, copy",
        "restora: 2 of 2: denoise, random",
    ]
    assert lines[1].endswith("0 s left")


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("words", [(), ("--protocol", "deck")])
def test_interrupted_run_goes_on_and_gives_the_same(
    words: tuple[str, ...],
    bench: Command,
    restora: Command,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = (*words, "--methods", "random,copy", "--tasks", "denoise,superres", "--batch-size", "4")
    real, calls = Plan.run, []

    def interrupt(plan: Plan, y: torch.Tensor, *rest: Any) -> Any:
        calls.append(len(y))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(plan, y, *rest)

    monkeypatch.setattr(Plan, "run", interrupt)
    stopped = bench(*words)
    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.endswith("restora: interrupted; what was finished is kept\n")
    kept = tmp_path / "out" / "cells" / "denoise" / "random.jsonl"
    before = kept.read_bytes()
    half = tmp_path / "out" / "cells" / "denoise" / "copy.jsonl"
    half.write_bytes(half.read_bytes() + b'{"batch": 1, "peak_memory": null, "images": [{"na')
    assert bench(*words).code == 0
    assert kept.read_bytes() == before
    assert calls[3:] == [2, 2, 4, 2, 4, 2]
    whole = restora("bench", data, "-o", tmp_path / "whole", "--device", "cpu", *words)
    assert whole.code == 0
    assert timeless(results(tmp_path / "out")) == timeless(results(tmp_path / "whole"))
    calls.clear()
    again = bench(*words)
    assert calls == []
    assert again.out.partition("\nwritten")[0] == (tmp_path / "out" / "table.md").read_text()


@pytest.mark.usefixtures("no_figures")
def test_killed_process_goes_on_and_gives_the_same(
    restora: Command, data: Path, tmp_path: Path, small: Path
) -> None:
    words = ["--methods", f"map@{small}", "--tasks", "denoise", "--limit", "4", "--batch-size", "1"]
    words += ["--perceptual", "none", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "restora", "bench", str(data), "-o", str(tmp_path / "out"), *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    file = tmp_path / "out" / "cells" / "denoise" / "map@small.jsonl"
    deadline = time.monotonic() + 60
    while (not file.exists() or file.read_text().count("\n") < 3) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = file.read_text().splitlines()[1:3]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert restora("bench", data, "-o", tmp_path / "out", *words).code == 0
        assert restora("bench", data, "-o", tmp_path / "whole", *words).code == 0
    finally:
        torch.set_num_threads(threads)
    assert file.read_text().splitlines()[1:3] == kept
    assert timeless(results(tmp_path / "out")) == timeless(results(tmp_path / "whole"))


@pytest.mark.usefixtures("no_figures")
def test_tasks_and_methods_can_be_added(bench: Command, tmp_path: Path) -> None:
    bench("--methods", "copy", "--tasks", "denoise")
    first = results(tmp_path / "out")["cells"][0]
    bench("--methods", "random,copy", "--tasks", "inpaint,denoise")
    cells = results(tmp_path / "out")["cells"]
    assert len(cells) == 4
    assert cells[3] == first


@pytest.mark.usefixtures("no_figures")
def test_other_settings_are_refused(bench: Command, data: Path, tmp_path: Path) -> None:
    words = ("--methods", "copy", "--tasks", "denoise")
    bench(*words)
    assert "seed: 0 there, 1 now" in bench(*words, "--seed", 1).error()
    assert "protocol: clean there, deck now" in bench(*words, "--protocol", "deck").error()
    assert "images: 6 there, 3 now" in bench(*words, "--limit", 3).error()
    image.write(data / "c.png", torch.zeros(3, 16, 16))
    assert "images sha256: " in bench(*words).error()
    assert bench(*words, "--overwrite").code == 0
    assert bench(*words, "--seed", 1, "--overwrite").code == 0
    assert results(tmp_path / "out")["seed"] == 1


@pytest.mark.usefixtures("no_figures")
def test_a_method_that_fails_on_one_image(bench: Command, data: Path, tmp_path: Path) -> None:
    image.write(data / "c.png", torch.zeros(3, 16, 16))
    words = ("--methods", "moody,copy", "--tasks", "dequantize", "--batch-size", 4)
    done = bench(*words)
    assert done.code == 1
    assert failures(done) == ["dequantize, moody: c: too dark for me"]
    moody, copy = results(tmp_path / "out")["cells"]
    assert moody["failed"] == [{"name": "c", "error": "too dark for me"}]
    assert [row["name"] for row in moody["images"]] == list("abdef")
    without = [row["psnr"] for row in copy["images"] if row["name"] != "c"]
    assert [row["psnr"] for row in moody["images"]] == without
    overview, row = (line.strip("| ") for line in done.out.splitlines() if line.startswith("| moody"))
    assert overview.endswith("(1 of 6 failed)")
    assert row.endswith("1 of 6")
    kept = (tmp_path / "out" / "cells" / "dequantize" / "copy.jsonl").read_bytes()
    assert bench(*words).code == 1  # what failed is tried again, and nothing else
    assert (tmp_path / "out" / "cells" / "dequantize" / "copy.jsonl").read_bytes() == kept


def test_a_method_that_fails_on_every_image(bench: Command, data: Path, tmp_path: Path) -> None:
    for file in data.iterdir():
        image.write(file, torch.zeros(3, 16, 16))
    done = bench("--methods", "moody", "--tasks", "dequantize")
    assert (done.code, len(failures(done))) == (1, 6)
    assert "6 of 6" in done.out
    assert "all failed" in done.err


@pytest.mark.usefixtures("no_figures")
def test_a_result_that_is_no_number(bench: Command, data: Path) -> None:
    image.write(data / "b.png", torch.zeros(3, 16, 16))
    (failure,) = failures(bench("--methods", "root", "--tasks", "dequantize"))
    assert failure.startswith(
        "dequantize, root: b: method 'root': the result has NaN or infinite values; try"
    )


def test_equal_images_have_infinite_psnr(bench: Command, data: Path, tmp_path: Path) -> None:
    for file in data.iterdir():
        image.write(file, torch.ones(3, 16, 16))
    assert bench("--methods", "copy", "--tasks", "dequantize").code == 0
    cell = results(tmp_path / "out")["cells"][0]
    assert cell["images"][0]["psnr"] == cell["summary"]["psnr"]["mean"] == "inf"
    assert "Infinity" not in (tmp_path / "out" / "results.json").read_text()


@pytest.mark.usefixtures("no_figures")
def test_one_table_of_several_priors(bench: Command, tmp_path: Path, small: Path) -> None:
    torch.manual_seed(1)
    generator = Generator(latent=8, width=4, size=16).eval().fold()
    with torch.no_grad():  # as they are initialised, all generators give almost the same grey
        for parameter in generator.parameters():
            parameter.mul_(6)
    discriminator = Discriminator(width=4, size=16).eval().bake()
    store.save(tmp_path / "other", GANPrior(generator, discriminator, latent_shape=(8,)), {})
    methods = f"map@{small},map@{tmp_path / 'other'},copy"
    assert bench("--methods", methods, "--tasks", "superres", "--limit", 2).code == 0
    content = results(tmp_path / "out")
    first, second, _ = content["cells"]
    assert (first["method"], second["method"]) == ("map@small", "map@other")
    assert first["images"][0]["psnr"] != second["images"][0]["psnr"]
    facts = content["methods"]
    assert (facts["map@small"]["prior"], facts["map@other"]["prior"]) == ("small", "other")
    assert facts["map@small"]["prior sha256"] != facts["map@other"]["prior sha256"]
    assert facts["map@small"]["settings"]["iterations"] == "auto"


@pytest.mark.usefixtures("no_figures")
def test_all_usable_methods_by_default(bench: Command, tmp_path: Path) -> None:
    done = bench("--tasks", "denoise", "--limit", 2)
    assert done.code == 0
    methods = results(tmp_path / "out")["methods"]
    assert {"copy", "moody", "random"} <= set(methods)
    assert not {"map", "reference"} & set(methods)  # 64x64, too slow
    assert "left out: method 'map': prior 'faces64-dcgan' makes 64x64 images, and these are 16x16" in (
        done.err
    )
    assert "reference" not in done.err


@pytest.mark.usefixtures("no_figures")
def test_unreadable_image_is_left_out(bench: Command, data: Path, tmp_path: Path) -> None:
    (data / "b.png").write_bytes(b"nothing")
    done = bench("--methods", "copy", "--tasks", "denoise")
    assert done.code == 1
    assert f"restora: left out: {data / 'b.png'}: not an image" in done.err
    assert results(tmp_path / "out")["names"] == list("acdef")


BAD = [
    (["--tasks", "denoize"], "unknown task 'denoize'. Did you mean 'denoise'"),
    (["--tasks", ","], "--tasks: expected names separated by commas"),
    (["--methods", "coppy"], "unknown method 'coppy'. Did you mean 'copy'"),
    (["--methods", "copy,copy"], "--methods: 'copy' is given twice"),
    (["--methods", "copy@small"], "method 'copy' uses no prior"),
    (["--methods", "map@"], "--methods: expected METHOD@PRIOR, got no prior in 'map@'; write map"),
    (["--methods", "map@nowhere"], "unknown prior 'nowhere'"),
    (
        ["--methods", "map"],
        "prior 'faces64-dcgan' makes 64x64 images, and these are 16x16; scale",
    ),
    (["--methods", "lmmse@small"], "needs a GaussianPrior"),
    (["--protocol", "dekc"], "unknown --protocol 'dekc'. Did you mean 'deck'"),
    (["--perceptual", "fretchet"], "unknown perceptual column 'fretchet'"),
    (["--limit", "7"], "expected at least 7 images in data, got 6; lower it"),
    (["--limit", "0"], "--limit: expected at least 1, got 0"),
    (["--batch-size", "0"], "--batch-size must be at least 1, got 0"),
    (["--device", "cdua"], "unknown device 'cdua'"),
    (["--prior", "small"], "unknown option '--prior'"),
    (["nowhere"], "nowhere: does not exist; expected images, or a folder or a zip of images"),
    (
        ["mixed", "--tasks", "superres"],
        "got 18x20 (height x width); crop it to 16x20; or add --multiple 4",
    ),
    (["--tasks", "superres:scale=3,superres:scale=5"], "; or add --multiple 15, which cuts all images"),
    (["--tasks", "colorize", "--channels", "1"], "task 'colorize' does not fit these images: "),
    (["--tasks", "denoise:scale=3"], "scale=3: expected NAME=VALUE with an option of denoise: sigma"),
    (["--tasks", "denoise:sigma=3"], "sigma=3: expected a number from 0 to 1"),
    (["--tasks", "superres:kernel=cubic"], "kernel=cubic: expected 'box' or 'bi"),
    (["--tasks", "inpaint:hole=nowhere"], "hole=nowhere: expected "),
    (["--tasks", "dequantize:levels=3", "--protocol", "deck"], "levels: protocol deck has 5, got 3"),
    (["--multiple", "0"], "--multiple: expected at least 1, got 0"),
    (["--multiple", "10"], "a.png is 10x10, cut to multiples of 10; expected images of at least 11x11"),
    (["--channels", "17"], "--channels: expected a whole number from 1 to 16, got 17"),
    (["--output", "file"], "file is a file; expected a folder for the results"),
    (["--output", "file/out"], "file/out: cannot create this folder"),
]


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str],
    message: str,
    data: Path,
    tmp_path: Path,
    small: Path,
    restora: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    image.write(tmp_path / "mixed" / "z.png", torch.ones(3, 18, 20))
    before = sorted(tmp_path.rglob("*"))
    places = [words[0]] if not words[0].startswith("-") else []
    outcome = restora("bench", "data", *places, "--device", "cpu", *words[len(places) :])
    assert message in outcome.error()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("no_figures")
def test_output_that_cannot_be_written(bench: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cells").write_text("in the way")
    (tmp_path / "out" / "settings.json").mkdir()
    assert "settings.json: cannot be read" in bench("--methods", "copy", "--tasks", "denoise").error()


@pytest.mark.usefixtures("no_figures")
def test_a_place_in_the_folder_is_taken(bench: Command, tmp_path: Path) -> None:
    words = ("--methods", "copy", "--tasks", "denoise")
    bench(*words)
    shutil.rmtree(tmp_path / "out" / "cells")
    (tmp_path / "out" / "cells").write_text("in the way")
    done = bench(*words)
    assert (done.code, done.out) == (2, "")
    assert "copy.jsonl: cannot be " in done.err


@pytest.mark.usefixtures("no_figures")
def test_time_left_is_that_of_each_method(bench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """copy takes 10 s a batch of 2, moody 100 s: by a clock that the test moves."""
    clock = [0.0]

    def slow(plan: Plan, *rest: Any) -> Any:
        clock[0] += {"copy": 10.0, "moody": 100.0}[plan.method]
        return real(plan, *rest)

    real = Plan.run
    monkeypatch.setattr(Plan, "run", slow)
    monkeypatch.setattr(run.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress, "EVERY", 3600.0)  # no other lines, however slow the machine
    words = ("--methods", "copy,moody", "--tasks", "denoise,superres,inpaint", "--batch-size", 2)
    lines = bench(*words).err.splitlines()
    left = [line.rpartition("; ")[2] for line in lines]
    assert left == ["2 min left", "11 min left", "10 min left", "6 min left", "5 min left", "0 s left"]


@pytest.mark.usefixtures("no_figures")
def test_methods_see_what_an_observation_tells(bench: Command, tmp_path: Path) -> None:
    assert bench("--methods", "copy,biharmonic", "--tasks", "impulse").code == 0
    copy, filled = results(tmp_path / "out")["cells"]
    assert filled["method"] == "biharmonic"
    assert filled["summary"]["psnr"]["mean"] > copy["summary"]["psnr"]["mean"] + 3
    assert all(row["residual"] < 1e-6 for row in filled["images"])

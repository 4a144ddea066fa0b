"""An unknown task suggests the nearest by meaning, to the command line and to Python alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restora.degradations import degradations, named
from restora.errors import UnknownNameError, nearest
from restora.registry import Registry

MEANINGS = {
    "inpaint": "scratches, Scratched, hole, object, remove, crack, remove_object, watermark, crease, fold",
    "deblur": "blurry, sharpen, unblur, motion, de-blur, deblurring, motion blur",
    "superres": (
        "upscale, upscaling, enlarge, zoom, sr, low resolution, SuperResolution, super-resolution, pixelated"
    ),
    "denoise": "grain, noisy, denoising, fix noise",
    "colorize": "colour, bw, black and white, colourise, colorization",
    "jpeg": "artefact, compression, block, jpg artifacts, JPEG",
    "dequantize": "banding, posterised, quantise",
    "poisson": "low light photons, low-light",
    "impulse": "salt and pepper, salt-and-pepper, dead pixels",
}
CASES = [(word, task) for task, words in MEANINGS.items() for word in words.split(", ")]


@pytest.mark.parametrize(("word", "task"), CASES)
def test_the_nearest_by_meaning(word: str, task: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"Did you mean '{task}'\?"):
        named.build(word, (8, 8))


@pytest.mark.parametrize(("word", "task"), CASES[::5])
def test_commands_suggest_the_same(word: str, task: str, restora: Callable[..., Any], tmp_path: Any) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    for command in ("restore", "degrade"):
        error = restora(command, tmp_path / "a.png", "-o", tmp_path / "out", "--task", word).error()
        assert f"Did you mean '{task}'?" in error
    assert f"'{task}'" in restora("bench", tmp_path, "--tasks", word).error()


@pytest.mark.parametrize("word", ["xyzzy", "q", "", "derain", "fog", "--", "\N{SNOWMAN}"])
def test_what_is_like_nothing_suggests_nothing(word: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        degradations.get(word)
    assert "Did you mean" not in str(caught.value)
    assert f"Known: {', '.join(degradations.names())}." in str(caught.value)


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    found = nearest(text, {name: [name] for name in degradations.names()})
    assert len(found) <= 2
    assert set(found) <= set(degradations.names())


def test_every_task_has_words_of_its_own() -> None:
    words = {name: cls.synonyms.split(", ") for name, cls in degradations}
    every = [word for own in words.values() for word in own]
    assert len(set(every)) == len(every)
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", word) for word in every)


def test_a_new_task_brings_its_own() -> None:
    @dataclass
    class Dehaze:
        synonyms: ClassVar = "fog, mist"

    registry: Registry[type] = Registry("task")
    registry.register("dehaze", Dehaze)
    with pytest.raises(UnknownNameError, match="Did you mean 'dehaze'"):
        registry.get("foggy fog")

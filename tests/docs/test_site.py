"""The pages: their length, their links and pictures, and that every public name is in the reference."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml
from pages import DOCS, ROOT, name, pages

import restora

PACKAGES = (
    "restora",
    "restora.degradations",
    "restora.operators",
    "restora.noise",
    "restora.priors",
    "restora.solvers",
    "restora.faces",
    "restora.inspection",
    "restora.testing",
    "restora.training",
    "restora.bench",
)
API = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference" / "api").glob("*.md"))
DOCUMENTED = set(re.findall(r"\.\. auto\w+:: (?:[\w.]+\.)?(\w+)\n", API))
LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_documented(package: str) -> None:
    module = importlib.import_module(package)
    for public in (n for n in module.__all__ if not inspect.ismodule(getattr(module, n))):
        assert public in DOCUMENTED, f"{package}.{public} is on no page of docs/reference/api"
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{package}.{public} has no docstring"
            assert not value.__doc__.startswith(f"{public}("), f"{package}.{public}: a dataclass's own text"


def test_code_in_docstrings_ends_on_its_line() -> None:
    """Or the reference shows it in italics; docs/_ext/docstrings.py reads line by line."""
    for path in (ROOT / "src" / "restora").rglob("*.py"):
        odd = [i for i, line in enumerate(path.read_text().splitlines(), 1) if line.count("`") % 2]
        assert not odd, f"{path}: lines {odd}"


def test_the_first_page_is_short() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    prose = re.sub(r":::\{.*?^:::", "", text, flags=re.DOTALL | re.MULTILINE)
    words = re.findall(r"[A-Za-z][\w'-]*", re.sub(r"\]\([^)]*\)", "]", prose))
    assert len(words) < 300


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        script = ROOT / "examples" / path.with_suffix(".py").name
        built = path.parent == DOCS / "gallery" and (path.stem == "index" or script.is_file())
        built = built or path.parent == DOCS / "reference" / "generated"
        assert built or path.is_file(), f"{name(page)}: {target}"


def test_no_page_is_loaded_from_elsewhere() -> None:
    """No picture, script or style of another host: the site is read without a network."""
    for path in [*pages(), *DOCS.rglob("*.css"), DOCS / "conf.py"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"!\[[^\]]*\]\(https?:|src=.https?:|@import|url\(.?https?:", text), path


def test_the_changelog_names_the_version() -> None:
    assert f"## [{restora.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {restora.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_files_of_the_repository_are_well_formed() -> None:
    files = [ROOT / "CITATION.cff", *(ROOT / ".github").rglob("*.yml")]
    found = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}
    assert found["CITATION.cff"]["cff-version"] == "1.2.0"
    matrix = found["tests.yml"]["jobs"]["systems"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert all(
        entry["label"] for form in ("bug.yml", "idea.yml") for entry in map(_facts, found[form]["body"])
    )


def _facts(entry: dict[str, dict[str, str]]) -> dict[str, str]:
    return entry["attributes"]


def test_what_the_docker_image_copies_is_there() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"(?m)^COPY (.*) \S+$", text):
        assert all((ROOT / name).exists() for name in line.split()), line

"""Where stored priors are: in this package, in packages of weights, and in the cache of the Hugging Face Hub.

A package of weights names each of its priors in the group of entry points `restora.weights`:

    [project.entry-points."restora.weights"]
    faces64 = "restora_faces64"                  the prior is in the folder restora_faces64/faces64

Its manifest.json has the SHA-256 of each file of weights, which is checked when a prior is loaded.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from restora.errors import UnknownNameError, WeightsError
from restora.limits import parse, read_text
from restora.pictures.file import digest

WEIGHTS = "prior.safetensors"
MANIFEST = "manifest.json"
GROUP = "restora.weights"
EMBEDDED = Path(__file__).parent.parent / "weights"
APART = dict.fromkeys(
    ("faces64", "faces64-dcgan", "faces64-dictionary", "faces64-gaussian"), "restora-faces64"
)
"""Priors that a package of its own brings, because their licence is another."""


def installed() -> dict[str, Path]:
    """The folders of all installed priors by name, those of packages of weights included."""
    found = {path.parent.name: path.parent for path in EMBEDDED.glob(f"*/{WEIGHTS}")}
    for point in packaged():
        folder = _folder(point)
        if folder is not None and (folder / WEIGHTS).is_file():
            found.setdefault(point.name, folder)
    return dict(sorted(found.items()))


@cache
def packaged() -> tuple[EntryPoint, ...]:
    """What packages of weights name."""
    return tuple(entry_points(group=GROUP))


def _folder(point: EntryPoint) -> Path | None:
    """The folder of an entry point; None where its package is broken."""
    try:
        spec = find_spec(point.module)
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / point.name if places else None


def pulled(name: str) -> Path | None:
    """The folder of OWNER/NAME in the cache of the Hub, if it was pulled; nothing is downloaded."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(name, WEIGHTS)
    except HFValidationError:
        return None
    return Path(path).parent if isinstance(path, str) else None


def missing(name: str) -> UnknownNameError | WeightsError:
    """The error for a prior that is not here: where to get it, if that is known."""
    if name in APART:
        return WeightsError(f"prior {name!r} is not installed. {remedy(name)}")
    return UnknownNameError("prior", name, [*installed()])


def remedy(name: str) -> str:
    """How to get a prior that a package of its own brings."""
    return f"Its weights, for non-commercial research only, are a package: pip install {APART[name]}"


def check(folder: Path) -> None:
    """WeightsError where the manifest beside `folder` has another SHA-256 for its weights."""
    path = folder.parent / MANIFEST
    if not path.is_file():
        return
    try:
        expected = parse(read_text(path)).get(folder.name, {}).get("sha256")
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); install the package again") from error
    if expected and digest(folder / WEIGHTS) != expected:
        raise WeightsError(f"{folder / WEIGHTS}: damaged (not the SHA-256 of {MANIFEST}); install it again")

"""Stored priors: a folder with `prior.safetensors`, and a card in the format of the Hugging Face hub.

NAME/prior.safetensors   weights in half precision or less; the header says how to build the networks
NAME/README.md           the card: facts in the YAML head, prose below
NAME/samples.png         what the prior draws by itself, or what its card says
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from restora.budget import Budget
from restora.errors import PackageError, WeightsError
from restora.isolation import untouched
from restora.limits import parse
from restora.pictures.atomic import atomic
from restora.pictures.file import digest
from restora.priors import places
from restora.priors.base import Prior
from restora.priors.places import WEIGHTS


def names() -> list[str]:
    """The names of all installed priors, those of packages of weights included."""
    return [*places.installed()]


def folder(name: str | Path) -> Path:
    """The folder of a prior.

    Args:
        name: an installed prior, a folder written by `restora train`, or OWNER/NAME after
            `restora priors pull`.
    """
    own = places.installed().get(str(name))
    if own is not None:
        return own
    path = Path(name)
    if path.name == WEIGHTS and path.is_file():
        return path.parent
    if (path / WEIGHTS).is_file():
        return path
    if path.is_dir():
        raise WeightsError(f"{path}: no {WEIGHTS} in this folder; expected one written by 'restora train'")
    cached = places.pulled(str(name)) if isinstance(name, str) and name.count("/") == 1 else None
    if cached is not None:
        return cached
    raise places.missing(str(name))


def facts(prior: Prior | None, source: str | Path | None = None) -> dict[str, str]:
    """What settings and tables say of a prior that was loaded from `source`, else by its own name."""
    if prior is None:
        return {}
    found = {"prior": prior.name, "prior sha256": digest(folder(source or prior.name) / WEIGHTS)}
    return found | ({"prior license": str(prior.card["license"])} if "license" in prior.card else {})


def load(name: str | Path) -> Prior:
    """Load a prior. Nothing is unpickled and nothing is downloaded.

    Args:
        name: an installed prior, a folder written by `restora train`, or OWNER/NAME after
            `restora priors pull`.

    Raises:
        UnknownNameError: if there is no such prior.
        WeightsError: if the package of the prior is not installed, or if the file is damaged, was not written
            by restora, or does not match its own header.
    """
    from restora.priors import priors

    path = folder(name) / WEIGHTS
    places.check(path.parent)
    header, tensors = _read(path)
    try:
        if max(_counts(header["config"]), default=0) > 2**16 + sum(map(torch.Tensor.numel, tensors.values())):
            raise ValueError("it describes a network that is much larger than its weights")
        with untouched(), Budget(tensors):
            prior = priors.get(header["kind"]).from_config(header["config"])
            prior.unpack(tensors)
        _check(prior)
    except PackageError:
        raise
    except Exception as error:  # whatever a header with other values leads to
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{path}: its weights do not match its header ({reason})") from error
    prior.name, prior.card = path.parent.resolve().name, header.get("card", {})
    return prior.eval().requires_grad_(False)


def _counts(node: Any) -> Iterator[int]:
    """All whole numbers of a tree: sizes and counts, none of which is larger than that of the weights."""
    if isinstance(node, int):
        yield abs(node)
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _counts(part)


def _check(prior: Prior) -> None:
    """ValueError for what no trained prior is."""
    if not all(isinstance(side, int) and side > 0 for side in prior.image_shape):
        raise ValueError(f"images of shape {tuple(prior.image_shape)}")
    if not all(value.isfinite().all() for value in prior.state_dict().values()):
        raise ValueError("some of them are not finite")


def save(path: Path, prior: Prior, facts: dict[str, Any], pictured: bool = True) -> None:
    """Write a prior and its card into a folder.

    Args:
        path: the folder.
        prior: the prior, stored as `prior.pack` returns it.
        facts: entries of the card (JSON types).
        pictured: whether the card shows samples.png, which the caller writes.

    Raises:
        WeightsError: for weights that are not finite in half precision.
        OutputError: if the folder cannot be written.
    """
    from restora.priors import card

    header = {"kind": prior.kind, "config": prior.config(), "card": facts}
    packed = {name: value.detach().cpu().contiguous() for name, value in prior.pack().items()}
    if not all(value.isfinite().all() for value in packed.values()):
        raise WeightsError(f"{path}: weights are not finite in half precision, so the prior was not written")
    data = safetensors.torch.save(packed, metadata={"restora.prior": json.dumps(header)})
    with atomic(path / WEIGHTS) as part:
        part.write_bytes(data)
    with atomic(path / "README.md") as part:
        part.write_text(card.text(path.resolve().name, prior.kind, prior.image_shape, facts, pictured))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = parse((file.metadata() or {}).get("restora.prior", "null"))
            if not isinstance(header, dict) or not isinstance(header.get("card", {}), dict):
                raise WeightsError(f"{path}: not a restora prior; expected a file written by 'restora train'")
            return header, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: damaged or not a safetensors file ({error})") from error

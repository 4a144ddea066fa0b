"""Import trained networks as priors that can be stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from restora.errors import OptionError, WeightsError
from restora.networks import TorchScript
from restora.networks.program import Program
from restora.pictures.file import digest
from restora.priors import store
from restora.priors.conventions import Convention, conventions, to_config
from restora.priors.flow import FlowPrior
from restora.priors.foreign import from_denoiser, named
from restora.priors.gan import GANPrior
from restora.priors.gaussian import GaussianPrior
from restora.priors.reading import Foreign, read

PHOTOGRAPHS = (
    "natural-gaussian"  # what is taken for a prior of colours or of grey, where nothing else is said
)
Range = tuple[float, float]


def denoiser(
    source: str | Path,
    convention: str | None = None,
    options: dict[str, Any] | None = None,
    *,
    value_range: Range | None = None,
    levels: Range | None = None,
    channels: int | None = None,
    size: int | None = None,
    gaussian: str | None = None,
    symmetries: int | None = None,
    check: bool = True,
) -> tuple[FlowPrior, dict[str, Any]]:
    """A prior of the denoiser in a file, a folder or on the hub, and the facts for its card.

    What is None is as the architecture has it. gaussian: a stored one, by name or folder, or `none`.

    Raises:
        WeightsError: for a file that cannot be used.
        OptionError: for what contradicts it, or is missing.
    """
    found = read(source, any_size=size is None)
    chosen: str | Convention | None = convention or found.convention
    if found.convention is not None and conventions.name_of(type(found.convention)) == convention:
        chosen = found.convention  # whose levels are known
    if chosen is None:
        raise OptionError(
            f"{Path(source).name} does not say what the network computes; expected a convention: "
            f"{', '.join(conventions.names())} (see 'restora priors conventions')"
        )
    count, side = channels or found.channels, size or found.size
    prior = from_denoiser(
        found.network,
        named(chosen, value_range, levels, **(options or {})),
        channels=count,
        size=side,
        gaussian=_gaussian(gaussian, count),
        symmetries=found.symmetries if symmetries is None else symmetries,  # type: ignore[arg-type]
        check=check,
    )
    return prior, _facts(source, found, prior)


def generator(
    source: str | Path,
    latent: int,
    *,
    mapping: str | Path | None = None,
    value_range: Range = (-1.0, 1.0),
    of: str | None = None,
) -> tuple[GANPrior, dict[str, Any]]:
    """A prior of the generator in a TorchScript file, and the facts for its card.

    latent: length of its latents, or of those of `mapping`. of: `package.module:Class`, which has
    `from_pretrained(source)`, as PyTorchModelHubMixin gives it; the generator is then traced.
    """
    networks = [_script(source, latent, of)] + ([_script(mapping, latent)] if mapping else [])
    prior = GANPrior(
        networks[0],
        latent_shape=(latent,),
        value_range=value_range,
        mapping=networks[1] if mapping else None,
    )
    facts = {"source": Path(source).name, "architecture": of or "TorchScript", "latent": latent}
    return prior, facts | ({"mapping": Path(mapping).name} if mapping else {})


def _script(source: str | Path, latent: int, of: str | None = None) -> TorchScript:
    if of is None:
        network = read(source).network
        if not isinstance(network, TorchScript):
            raise WeightsError(f"{source}: expected a generator as TorchScript (torch.jit.trace)")
        return network
    import importlib
    import io

    module, _, name = of.partition(":")
    try:
        cls = getattr(importlib.import_module(module), name)
        own: nn.Module = cls.from_pretrained(str(source)).eval()
        buffer = io.BytesIO()
        with torch.no_grad():
            torch.jit.save(torch.jit.trace(own, torch.randn(1, latent), check_trace=False), buffer)
    except Exception as error:  # whatever the user's class raises
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{of}: cannot load a generator from {source} ({reason})") from error
    program = TorchScript.of(buffer.getvalue())
    assert isinstance(program, TorchScript)
    return program


def _gaussian(name: str | None, channels: int) -> GaussianPrior | None:
    if name == "none" or (name is None and channels not in (1, 3)):
        return None
    found = store.load(name or PHOTOGRAPHS)
    if not isinstance(found, GaussianPrior):
        raise OptionError(
            f"expected a Gaussian prior, as trained by 'restora train gaussian', got {name}", "gaussian"
        )
    return found


def _facts(source: str | Path, found: Foreign, prior: FlowPrior) -> dict[str, Any]:
    assert prior.convention is not None
    least, most = prior.convention.levels
    path = Path(source)
    kind = "program" if isinstance(found.network, Program) else "tensors"
    facts = {"source": path.name if path.exists() else str(source), "holds": kind, **found.facts}
    if path.is_file():
        facts["source_sha256"] = digest(path)
    return {**facts, "convention": to_config(prior.convention), "levels": f"{least:.4g} to {most:.4g}"}

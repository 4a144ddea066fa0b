"""A table of a generator's latents, in which the one that explains an observation best is found at once.

    G(z_n) ~ mean + U^T c_n,   |y - A G(z_n)|^2 ~ |w - B^T c_n|^2,   w = y - A mean,   B = (A U)
                             = |w|^2 - 2 (B w) . c_n + |L^T c_n|^2,   L L^T = B B^T

U are the r principal directions of what the generator draws, so that an entry is r numbers, whatever A is:
for any linear A its misfit to y, but for what U leaves out, costs r operations. The `SHORTLIST` best are
drawn and compared with y exactly. Where A is not linear, its tangent makes the shortlist.

FOLDER/lookup.safetensors   codes (N, r) and latents (N, ...) in half precision, read a part at a time
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from restora.degradations import Degradation, system_of
from restora.errors import OptionError, WeightsError
from restora.gaussian.directions import Directions
from restora.limits import parse
from restora.pictures.atomic import atomic
from restora.priors.gan import GANPrior

FILE, KEY = "lookup.safetensors", "restora.lookup"
SHORTLIST, PART = 32, 16384
TENSORS = ("mean", "directions", "codes", "latents")


@dataclass(frozen=True)
class Lookup:
    """A table on disk. mean: (C, H, W). directions: U, (r, C, H, W). N entries."""

    path: Path
    mean: Tensor
    directions: Tensor
    entries: int

    @classmethod
    def load(cls, folder: str | Path, prior: GANPrior) -> Lookup:
        """The table in `folder`. WeightsError if it is none, OptionError if it is of another generator."""
        path = Path(folder) / FILE if Path(folder).is_dir() else Path(folder)
        try:
            with safe_open(path, framework="pt") as file:
                facts = parse((file.metadata() or {}).get(KEY, "null"))
                if not isinstance(facts, dict):
                    raise WeightsError(f"{path}: not a table; expected one written by 'restora train lookup'")
                mean, directions = (file.get_tensor(name).float() for name in TENSORS[:2])
                entries = file.get_slice("codes").get_shape()[0]
        except (OSError, SafetensorError, ValueError, IndexError) as error:
            raise WeightsError(f"{path}: cannot be read as a table ({error})") from error
        if facts.get("generator") != fingerprint(prior):
            raise OptionError(
                f"{path}: a table of the generator of {facts.get('prior')!r}, not of prior {prior.name!r}; "
                "train one for it (training 'lookup')"
            )
        return cls(path, mean, directions, entries)

    @torch.no_grad()
    def nearest(self, y: Tensor, degradation: Degradation, prior: GANPrior, count: int) -> Tensor:
        """The `count` latents an image that explain y best, best first: (B, count, *latent_shape)."""
        if count > self.entries:
            raise OptionError(f"{self.path}: {self.entries} entries, fewer than the {count} starts requested")
        rows = self._shortlist(y, degradation, min(max(SHORTLIST, count), self.entries))
        z = self._latents(rows.cpu()).to(y)
        owner = torch.arange(len(y), device=y.device).repeat_interleave(rows.shape[1])
        x = torch.cat([prior.generate(part) for part in z.flatten(0, 1).split(PART // 64)])
        misfit = degradation.take(owner).fidelity(x, y[owner]).view(rows.shape)
        best = misfit.argsort(dim=1, stable=True)[:, :count]
        return torch.stack([latents[order] for latents, order in zip(z, best, strict=True)])

    def _shortlist(self, y: Tensor, degradation: Degradation, count: int) -> Tensor:
        """Entries (B, count) of least misfit among the codes."""
        mean = self.mean.to(y).expand(len(y), -1, -1, -1)
        model, observed = degradation.gaussian(mean, y)
        system = system_of(model)
        seen, w = Directions(system, self.directions.to(y)), system.whiten(observed - model.A(mean))
        metrics = list(zip(seen.prepare(len(y)), _by_gram(seen, w), strict=True))
        least = y.new_full((len(y), count), torch.inf)
        found = torch.zeros(len(y), count, dtype=torch.long, device=y.device)
        for first, part in self._parts("codes"):
            codes = part.to(y)
            misfit = torch.cat([_misfit(codes, gram, dots) for gram, dots in metrics])
            candidates = torch.cat([least, misfit], 1)
            entries = torch.arange(first, first + len(codes), device=y.device).expand(len(y), -1)
            order = candidates.argsort(dim=1, stable=True)[:, :count]
            least = candidates.gather(1, order)
            found = torch.cat([found, entries], 1).gather(1, order)
        return found

    def _parts(self, name: str) -> Iterator[tuple[int, Tensor]]:
        """The rows of a tensor, from which row on."""
        with safe_open(self.path, framework="pt") as file:
            rows = file.get_slice(name)
            for first in range(0, self.entries, PART):
                yield first, rows[first : first + PART].float()

    def _latents(self, entries: Tensor) -> Tensor:
        """(B, k, ...) of entries (B, k)."""
        z = torch.empty(0)
        for first, part in self._parts("latents"):
            z = z if first else part.new_zeros(*entries.shape, *part.shape[1:])
            inside = (entries >= first) & (entries < first + len(part))
            z[inside] = part[entries[inside] - first]
        return z


def _by_gram(seen: Directions, w: Tensor) -> Sequence[Tensor]:
    """B^T w of the images of a batch, (b, r), those with the same A together."""
    dots = seen.along(w)
    return [dots] if seen.B is not None else dots.split(1)


def _misfit(codes: Tensor, gram: Tensor, dots: Tensor) -> Tensor:
    """|w - B^T c|^2 - |w|^2, (b, n), of codes (n, r)."""
    return ((codes @ gram) * codes).sum(1) - 2 * dots @ codes.T


def save(path: Path, tensors: dict[str, Tensor], prior: GANPrior) -> None:
    """Write a table: the tensors mean, directions, codes and latents of `prior`'s generator."""
    facts = {"generator": fingerprint(prior), "prior": prior.name}
    halves = {name: tensors[name].to(torch.float16).contiguous() for name in TENSORS}
    with atomic(path) as part:
        save_file(halves, part, metadata={KEY: json.dumps(facts)})


def fingerprint(prior: GANPrior) -> str:
    """Of the generator's weights, as a file holds them."""
    digest = hashlib.sha256()
    for value in prior.generator.state_dict().values():
        digest.update(value.detach().cpu().to(torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

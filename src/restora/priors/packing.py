"""The tensors of a file: parts by name, and principal directions in an eighth of the bytes.

A direction of images and their mirror images is itself even or odd, so its left half is enough. The leading
ones are kept in half precision, the next in 8 bits and the others in 4, with a scale each: an error turns a
direction a little, and the smaller its variance the less that does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEADING = 128
FINE = 1560
STEP = 0.36  # of 4 bits, in standard deviations: least mean square error of normal numbers in 15 levels


def pack(rows: Tensor) -> dict[str, Tensor]:
    """(r, C, H, W), the largest first -> what `unpack` needs, with as few bytes as they allow."""
    width = rows.shape[-1]
    parity = torch.where((rows * rows.flip(-1)).flatten(1).sum(1) < 0, -1, 1)
    mirrored = (rows.flip(-1) - parity.view(-1, 1, 1, 1) * rows).flatten(1).norm(dim=1)
    if (mirrored <= 1e-3 * rows.flatten(1).norm(dim=1)).all():
        rows = rows[..., : (width + 1) // 2]
    fine, coarse = rows[LEADING:FINE].flatten(1), rows[FINE:].flatten(1)
    steps = torch.cat([fine.abs().amax(1) / 127, STEP * coarse.square().mean(1).sqrt()])
    steps = steps.clamp(min=torch.finfo(torch.float32).tiny).float()
    eight, four = steps[: len(fine), None], steps[len(fine) :, None]
    return {
        "parity": parity.to(torch.int8),
        "leading": rows[:LEADING].to(torch.float16),
        "fine": (fine / eight).round().to(torch.int8),
        "coarse": _nibbles((coarse / four).round().clamp(-7, 7)),
        "steps": steps,
    }


def unpack(packed: dict[str, Tensor], width: int) -> Tensor:
    """The rows (r, C, H, width), float32."""
    leading, steps = packed["leading"].float(), packed["steps"].float().unsqueeze(1)
    length = leading[:1].numel() if len(leading) else packed["fine"].shape[1]
    codes = torch.cat([packed["fine"].float(), _from_nibbles(packed["coarse"])[:, :length]])
    rows = torch.cat([leading.flatten(1), codes * steps]).view(-1, *leading.shape[1:])
    if rows.shape[-1] == width:
        return rows
    mirrored = rows[..., : width // 2].flip(-1) * packed["parity"].view(-1, 1, 1, 1)
    return torch.cat([rows, mirrored], -1)


def join(**parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of several parts of a prior under one roof, as PART.NAME."""
    return {f"{part}.{name}": value for part, tensors in parts.items() for name, value in tensors.items()}


def part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of one part."""
    return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}


def halves(module: nn.Module) -> dict[str, Tensor]:
    """Its tensors in half precision; whole numbers as they are."""
    tensors = module.state_dict()
    return {k: value.half() if value.is_floating_point() else value for k, value in tensors.items()}


def floats(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: value.float() if value.is_floating_point() else value for k, value in tensors.items()}


def _nibbles(codes: Tensor) -> Tensor:
    """Whole numbers from -7 to 7, (r, n) -> two a byte, (r, ceil(n / 2))."""
    padded = torch.nn.functional.pad(codes + 8, (0, codes.shape[1] % 2)).to(torch.uint8)
    return padded[:, ::2] * 16 + padded[:, 1::2]


def _from_nibbles(packed: Tensor) -> Tensor:
    """The whole numbers as floats, (r, n or n + 1)."""
    return torch.stack([packed // 16, packed % 16], -1).flatten(1).float() - 8

"""Principal directions in a quarter of the bytes.

A direction of images and their mirror images is itself even or odd, so its left half is enough. The leading
ones are kept in half precision; the others, whose errors count for less, in 8 bits with a scale each.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEADING = 256


def pack(rows: Tensor) -> dict[str, Tensor]:
    """(r, C, H, W) -> what `unpack` needs: r C H W / 2 bytes and a little for many mirrored rows."""
    width = rows.shape[-1]
    parity = torch.where((rows * rows.flip(-1)).flatten(1).sum(1) < 0, -1, 1)
    mirrored = (rows.flip(-1) - parity.view(-1, 1, 1, 1) * rows).flatten(1).norm(dim=1)
    if (mirrored <= 1e-3 * rows.flatten(1).norm(dim=1)).all():
        rows = rows[..., : (width + 1) // 2]
    leading, others = rows[:LEADING], rows[LEADING:]
    scales = others.flatten(1).abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return {
        "parity": parity.to(torch.int8),
        "leading": leading.to(torch.float16),
        "codes": (others / scales.view(-1, 1, 1, 1)).round().to(torch.int8),
        "scales": scales.float(),
    }


def unpack(packed: dict[str, Tensor], width: int) -> Tensor:
    """The rows (r, C, H, width), float32."""
    codes = packed["codes"].float() * packed["scales"].float().view(-1, 1, 1, 1)
    rows = torch.cat([packed["leading"].float(), codes])
    if rows.shape[-1] == width:
        return rows
    mirrored = rows[..., : width // 2].flip(-1) * packed["parity"].view(-1, 1, 1, 1)
    return torch.cat([rows, mirrored], -1)

"""Some frequencies of an image, as a coil of a magnetic resonance scanner measures them.

    A x = S F x,   F the unitary transform with frequency 0 in the middle,   S = diag(m), m in {0, 1}

For real images A^T u = Re F^H S u, and A^T A is a circular filter of gain h_k = (m_k + m_-k) / 2, so that

    A^+ u = F^H h^-1 F A^T u,   prox = F^H (gamma h + 1)^-1 F (gamma A^T u + z)

Source of the sampling patterns: Zbontar et al., "fastMRI", arXiv:1811.08839.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from restora.errors import OptionError, ShapeError
from restora.operators.arithmetic import divide, shares
from restora.operators.base import Map, Operator, Shape, uncut
from restora.operators.masking import as_mask
from restora.random import Window


@dataclass(eq=False, init=False)
class FourierMask(Operator):
    """Measured frequencies: images (B, C, H, W) to (B, 2C, H, W), real and imaginary part of each channel.

    Frequencies that were not measured are 0. Observations can also be complex, (B, C, H, W).

    Args:
        mask: 1 where measured, with frequency 0 at (H // 2, W // 2); (B, 1, H, W), (1, 1, H, W) for the whole
            batch, (B, H, W) or (H, W).

    Raises:
        MaskError: for a mask that is not 0/1 or measures nothing.
        ShapeError: if it does not fit the image.
    """

    def __init__(self, mask: Tensor):
        self.register_buffer("measured", as_mask(torch.as_tensor(mask)))

    @classmethod
    def lines(
        cls, size: tuple[int, int], acceleration: float = 4, center: float = 0.08, seed: int = 0
    ) -> FourierMask:
        """Measure whole columns of frequencies, one in `acceleration`: a fraction `center` in the middle, and
        others at random.

        Raises:
            OptionError: if the middle alone is more than that.
        """
        width = size[1]
        low, count = max(1, round(center * width)), round(width / acceleration)
        if not 1 <= low <= count <= width:
            raise OptionError(
                f"center and acceleration: {low} columns in the middle and {count} in all of {width}; "
                "expected no more in the middle than in all"
            )
        start = (width - low + 1) // 2
        middle = torch.zeros(width, dtype=torch.bool)
        middle[start : start + low] = True
        others = (~middle).nonzero()[:, 0]
        chosen = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))[: count - low]
        middle[others[chosen]] = True
        return cls(middle.float().expand(*size).contiguous())

    @property
    def shared(self) -> bool:
        return len(self._mask) == 1

    @property
    def complex(self) -> bool:
        return True

    def forward(self, x: Tensor) -> Tensor:
        self.observed_shape(x.shape[1:])
        if len(self._mask) not in (1, len(x)):
            raise ShapeError(
                f"mask: expected 1 mask or one for each of the {len(x)} images, got {len(self._mask)}; "
                "select masks with take(index)"
            )
        u = torch.view_as_real(_shifted(torch.fft.fft2, x))
        return self.restrict(u.movedim(-1, 2).flatten(1, 2))

    def adjoint(self, u: Tensor) -> Tensor:
        pairs = self.restrict(u).unflatten(1, (-1, 2)).movedim(2, -1).contiguous()
        return _shifted(torch.fft.ifft2, torch.view_as_complex(pairs)).real

    def pseudo_inverse(self, u: Tensor) -> Tensor:
        return self._filter(self.adjoint(u), divide(torch.ones_like(self._gain(u)), self._gain(u)))

    def prox(self, z: Tensor, u: Tensor, gamma: float | Tensor) -> Tensor:
        data, prior = shares(gamma, z)
        gain = self._gain(z)
        return z + self._filter(self.adjoint(u - self(z)), divide(data, data * gain + prior))

    def restrict(self, y: Tensor) -> Tensor:
        return torch.where(self._mask.to(y) > 0, y, 0)

    def preconditioner(self, spectrum: Tensor, gain: Tensor | None, noise: float) -> Map | None:
        """(h G + noise)^-1 for each frequency, 1 / noise for frequencies that real images do not have; None
        if the noise differs between frequencies."""
        if gain is not None or noise == 0:
            return None
        power = spectrum.movedim((-4, -3), (-2, -1))[..., _cosines(spectrum, -2), :, :, :]
        power = power[..., _cosines(spectrum, -1), :, :]
        h = torch.fft.fftshift(self._gain(spectrum), (-2, -1))[:, 0, :, :, None, None]
        inverse = torch.linalg.inv(h * power + noise * torch.eye(spectrum.shape[-4]).to(spectrum))

        def nearly(u: Tensor) -> Tensor:
            seen = self(self.pseudo_inverse(u))
            parts = seen.unflatten(1, (-1, 2))
            filtered = torch.einsum("...hwij,...jphw->...iphw", inverse.to(u), parts).flatten(1, 2)
            return self.restrict(filtered + (u - seen) / noise)

        return nearly

    def take(self, index: Tensor) -> Operator:
        return self if self.shared else FourierMask(self._mask[index.to(self._mask.device)])

    def window(self, window: Window, y: Tensor, size: tuple[int, int]) -> tuple[Operator, Tensor]:
        """Raises PairingError: every frequency depends on the whole image."""
        raise uncut(self)

    def observed_shape(self, image_shape: Shape) -> Shape:
        channels, *size = image_shape
        expected = list(self._mask.shape[-2:])
        if size != expected:
            raise ShapeError(
                f"the mask is of {expected[0]}x{expected[1]} frequencies (height x width) and the image "
                f"{'x'.join(map(str, size))}; both must have the same size"
            )
        return (2 * channels, *size)

    def image_shape(self, observed_shape: Shape, channels: int = 3) -> Shape:
        pairs, *size = observed_shape
        if pairs % 2:
            raise ShapeError(
                f"expected a real and an imaginary part for each channel, (2C, H, W), got {pairs} channels"
            )
        return (pairs // 2, *size)

    @property
    def _mask(self) -> Tensor:
        return self.get_buffer("measured")

    def _gain(self, like: Tensor) -> Tensor:
        """h, with frequency 0 first."""
        own = torch.fft.ifftshift(self._mask.to(like), (-2, -1))
        return (own + own.flip((-2, -1)).roll((1, 1), (-2, -1))) / 2

    def _filter(self, x: Tensor, gain: Tensor) -> Tensor:
        return torch.fft.ifft2(torch.fft.fft2(x) * gain).real


def _cosines(spectrum: Tensor, axis: int) -> Tensor:
    """The cosine frequency of each Fourier frequency, in the order of the mask."""
    side = spectrum.shape[axis]
    frequency = (torch.arange(side) - side // 2).abs()
    return (2 * frequency).clamp(max=side - 1).to(spectrum.device)


def _shifted(transform: Callable[..., Tensor], x: Tensor) -> Tensor:
    """A unitary transform between the middle of an image and that of its frequencies."""
    axes = (-2, -1)
    if not x.numel():  # MKL's transforms refuse it
        return x + 0j
    return torch.fft.fftshift(transform(torch.fft.ifftshift(x, axes), norm="ortho"), axes)

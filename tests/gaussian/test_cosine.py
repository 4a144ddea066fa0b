from __future__ import annotations

import pytest
import torch
from scipy import fft

from restora.gaussian.cosine import LONG, dct, idct

SHAPES = [(3, 8, 13), (3, LONG, LONG + 1), (2, LONG + 3, 20), (1, 1, 2 * LONG), (0, LONG, LONG)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_short_and_long_axes_against_scipy(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.rand(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(fft.dctn(x.numpy(), axes=(-2, -1), norm="ortho")) if x.numel() else x
    torch.testing.assert_close(dct(x), expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(idct(dct(x)), x, rtol=1e-5, atol=1e-5)


def test_long_axes_are_differentiated_by_their_transpose() -> None:
    x = torch.rand(1, LONG + 2, LONG + 5, dtype=torch.float64, requires_grad=True)
    weights = torch.rand_like(x)
    (dct(x) * weights).sum().backward()
    torch.testing.assert_close(x.grad, idct(weights))


def test_what_is_kept_serves_gradients_after_inference() -> None:
    x = torch.rand(1, 11, LONG + 7)
    with torch.inference_mode():
        dct(x)
    dct(x.requires_grad_()).sum().backward()
    assert x.grad is not None

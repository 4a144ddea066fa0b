from __future__ import annotations

import pytest
import torch

from restora.networks.dcgan import Discriminator, Generator


def trained_a_little() -> Generator:
    torch.manual_seed(0)
    generator = Generator(latent=6, width=4, size=16)
    for _ in range(5):
        generator(torch.randn(32, 6) * 2)
    return generator.eval()


@pytest.mark.parametrize("size", [8, 16, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    image = Generator(latent=6, width=4, channels=channels, size=size)(torch.randn(2, 6))
    assert image.shape == (2, channels, size, size)
    assert image.abs().max() <= 1
    assert Discriminator(width=4, channels=channels, size=size)(image).shape == (2,)


def test_folding_batch_norm_changes_nothing() -> None:
    generator, z = trained_a_little(), torch.randn(4, 6)
    folded = generator.fold()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(folded(z), generator(z), atol=1e-5, rtol=0)


def test_baking_spectral_norm_changes_nothing() -> None:
    discriminator, x = Discriminator(width=4, size=16).eval(), torch.rand(3, 3, 16, 16)
    before = discriminator(x)
    baked = discriminator.bake()
    assert baked.config == {**discriminator.config, "norm": False}
    torch.testing.assert_close(baked(x), before)
    torch.testing.assert_close(discriminator(x), before)


def test_no_result_depends_on_the_batch() -> None:
    generator, discriminator = trained_a_little(), Discriminator(width=4, size=16).eval()
    z = torch.randn(4, 6)
    torch.testing.assert_close(generator(z)[2:3], generator(z[2:3]))
    x = generator(z)
    torch.testing.assert_close(discriminator(x)[2:3], discriminator(x[2:3]))


@pytest.mark.parametrize("size", [4, 24, 63])
def test_sizes_that_cannot_be(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Generator(size=size)

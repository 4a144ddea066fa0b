from __future__ import annotations

import pytest
import torch
from torch import nn

from restora.degradations import Downsample
from restora.errors import PairingError, ShapeError, WeightsError
from restora.networks.dcgan import Discriminator, Generator
from restora.priors import GANPrior
from restora.random import generators
from restora.restoration import restore
from restora.solvers import LatentMAP


class Constant(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.view(-1, 1, 1, 1).expand(-1, 3, 4, 4)


def test_ranges_are_converted_at_the_boundary() -> None:
    z = torch.tensor([[-1.0], [0.0], [1.0]])
    values = GANPrior(Constant(), latent_shape=(1,)).generate(z)[:, 0, 0, 0]
    assert values.tolist() == [0.0, 0.5, 1.0]
    seen = []
    critic = nn.Module()
    critic.forward = lambda x: (seen.append(x), x.mean((1, 2, 3)))[1]  # type: ignore[method-assign]
    prior = GANPrior(Constant(), critic, (1,), value_range=(0.0, 255.0))
    logits = prior.logit(torch.full((2, 3, 4, 4), 0.2))
    assert seen[0].unique().item() == pytest.approx(51)
    assert logits.tolist() == pytest.approx([51, 51])


def test_without_a_discriminator_the_logit_is_zero() -> None:
    assert GANPrior(Constant(), latent_shape=(1,)).logit(torch.rand(2, 3, 4, 4)).tolist() == [0, 0]


def test_networks_are_frozen_in_evaluation_mode() -> None:
    prior = GANPrior(Generator(6, 4, size=8), Discriminator(4, size=8), (6,))
    assert not prior.training
    assert not any(p.requires_grad for p in prior.parameters())
    assert prior.image_shape == (3, 8, 8)


def test_samples_follow_the_seeds_of_their_images() -> None:
    prior = GANPrior(Generator(6, 4, size=8), latent_shape=(6,))
    together, alone = prior.sample(3, generators(5, 3)), prior.sample(1, generators(7, 1))
    torch.testing.assert_close(together[2], alone[0])
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_only_our_networks_can_be_stored() -> None:
    with pytest.raises(
        WeightsError, match=r"a Constant cannot be stored; expected one of the networks .*dcgan"
    ):
        GANPrior(Constant(), latent_shape=(1,)).config()


def test_wrong_pairings_say_so() -> None:
    prior = GANPrior(Constant(), latent_shape=(1,))
    with pytest.raises(ShapeError, match=r"so superres needs 1x1 with 3 channels"):
        restore(torch.zeros(1, 3, 5, 5), Downsample(), prior=prior)
    with pytest.raises(PairingError, match="needs a GANPrior"):
        LatentMAP().check("map", None)

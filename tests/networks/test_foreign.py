"""Networks of others, against what the authors' code gave for the same weights.

The numbers were computed once with the code of github.com/cszn/DPIR and KAIR (UNetRes, FFDNet) and of
github.com/openai/guided-diffusion (UNetModel) and github.com/NVlabs/edm (SongUNet), filled by `filled`.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from restora.networks import DRUNet, FFDNet, GuidedUNet, SongUNet, networks

Made = tuple[type[nn.Module], dict[str, Any]]
GUIDED = {"width": 64, "outputs": 6}
MADE: dict[str, Made] = {
    "drunet": (DRUNet, {"channels": 3, "widths": [8, 12, 16, 20], "blocks": 2}),
    "drunet-grey": (DRUNet, {"channels": 1, "widths": [8, 12, 16, 20], "blocks": 2}),
    "ffdnet": (FFDNet, {"channels": 3, "width": 16, "layers": 5}),
    "ffdnet-grey": (FFDNet, {"channels": 1, "width": 16, "layers": 5}),
    "guided": (GuidedUNet, {**GUIDED, "multipliers": [1, 1, 2], "blocks": 1, "attention": [4]}),
    "guided-plain": (
        GuidedUNet,
        {**GUIDED, "outputs": 3, "multipliers": [1, 2], "blocks": 2, "attention": [1, 2]}
        | {"modulate": False, "resample": False},
    ),
    "song": (SongUNet, {"size": 16, "width": 16, "multipliers": [1, 2], "blocks": 1, "attention": [8]}),
}
EXPECTED: dict[str, list[float]] = {
    "drunet": [-1.740595, 1.243803, -1.076754, 1.214813, 0.401165, -0.154082, 2.979666],
    "drunet-grey": [-0.661326, -2.516173, 1.434173, -1.689085, -0.230725, -0.493068, -1.037594],
    "ffdnet": [0.022442, -0.238644, 0.116992, 0.040011, 0.011425, 0.168564, -0.241129],
    "ffdnet-grey": [0.204219, 0.362241, -0.036667, -0.230545, 0.313938, 0.351993, 0.040399],
    "guided": [0.037664, 0.897207, -0.656509, 0.590661, -0.272644, 0.682598, 0.36182],
    "guided-plain": [0.027766, 0.326352, 0.517047, -0.340902, 0.83764, 0.608627, -1.011264],
    "song": [-0.312036, -0.219874, -0.424503, -0.479743, -0.283511, 0.181267, -0.459988],
}


def filled(network: nn.Module) -> nn.Module:
    """With weights that depend on their names and shapes alone."""
    generator = torch.Generator().manual_seed(1)
    for name, value in sorted(network.named_parameters()):
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim > 1:
            value.data.copy_(noise / value[0].numel() ** 0.5)
        else:
            value.data.copy_(0.1 * noise + (1.0 if name.endswith("weight") else 0.0))
    return network.eval()


def answer(network: nn.Module, channels: int, level: Tensor, size: tuple[int, int]) -> list[float]:
    """Some values of what the network makes of a fixed picture."""
    x = torch.rand(2, channels, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = network(x, level).flatten()
    return found[:: len(found) // 7][:7].tolist()


@pytest.mark.parametrize("name", MADE)
def test_answers_are_those_of_the_authors_code(name: str) -> None:
    cls, config = MADE[name]
    level, size = (
        (torch.tensor([3.5, 900.0]), (16, 16))
        if "multipliers" in config
        else (torch.tensor([0.1, 0.2]), (16, 24))
    )
    found = answer(filled(cls(**config)), config.get("channels", 3), level, size)
    assert found == pytest.approx(EXPECTED[name], abs=1e-4)


@pytest.mark.parametrize("name", MADE)
def test_tensors_tell_the_network(name: str) -> None:
    cls, config = MADE[name]
    tensors = cls(**config).state_dict()
    for _, other in networks:
        if hasattr(other, "recognise"):
            found = other.recognise(tensors)
            assert (found is None) == (other is not cls)
    again = cls(**cls.recognise(tensors))
    assert again.config == cls(**config).config


@pytest.mark.parametrize(("name", "multiple"), [("drunet", 8), ("ffdnet", 2)])
def test_sides_that_are_not_multiples(name: str, multiple: int) -> None:
    """The picture is continued at its lower and right border."""
    cls, config = MADE[name]
    network, x = filled(cls(**config)), torch.rand(1, 3, 13, 11, generator=torch.Generator().manual_seed(0))
    wide = nn.functional.pad(x, (0, -11 % multiple, 0, -13 % multiple), mode="replicate")
    torch.testing.assert_close(
        network(x, torch.tensor([0.1])), network(wide, torch.tensor([0.1]))[..., :13, :11]
    )


def test_a_class_is_more_than_a_picture() -> None:
    tensors = GuidedUNet(**MADE["guided"][1]).state_dict()
    assert GuidedUNet.recognise({**tensors, "label_emb.weight": torch.zeros(10, 256)}) is None

"""Files of others: what they hold is found, stored with its convention, or refused in one line."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import restora as library
from restora.degradations import AdditiveNoise, Downsample
from restora.networks import DRUNet, FFDNet, GuidedUNet, Onnx, SongUNet, TorchScript
from restora.priors import FlowPrior, GANPrior, importing, load_prior
from restora.priors.conventions import FlowMatching, Karras, VariancePreserving
from restora.priors.reading import read, recognise

Command = Callable[..., Any]
FFDNET = {"channels": 3, "width": 8, "layers": 3}


class Smooth(nn.Module):
    """A denoiser that is not trained: the mean of 5x5 pixels."""

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(nn.functional.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    torch.jit.script(Smooth()).save(tmp_path / "smooth.pt")
    return tmp_path / "smooth.pt"


@pytest.mark.parametrize("wrapper", [None, "params", "state_dict"])
@pytest.mark.parametrize("end", [".pth", ".safetensors"])
def test_a_state_dict_is_recognised(tmp_path: Path, restora: Command, wrapper: str | None, end: str) -> None:
    network = FFDNet(**FFDNET)
    tensors = {f"module.{k}" if wrapper else k: v for k, v in network.state_dict().items()}
    if end == ".safetensors":
        save_file(tensors, tmp_path / f"own{end}")
    else:
        torch.save({wrapper: tensors, "epoch": 3} if wrapper else tensors, tmp_path / f"own{end}")
    outcome = restora("priors", "import", tmp_path / f"own{end}", "-o", tmp_path / "own", "--unchecked")
    assert "FFDNet for images of any size with 3 channels, for noise from 0 to 0.2941" in outcome.out
    prior = load_prior(tmp_path / "own")
    assert isinstance(prior, FlowPrior)
    assert prior.any_size
    assert prior.symmetries == 8
    assert prior.gaussian is not None
    x, sigma = torch.rand(1, 3, 20, 24), torch.tensor([0.1])
    t = 1 / (1 + 0.1 / 0.5)
    torch.testing.assert_close(prior.sized(20, 24).denoise(t * x, t), network(x, sigma), rtol=0, atol=1e-5)


@pytest.mark.parametrize("prefix", ["net.", "module.", "params.", "module._orig_mod.denoiser."])
def test_names_that_all_begin_alike(tmp_path: Path, prefix: str) -> None:
    network = DRUNet(1, (4, 4, 4, 4), 1)
    tensors = {prefix + name: value.half() for name, value in network.state_dict().items()}
    whole = {"state_dict": tensors, "optimizer": {"state": {}, "step": torch.tensor(3)}, "epoch": 1}
    torch.save(whole, tmp_path / "own.ckpt")
    found = read(tmp_path / "own.ckpt").network
    x, sigma = torch.rand(1, 1, 16, 16), torch.tensor([0.1])
    torch.testing.assert_close(found(x, sigma), network.half().float()(x, sigma))


def test_tensors_under_an_unusual_name(tmp_path: Path) -> None:
    network, other = FFDNet(**FFDNET), FFDNet(**FFDNET)
    torch.save({"netG": network.state_dict(), "epoch": 3}, tmp_path / "one.pth")
    torch.testing.assert_close(read(tmp_path / "one.pth").network.state_dict(), network.state_dict())
    torch.save({"netG": network.state_dict(), "netD": other.state_dict()}, tmp_path / "two.pth")
    with pytest.raises(library.errors.WeightsError, match="several networks, netG, netD; save one of them"):
        read(tmp_path / "two.pth")


NETWORKS = {
    "ffdnet": lambda: FFDNet(**FFDNET),
    "drunet": lambda: DRUNet(3, (4, 4, 4, 4), 1),
    "guided": lambda: GuidedUNet(width=32, multipliers=(1, 2), attention=(2,)),
    "song": lambda: SongUNet(size=16, width=16, multipliers=(1, 2), blocks=1, attention=(8,)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_tensors_that_are_missing_or_have_other_shapes(name: str) -> None:
    whole = NETWORKS[name]().state_dict()
    known = list(whole)[::7] + list(whole)[-2:]
    for key in known:
        for other in (None, torch.tensor(1.0), torch.zeros(0), torch.zeros(1, 1), torch.zeros(5, 7, 3, 3)):
            tensors = {k: other if k == key else v for k, v in whole.items() if k != key or other is not None}
            with pytest.raises(library.errors.WeightsError, match=r"unknown network|nearly a"):
                recognise(tensors, "own.pth")


def test_a_grey_network_and_what_is_said_of_it(tmp_path: Path, restora: Command) -> None:
    save_file(DRUNet(1, (4, 4, 4, 4), 1).state_dict(), tmp_path / "grey.safetensors")
    words = ("--levels", "0,30/255", "--gaussian", "none", "--license", "mit", "--symmetries", "2")
    outcome = restora(
        "priors",
        "import",
        tmp_path / "grey.safetensors",
        "-o",
        tmp_path / "g",
        "--unchecked",
        "--json",
        *words,
    )
    facts = json.loads(outcome.out)
    assert (facts["source"], facts["license"], facts["levels"]) == ("grey.safetensors", "mit", "0 to 0.1176")
    prior = load_prior(tmp_path / "g")
    assert (prior.gaussian, prior.image_shape, prior.symmetries) == (None, (1, 64, 64), 2)
    card = (tmp_path / "g" / "README.md").read_text()
    assert "license: mit" in card
    assert "samples.png" not in card
    assert "most: 0.1176" in card


def test_guided_diffusion(tmp_path: Path) -> None:
    network = GuidedUNet(width=32, multipliers=(1, 2), attention=(2,), outputs=6)
    torch.save(network.state_dict(), tmp_path / "diffusion.pt")
    prior, facts = importing.denoiser(tmp_path / "diffusion.pt", size=16, check=False)
    assert facts["architecture"] == "GuidedUNet"
    assert prior.convention == VariancePreserving(clip=True)
    assert prior.image_shape == (3, 16, 16)
    assert not prior.any_size
    w, t = torch.rand(1, 3, 16, 16), torch.tensor([0.5])
    a = torch.tensor(0.5)  # sigma' = 2 sigma = 1: half signal, half noise
    step = prior.convention.path(torch.tensor([1.0])).level
    noise = network(2**0.5 * (2 * w - 0.5), step)[:, :3]
    expected = (((2**0.5 * (2 * w - 0.5) - a.sqrt() * noise) / a.sqrt()) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(prior.denoise(w, t), expected, rtol=0, atol=1e-4)


def test_edm(tmp_path: Path) -> None:
    network = SongUNet(size=16, width=16, multipliers=(1, 2), blocks=1, attention=(8,))
    tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
    save_file(tensors | {"model.map_augment.weight": torch.zeros(16, 9)}, tmp_path / "edm.safetensors")
    prior, facts = importing.denoiser(tmp_path / "edm.safetensors", check=False)
    assert (facts["architecture"], prior.image_shape) == ("SongUNet", (3, 16, 16))
    x, sigma = torch.rand(1, 3, 16, 16), 0.3  # 0.6 in the network's range
    noisy = 2 * x - 1
    c_in, skip, out = 1 / (0.61**0.5), 0.25 / 0.61, 0.3 / 0.61**0.5
    expected = skip * noisy + out * network(c_in * noisy, torch.tensor([0.6]).log() / 4)
    t = 1 / (1 + sigma / 0.5)
    torch.testing.assert_close(prior.denoise(t * x, t), expected / 2 + 0.5, rtol=0, atol=1e-4)


def test_torchscript(tmp_path: Path, script: Path, restora: Command) -> None:
    error = restora("priors", "import", script, "-o", tmp_path / "own").error()
    assert (
        "smooth.pt does not say what the network computes; expected a convention: ve, vp, edm, flow" in error
    )
    assert restora("priors", "import", script, "-o", tmp_path / "own", "--convention", "ve").code == 0
    prior = load_prior(tmp_path / "own")
    x = torch.rand(1, 3, 40, 30)
    y = AdditiveNoise(0.1)(x, torch.Generator().manual_seed(0))
    found = library.restore(y, AdditiveNoise(0.1), prior=prior).image
    torch.testing.assert_close(found, Smooth()(y, torch.tensor([0.1])), rtol=0, atol=1e-5)
    assert prior.double().denoise(torch.rand(1, 3, 64, 64).double(), 0.8).dtype == torch.float64


def test_onnx(tmp_path: Path) -> None:
    onnx, _ = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    image = [onnx.helper.make_tensor_value_info(n, 1, ["b", 3, "h", "w"]) for n in ("x", "y")]
    level = onnx.helper.make_tensor_value_info("sigma", 1, ["b"])
    node = onnx.helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    graph = onnx.helper.make_graph([node], "smooth", [image[0], level], [image[1]])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "smooth.onnx").write_bytes(model.SerializeToString())
    prior, _ = importing.denoiser(tmp_path / "smooth.onnx", "ve")
    importing.store.save(tmp_path / "own", prior, {})
    x = torch.rand(2, 3, 24, 20)
    y = Downsample(4)(x)
    loaded = load_prior(tmp_path / "own")
    assert library.restore(y, Downsample(4), prior=loaded).image.shape == x.shape
    z = torch.rand(1, 3, 64, 64)
    expected = nn.functional.avg_pool2d(z, 5, 1, 2, count_include_pad=False)
    torch.testing.assert_close(loaded.denoise(0.8 * z, 0.8), expected, rtol=0, atol=1e-5)
    with pytest.raises(library.errors.PairingError, match="no gradients; use a method without them"):
        library.restore(y, Downsample(4), prior=loaded, method="dps")
    with pytest.raises(library.errors.WeightsError, match="not a network that ONNX Runtime can run"):
        Onnx.of(b"no graph")(torch.rand(1, 3, 8, 8))


SCHEDULERS = {
    "ddpm": (
        {"_class_name": "DDPMScheduler", "beta_schedule": "scaled_linear", "prediction_type": "v_prediction"},
        VariancePreserving(answer="v", schedule="scaled", clip=True),
    ),
    "flow": ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, FlowMatching(data_at="0", unit=1000.0)),
    "edm": ({"_class_name": "EDMEulerScheduler", "sigma_data": 0.3}, Karras(spread=0.3)),
    "other": ({"_class_name": "KarrasVeScheduler"}, None),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_folder_of_diffusers(tmp_path: Path, name: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    small = {"block_out_channels": (8, 8), "norm_num_groups": 4, "layers_per_block": 1}
    blocks = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    network = diffusers.UNet2DModel(sample_size=16, **small, **blocks, attention_head_dim=4).eval()
    network.save_pretrained(tmp_path / "unet")
    scheduler, convention = SCHEDULERS[name]
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    assert read(tmp_path).convention == convention
    if convention is None:
        return
    prior, _ = importing.denoiser(tmp_path, check=False, gaussian="none")
    importing.store.save(tmp_path / "own", prior, {})
    loaded = load_prior(tmp_path / "own")
    assert loaded.image_shape == (3, 16, 16)
    u, level = torch.rand(1, 3, 16, 16), torch.tensor([7.5])
    torch.testing.assert_close(loaded.network(u, level), network(u, level).sample, rtol=0, atol=1e-5)


class Generator(nn.Module):
    """Styles to pictures, and something beside them."""

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        return w[:, 0, :3].view(-1, 3, 1, 1).expand(-1, 3, 8, 8) / 10, w


class Mapping(nn.Module):
    """Latents to styles, the same in four layers, that are neither about 0 nor independent."""

    def forward(self, z: Tensor) -> Tensor:
        w = torch.stack([z[:, 0], z[:, 0] + 0.5 * z[:, 1], 2 * z[:, 2], z[:, 3]], 1) + 1
        return w.unsqueeze(1).expand(-1, 4, -1)


def test_a_generator_behind_a_mapping(tmp_path: Path, restora: Command) -> None:
    torch.jit.script(Generator()).save(tmp_path / "generator.pt")
    torch.jit.script(Mapping()).save(tmp_path / "mapping.pt")
    words = ("--latent", "4", "--mapping", tmp_path / "mapping.pt")
    outcome = restora("priors", "import", tmp_path / "generator.pt", "-o", tmp_path / "gan", *words)
    assert outcome.code == 0, outcome.err
    prior = load_prior(tmp_path / "gan")
    assert isinstance(prior, GANPrior)
    assert (prior.image_shape, prior.latent_shape) == ((3, 8, 8), (4,))
    drawn = prior.generate(prior.latents(20_000, torch.Generator().manual_seed(1)))[..., 0, 0]
    w = (2 * drawn - 1) * 10
    assert w.mean(0).tolist() == pytest.approx([1, 1, 1], abs=0.06)
    expected = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.25, 0.0], [0.0, 0.0, 4.0]])
    torch.testing.assert_close(w.T.cov(), expected, rtol=0, atol=0.15)
    x = prior.generate(torch.tensor([[0.5, -1.0, 0.3, 0.0]]))
    found = library.restore(Downsample(4)(x), Downsample(4), prior=prior)
    assert found.method == "map"
    assert (found.image - x).abs().max() < 0.02


class Hubs(Generator):
    @classmethod
    def from_pretrained(cls, name: str) -> Hubs:
        assert name == "owner/name"
        return cls()

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(z.unsqueeze(1))


def test_a_generator_of_the_hub_by_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn, "HubGenerator", Hubs, raising=False)
    prior, facts = importing.generator("owner/name", 3, of="torch.nn:HubGenerator")
    assert facts["architecture"] == "torch.nn:HubGenerator"
    z = torch.rand(2, 3)
    torch.testing.assert_close(prior.generator(z)[0], Hubs()(z)[0])
    with pytest.raises(
        library.errors.WeightsError, match=r"torch\.nn:None: cannot load a generator from owner"
    ):
        importing.generator("owner/name", 3, of="torch.nn:None")


class Evil:
    def __reduce__(self) -> Any:
        return (Path("/tmp/never").touch, ())


def refused(tmp_path: Path) -> dict[str, tuple[Path | str, str]]:
    torch.save({"weights": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    torch.save(nn.Linear(3, 3).state_dict(), tmp_path / "linear.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    whole = io.BytesIO()
    torch.save(FFDNet(**FFDNET).state_dict(), whole)
    (tmp_path / "half.pth").write_bytes(whole.getvalue()[:2000])
    (tmp_path / "half.safetensors").write_bytes(b"no tensors")
    tensors = DRUNet(1, (4, 4, 4, 4), 1).state_dict()
    tensors.pop("m_up1.0.weight")
    torch.save(tensors, tmp_path / "nearly.pth")
    (tmp_path / "empty").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "prior.safetensors").touch()
    return {
        "evil.pth": (tmp_path / "evil.pth", "contains more than tensors, so it was not loaded"),
        "evil.pkl": (tmp_path / "evil.pkl", "contains more than tensors, so it was not loaded"),
        "linear.pth": (
            tmp_path / "linear.pth",
            "2 tensors of an unknown network (weight, bias); known are",
        ),
        "list.pth": (tmp_path / "list.pth", "no file of tensors (a list)"),
        "half.pth": (tmp_path / "half.pth", "damaged, or no file of tensors"),
        "half.safetensors": (tmp_path / "half.safetensors", "damaged, or no file of tensors"),
        "nearly.pth": (tmp_path / "nearly.pth", 'nearly a DRUNet, but Missing key(s) in state_dict: "m_up1'),
        "empty": (tmp_path / "empty", "expected a UNet2DModel of diffusers, or one file of weights, got 0"),
        "own": (tmp_path / "own", "a prior of restora already"),
        "nowhere": ("nowhere.pth", "neither a file, nor a folder, nor an OWNER/NAME"),
    }


def test_what_is_refused(tmp_path: Path, restora: Command) -> None:
    for source, text in refused(tmp_path).values():
        assert text in restora("priors", "import", source, "-o", tmp_path / "out").error()
        assert not (tmp_path / "out").exists()
    assert not Path("/tmp/never").exists()


def test_options_that_do_not_fit(tmp_path: Path, script: Path, restora: Command) -> None:
    def error(*words: object) -> str:
        return restora("priors", "import", script, "-o", tmp_path / "out", *words).error()

    assert "expected two numbers, LOW,HIGH" in error("--levels", "5")
    assert "--set is for settings of a convention" in error("--set", "answer=noise")
    assert "--set answer=image" in error("--convention", "edm", "--set", "answer=image")
    assert "contradicts the network" in error("--convention", "ve", "--set", "answer=noise")
    assert "--mapping is for a generator" in error("--mapping", script)
    assert "--levels is for a denoiser" in error("--latent", "4", "--levels", "0,1")
    assert "expected a Gaussian" in error("--convention", "ve", "--gaussian", "natural")
    assert not (tmp_path / "out").exists()
    out = restora("priors", "conventions").out
    assert out.startswith("ve    u = x' + sigma e")
    assert "schedule=linear|scaled|cosine" in restora("priors", "conventions", "vp").out
    assert json.loads(restora("priors", "conventions", "--json").out).keys() == {"ve", "vp", "edm", "flow"}


def test_a_damaged_program() -> None:
    with pytest.raises(library.errors.WeightsError, match="not a network that TorchScript can run"):
        TorchScript.of(b"no archive")(torch.rand(1, 3, 8, 8))

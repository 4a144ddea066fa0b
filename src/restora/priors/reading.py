"""Files of networks that others trained: which network it is, and what is known of its convention.

    *.safetensors, *.pth, *.pt, *.ckpt, ...   tensors, of an architecture that `restora.networks` recognises
    a TorchScript archive, *.onnx             a program
    a folder of `diffusers`                   config.json of a UNet2DModel, with its scheduler
    OWNER/NAME                                such a folder on the Hugging Face hub, which is then downloaded

Nothing is unpickled but tensors and plain containers, and no code of a file is run but a TorchScript's own.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from restora import limits
from restora.budget import Budget
from restora.errors import RestoraError, WeightsError
from restora.networks import DiffusersUNet, Onnx, TorchScript, networks
from restora.priors.conventions import (
    Convention,
    FlowMatching,
    Karras,
    VarianceExploding,
    VariancePreserving,
)
from restora.priors.state_dicts import tensors

Symmetries = Literal[1, 2, 8]
WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".th", ".onnx")
UNLIKE = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""What tensors of other shapes, or under other names, lead to."""
SCHEDULES = {"linear": "linear", "scaled_linear": "scaled", "squaredcos_cap_v2": "cosine"}
ANSWERS = {"epsilon": "noise", "sample": "image", "v_prediction": "v"}


@dataclass(frozen=True)
class Foreign:
    """A network, and what is known of it; `convention` is None where the user has to say it.

    channels: of its images. size: their side, None for any.
    """

    network: nn.Module
    convention: Convention | None = None
    channels: int = 3
    size: int | None = None
    symmetries: Symmetries = 1
    facts: dict[str, Any] = field(default_factory=dict)


KNOWN: dict[str, tuple[Convention, Symmetries, int | None]] = {
    "drunet": (VarianceExploding(most=50 / 255), 8, None),
    "ffdnet": (VarianceExploding(most=75 / 255), 8, None),
    "guided": (VariancePreserving(clip=True), 2, 256),
    "song": (Karras(), 2, None),
}


def read(source: str | Path, any_size: bool = False) -> Foreign:
    """The network in a file, a folder, or on the hub. WeightsError for anything else.

    any_size: of a program, which does not say, whether it takes images of any size.
    """
    path = Path(source)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        return _hub(str(source))
    if path.suffix.lower() == ".onnx":
        return Foreign(Onnx.of(path.read_bytes(), any_size), size=None)
    if _is_script(path):
        return Foreign(TorchScript.of(path.read_bytes(), any_size), size=None)
    return recognise(tensors(path), path.name)


def recognise(found: Mapping[str, Tensor], name: str) -> Foreign:
    """The network that these tensors belong to. WeightsError where none of them is known."""
    for own, (kind, cls) in itertools.product(_stripped(found), networks):
        config = _config(cls, own)
        if config is None:
            continue
        unused = getattr(cls, "unused", ())
        try:
            with Budget(own):
                network = cls(**config)
            network.load_state_dict({key: value for key, value in own.items() if key not in unused})
        except UNLIKE as error:
            reason = " ".join(str(error).splitlines()[-1:]).strip()
            raise WeightsError(f"{name}: nearly a {cls.__name__}, but {reason}") from error
        convention, symmetries, size = KNOWN[kind]
        facts = {"architecture": cls.__name__}
        side = config.get("size", size)
        return Foreign(network, convention, config["channels"], side, symmetries, facts)
    known = ", ".join(cls.__name__ for _, cls in networks if hasattr(cls, "recognise"))
    raise WeightsError(
        f"{name}: {len(found)} tensors of an unknown network ({_some(found)}); known are {known}, and "
        "UNet2DModel in a folder of diffusers. Save another as TorchScript (torch.jit.trace) or ONNX"
    )


def _stripped(found: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """The tensors, then without the name that all begin with: of a wrapper, a preconditioner, a compiler."""
    yield found
    heads = {name.partition(".")[0] for name in found}
    if len(heads) == 1 and all("." in name for name in found):
        yield from _stripped({name.partition(".")[2]: value for name, value in found.items()})


def _config(cls: type[nn.Module], tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
    try:
        return cls.recognise(tensors) if hasattr(cls, "recognise") else None
    except UNLIKE:
        return None


def _is_script(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except Exception:  # it is no zip, or a damaged one
        return False


def _folder(path: Path) -> Foreign:
    if (path / "prior.safetensors").is_file():
        raise WeightsError(f"{path}: a prior of restora already; use it by --prior {path}")
    place = path / "unet" if (path / "unet" / "config.json").is_file() else path
    config = _json(place / "config.json")
    if config.get("_class_name") == "UNet2DModel":
        return _diffusers(place, config, path)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in WEIGHTS)
    if len(files) == 1:
        return read(files[0])
    what = config.get("_class_name")
    raise WeightsError(
        f"{path}: expected a UNet2DModel of diffusers, or one file of weights, got "
        f"{f'a {what}' if what else f'{len(files)} such files'}"
    )


def _diffusers(place: Path, config: dict[str, Any], whole: Path) -> Foreign:
    files = [place / f"diffusion_pytorch_model{end}" for end in (".safetensors", ".bin")]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise WeightsError(f"{place}: no {files[0].name} beside config.json")
    if config.get("num_class_embeds") or config.get("in_channels") != config.get("out_channels"):
        raise WeightsError(f"{place}: a conditional UNet2DModel; expected an unconditional one")
    found = tensors(file)
    try:
        with Budget(found):
            network = DiffusersUNet(**config)
        network.unet.load_state_dict(found)
    except RestoraError:
        raise
    except Exception as error:  # whatever a config with other values leads to
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{file}: its tensors do not fit config.json ({reason})") from error
    candidates = (whole / "scheduler", whole, place)
    scheduler = next((found for c in candidates if (found := _json(c / "scheduler_config.json"))), {})
    size = config.get("sample_size")
    side = size[0] if isinstance(size, list) else size
    facts = {"architecture": "UNet2DModel", "scheduler": scheduler.get("_class_name", "unknown")}
    return Foreign(network, _of_scheduler(scheduler), config["in_channels"], side, 1, facts)


def _of_scheduler(config: dict[str, Any]) -> Convention | None:
    """The convention of a scheduler of diffusers, None for one that is not known."""
    kind = config.get("_class_name", "")
    if kind.startswith("FlowMatch"):
        return FlowMatching(data_at="0", unit=float(config.get("num_train_timesteps", 1000)))
    if kind.startswith("EDM"):
        return Karras(spread=config.get("sigma_data", 0.5))
    schedule, answer = config.get("beta_schedule"), config.get("prediction_type", "epsilon")
    if schedule not in SCHEDULES or answer not in ANSWERS or config.get("trained_betas") is not None:
        return None
    return VariancePreserving(
        answer=ANSWERS[answer],  # type: ignore[arg-type]
        schedule=SCHEDULES[schedule],  # type: ignore[arg-type]
        steps=config.get("num_train_timesteps", 1000),
        beta_start=config.get("beta_start", 1e-4),
        beta_end=config.get("beta_end", 0.02),
        clip=config.get("clip_sample", True),
    )


def _hub(name: str) -> Foreign:
    """What the hub has by this name, OWNER/NAME, downloaded to its own cache."""
    from huggingface_hub import snapshot_download

    patterns = ["*.json", *(f"*{end}" for end in WEIGHTS)]
    try:
        if name.count("/") != 1 or name.startswith((".", "/")) or Path(name).suffix in WEIGHTS:
            raise ValueError("no such file")
        folder = snapshot_download(name, allow_patterns=patterns)
    except Exception as error:  # of the hub, of the network, of the disk
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(
            f"{name}: neither a file, nor a folder, nor an OWNER/NAME on the Hugging Face Hub ({reason})"
        ) from error
    return _folder(Path(folder))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = limits.parse(limits.read_text(path)) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON ({error})") from error
    return found if isinstance(found, dict) else {}


def _some(found: Mapping[str, Tensor]) -> str:
    names = list(found)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")

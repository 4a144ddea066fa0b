"""restora.training.checkpoint: what is saved is what is loaded, to the bit, and nothing is unpickled."""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from restora.errors import OutputError, WeightsError
from restora.training import checkpoint


def same(a: Any, b: Any) -> bool:
    """Equal in values, types, key types, dtypes and shapes; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return (
            list(a) == list(b)
            and all(type(x) is type(y) for x, y in zip(a, b, strict=True))
            and (all(same(a[k], b[k]) for k in a))
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def round_trip(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    checkpoint.save(folder / "c.safetensors", state)
    return checkpoint.load(folder / "c.safetensors")


def trained() -> tuple[nn.Module, torch.optim.Adam]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, betas=(0.5, 0.99))
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.randn(5, 3, 4, 4)).square().mean().backward()
        optimizer.step()
    return net, optimizer


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"numbers": [1, 2.5, -0.0, True, None, "text", float("inf"), float("nan"), 2**60]},
        {"nested": {"a": {"b": [{"c": torch.arange(3)}, (), [], {}]}}},
        {"tuple": (1, (torch.ones(2), 3)), "list": [1, [torch.ones(2), 3]]},
        {"keys": {0: torch.zeros(1), 1: "one", "1": "text one"}},
        {"empty": torch.empty(0), "empty rows": torch.empty(0, 3), "scalar": torch.tensor(2.5)},
        {"types": [torch.ones(2).to(t) for t in (torch.float16, torch.bfloat16, torch.float64, torch.uint8)]},
        {"more types": [torch.ones(2).to(t) for t in (torch.bool, torch.int64, torch.int32)]},
        {"special": torch.tensor([float("inf"), -0.0, 1e-45])},
        {"a": {"b": torch.zeros(2)}, "a/b": torch.ones(2), "a/b'": torch.full((2,), 2.0)},
        {"tensor": {"tensor": "a string"}, "items": [["x", 1]], "value": {"value": 1}, "list": {"list": 2}},
        {'ünïcode / "quotes" \n': torch.ones(1)},
    ],
)
def test_round_trip(state, tmp_path):
    assert same(round_trip(state, tmp_path), state)


def test_signed_zero_survives(tmp_path):
    assert math.copysign(1, round_trip({"zero": -0.0}, tmp_path)["zero"]) == -1


def test_views_and_shared_tensors(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    state = {
        "base": base,
        "again": base,
        "transposed": base.T,
        "row": base[1],
        "last": base.to_sparse().to_dense(),
    }
    assert same(round_trip(state, tmp_path), state)
    picture = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    assert torch.equal(round_trip({"x": picture}, tmp_path)["x"], picture)


def test_the_state_given_is_not_changed_nor_shared(tmp_path):
    tensor = torch.ones(2, requires_grad=True)
    state = {"x": [tensor]}
    found = round_trip(state, tmp_path)
    assert state["x"][0] is tensor
    found["x"][0][0] = 5
    assert tensor[0] == 1


def test_training_goes_on_as_if_never_stopped(tmp_path):
    net, optimizer = trained()
    state = {"net": checkpoint.cpu_state(net), "optimizer": optimizer.state_dict(), "seen": 15}
    found = round_trip(state, tmp_path)
    assert same(found["optimizer"], state["optimizer"])
    assert all(isinstance(key, int) for key in found["optimizer"]["state"])

    other, other_optimizer = trained()
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(found["net"])
    other_optimizer.load_state_dict(found["optimizer"])
    x = torch.randn(5, 3, 4, 4)
    for module, steps in ((net, optimizer), (other, other_optimizer)):
        steps.zero_grad()
        module(x).square().mean().backward()
        steps.step()
    for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_what_json_cannot_hold_is_refused_and_the_earlier_file_stays(tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"step": 1})
    with pytest.raises(TypeError):
        checkpoint.save(path, {"step": object()})
    assert checkpoint.load(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


class TestUnreadable:
    def refused(self, path: Path) -> str:
        with pytest.raises(WeightsError) as caught:
            checkpoint.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_missing(self, tmp_path):
        self.refused(tmp_path / "no.safetensors")

    def test_folder(self, tmp_path):
        self.refused(tmp_path)

    @pytest.mark.parametrize("data", [b"", b"\0" * 64, b"hello" * 100, pickle.dumps({"x": 1})])
    def test_foreign_bytes(self, tmp_path, data):
        (tmp_path / "c").write_bytes(data)
        self.refused(tmp_path / "c")

    @pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
    def test_safetensors_of_someone_else(self, tmp_path, metadata):
        save_file({"weight": torch.ones(2)}, tmp_path / "c", metadata=metadata)
        assert "restora train" in self.refused(tmp_path / "c")

    @pytest.mark.parametrize("keep", [4, 40, -1])
    def test_truncated(self, tmp_path, keep):
        checkpoint.save(tmp_path / "c", {"x": torch.ones(100), "y": [torch.zeros(3)]})
        data = (tmp_path / "c").read_bytes()
        (tmp_path / "c").write_bytes(data[:keep])
        self.refused(tmp_path / "c")

    @pytest.mark.parametrize(
        "header",
        [
            *("{", "null", "[]", "3", "{}", '{"tensor": "gone"}', '{"list": 3}'),
            *('{"items": [1]}', '{"items": [["a", null]]}', '{"items": [[[], {"value": 1}]]}'),
        ],
    )
    def test_damaged_header(self, tmp_path, header):
        save_file({"x": torch.ones(2)}, tmp_path / "c", metadata={checkpoint.KEY: header})
        self.refused(tmp_path / "c")

    def test_nothing_is_unpickled(self, tmp_path):
        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return (tmp_path.joinpath("sprung").touch, ())

        torch.save({"x": Trap()}, tmp_path / "c")
        self.refused(tmp_path / "c")
        assert not (tmp_path / "sprung").exists()


class TestWriting:
    @pytest.mark.parametrize(
        "error", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error")]
    )
    def test_full_disk(self, tmp_path, monkeypatch, error):
        path = tmp_path / "c.safetensors"
        checkpoint.save(path, {"step": 1})

        def half(tensors: Any, part: Path, metadata: Any) -> None:
            Path(part).write_bytes(b"half")
            raise error

        monkeypatch.setattr(checkpoint, "save_file", half)
        with pytest.raises(OutputError, match=r"c\.safetensors: cannot be written"):
            checkpoint.save(path, {"step": 2})
        assert checkpoint.load(path) == {"step": 1}
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_where_the_folder_should_be(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError):
            checkpoint.save(tmp_path / "file" / "c", {})

    def test_permissions_follow_the_umask(self, tmp_path):
        before = os.umask(0o022)
        try:
            checkpoint.save(tmp_path / "c", {"x": torch.ones(2)})
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o644

    def test_other_tools_can_read_the_tensors(self, tmp_path):
        checkpoint.save(tmp_path / "c", {"net": {"weight": torch.arange(3)}})
        data = (tmp_path / "c").read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        assert header["/net/weight"]["shape"] == [3]

"""Cost of a capture on a graphics card: few calls beside each layer, few waits in all, and the numbers of a CPU."""

from collections import Counter

import numpy as np
import pytest
import tiny_families
import torch
from PIL import Image
from pretended_cuda import OnDevice, PretendedCuda
from safetensors.torch import load_file

from adapters import choose, compare
from attention import Request, extract
from attention.capture import host_copies, recorder
from attention.capture.blocks import Block, Call, KeptLayer, joined
from attention.capture.plan import TowerPlan
from attention.capture.recorder import Capture
from attention.errors import CaptureError
from attention.limits import Limits
from attention.models import loading as models
from attention.models.kept import free
from attention.models.scores import Scores

KINDS = ("gemma3", "mllama", "qwen2_5_vl")  # masks of its own and a batch; cross-attention; many calls a layer
CALLS, CALLS_EACH_FURTHER, WAITS = 12, 3, 10


@pytest.fixture(autouse=True)
def _no_pinned_buffer_of_another_test(monkeypatch):
    monkeypatch.setattr(host_copies, "PINNED", host_copies.PinnedBuffers())
    monkeypatch.setattr(host_copies, "_streams", {})


def tensors_of(folder):
    return {
        (str(file.relative_to(folder)), name): tensor
        for file in sorted(folder.rglob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def assert_same_bits(folder, expected):
    found, wanted = tensors_of(folder), tensors_of(expected)
    made_there = {name for name in found if name[1] == "received"}  # on a CPU when it is asked for
    assert set(found) - made_there == set(wanted) - made_there
    for name, tensor in wanted.items():
        is_same = torch.equal(found[name].nan_to_num(-1), tensor.nan_to_num(-1))
        assert is_same, name


class Watched:
    """Calls and waits on a pretended card while a model runs: those of each layer's capture, and all of the model's."""

    def __init__(self, cuda, monkeypatch):
        self.calls, self.times, self.waits, self.of_model = Counter(), Counter(), [], []
        take = Capture.take

        def counted(capture, module, *args):
            with cuda.counted() as found:
                output = take(capture, module, *args)
            name = capture._names.get(id(module))
            self.calls[name] += found[0]
            self.times[name] += 1
            self.waits += found[1]
            return output

        monkeypatch.setattr(Capture, "take", counted)
        self.cuda = cuda

    def model(self, loaded):
        """The same model; the waits of its forward pass are counted apart."""
        forward = loaded.model.forward

        def counted(*args, **kwargs):
            with self.cuda.counted() as found:
                output = forward(*args, **kwargs)
            self.of_model += found[1]
            return output

        loaded.model.forward = counted
        return loaded


def request_for(folder, **fields):
    numbers = np.random.default_rng(0)
    pictures = [Image.fromarray(numbers.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in ((64, 96), (70, 40))]
    return Request(pictures, "what color is the star?", str(folder), answer="red and blue", **fields)


@pytest.mark.parametrize(
    "model_type",
    [pytest.param(name, marks=[] if name in KINDS else pytest.mark.full) for name in tiny_families.all_types()],
)
def test_a_layer_costs_few_calls_and_no_wait_and_gives_the_numbers_of_a_cpu(model_type, tmp_path, monkeypatch):
    folder = tiny_families.write(model_type, tmp_path / "model")
    request = request_for(folder)
    loaded = models.load(str(folder), "cpu")
    extract(request, tmp_path / "on_cpu", loaded).close()
    with PretendedCuda() as cuda:
        loaded = cuda.moved(loaded)
        extract(request, tmp_path / "first", loaded).close()
        pinned = len(cuda.pinned_bytes)
        watched = Watched(cuda, monkeypatch)
        with cuda.counted() as whole:
            extract(request, tmp_path / "second", watched.model(loaded)).close()
        assert len(cuda.pinned_bytes) == pinned, "the second run allocates no pinned memory"
    for name, calls in watched.calls.items():
        assert name is None or calls <= CALLS + CALLS_EACH_FURTHER * (watched.times[name] - 1), name
    assert watched.waits == []
    own = Counter(whole[1]) - Counter(watched.of_model)
    assert 0 < own.total() <= WAITS, own
    assert_same_bits(tmp_path / "second", tmp_path / "first")
    assert_same_bits(tmp_path / "first", tmp_path / "on_cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_families.write("qwen3_vl", tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def on_cpu(folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    extract(request_for(folder), run, models.load(str(folder), "cpu")).close()
    return run


@pytest.mark.parametrize(("device_bytes", "buffer_bytes"), [(0, 1 << 30), (1 << 40, 1), (60_000, 400_000)])
def test_where_there_is_no_room_layers_are_read_as_they_come(
    folder, on_cpu, device_bytes, buffer_bytes, tmp_path, monkeypatch
):
    """Of a device whose share holds no layer, or a few, and of a buffer that is smaller than one."""
    monkeypatch.setattr(recorder, "_free_bytes", lambda _: device_bytes)
    read, most = recorder.read_layers, []

    def counted(layers, *args):
        most.append(len(layers))
        return read(layers, *args)

    monkeypatch.setattr(recorder, "read_layers", counted)
    with PretendedCuda() as cuda:
        loaded = cuda.moved(models.load(str(folder), "cpu"))
        extract(request_for(folder), tmp_path / "run", loaded, Limits(buffer_bytes=buffer_bytes)).close()
    assert len(most) > 1
    assert max(most) == 1 or device_bytes == 60_000
    assert_same_bits(tmp_path / "run", on_cpu)


def test_a_mask_is_counted_once_for_all_layers_that_share_it_and_a_copy_besides_what_it_is_made_of():
    def layer(mask, n_blocks=1):
        query, key = torch.zeros(n_blocks, 4, 6, 8), torch.zeros(n_blocks, 2, 6, 8)
        call = Call(query, key, None, mask, False)
        blocks = [Block(call, entry) for entry in range(n_blocks)]
        return KeptLayer("language", 0, blocks, joined(blocks, "query"), joined(blocks, "key"), Scores(1.0))

    def held(*layers):
        return sum(dict(pair for each in layers for pair in each.on_device.items()).values())

    one, other = torch.zeros(1, 1, 6, 6), torch.zeros(1, 1, 6, 6)
    factors = 4 * (4 + 2) * 6 * 8
    assert held(layer(None)) == factors
    assert held(layer(None, 3)) == 2 * 3 * factors
    assert held(layer(one), layer(one)) == 2 * factors + one.nbytes
    assert held(layer(one), layer(other)) == 2 * (factors + one.nbytes)


def test_components_that_do_not_settle_are_found_with_waits(folder, on_cpu, tmp_path, monkeypatch):
    def unsettled(maps):
        return torch.zeros(maps[0].shape[:-2]).as_subclass(OnDevice), torch.tensor(False).as_subclass(OnDevice)

    monkeypatch.setattr("attention.measures.rows.spatial_entropy_in_rounds", unsettled)
    with PretendedCuda() as cuda:
        extract(request_for(folder), tmp_path / "run", cuda.moved(models.load(str(folder), "cpu"))).close()
    assert_same_bits(tmp_path / "run", on_cpu)


def test_what_is_refused_on_a_cpu_is_refused_on_a_device(tmp_path):
    module = torch.nn.Identity()
    module.is_causal = True
    with PretendedCuda():
        query, key = torch.randn(1, 4, 6, 8, device="cuda"), torch.randn(1, 2, 6, 8, device="cuda")
        odd = torch.rand(1, 1, 6, 6, device="cuda")
        with (
            pytest.raises(CaptureError, match="more than a mask"),
            Capture(tmp_path, {"language": TowerPlan({0: ("attn", module)}, 6)}) as capture,
        ):
            capture.take(module, query, key, key, odd, {})


def test_the_pretended_device_refuses_what_a_card_refuses():
    with PretendedCuda() as cuda:
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert there.device == torch.device("cuda:0") and (there + 1).is_cuda and not there.cpu().is_cuda
        with pytest.raises(RuntimeError, match="two devices"):
            there + here
        with pytest.raises(RuntimeError, match="indices"):
            here[there.long()]
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        copy = torch.zeros(3, pin_memory=True)
        copy.copy_(there, non_blocking=True)
        assert not torch.equal(copy, here), "the copy is under way"
        event = torch.cuda.Event()
        event.record()
        event.synchronize()
        assert torch.equal(copy, here)
        assert there.sum().item() == 3 and bool(there.any()) and len(there[there > 0]) == 3
        assert cuda.waits == ["cpu", "event", "item", "__bool__", "__getitem__"]


@pytest.mark.slow
def test_a_comparison_is_clean_on_a_device(tmp_path):
    """Base and adapter of the bundled model: no two devices meet, and what changed is the CPU's."""
    request = Request("assets/examples/shapes.png", "what color is the star?", "pocket", answer="red", device="cpu")
    choices = choose(["largest"], "pocket")
    compare(request, choices, tmp_path / "on_cpu").close()
    loaded = models.load("pocket", "cpu")
    with PretendedCuda() as cuda, pytest.MonkeyPatch.context() as patch:
        kept = cuda.moved(loaded)
        patch.setattr(models, "load", lambda *_, **__: kept)
        compare(request, choices, tmp_path / "there").close()
    free()
    for member in ("base", "adapter_1"):
        assert_same_bits(tmp_path / "there" / member, tmp_path / "on_cpu" / member)
    assert_same_bits(tmp_path / "there", tmp_path / "on_cpu")

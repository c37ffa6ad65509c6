"""A fine-tune in two files is the whole fine-tune or none: what lies beside an adapter is loaded, refused or said."""

import json
import pickle

import numpy as np
import pytest
import torch
from made_adapters import PREFIX, base_model, changed_adapter, read_adapter, saved_adapter
from peft import PeftModel
from PIL import Image
from safetensors.torch import save_file

from adapters.attach import adapted, from_job, to_job
from adapters.base_modules import base_of, plain_modules, plain_tensors
from adapters.choosing import AdapterChoice
from adapters.files import WEIGHTS, read_folder
from adapters.inspection import inspect_adapter
from adapters.pickled_tensors import pickled_tensors
from adapters.weight_change import weight_changes
from adapters.weights_beside import converting
from attention.capture.extraction import fill
from attention.errors import AdapterIncomplete, AdapterNeedsRenaming, AdapterRefused, AdapterUnavailable
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import open_run

MERGER = "model.visual.merger"
PIECES = {  # names in the base, of one fine-tune each
    "a projector": ("model.visual.merger.",),
    "a bias and a parameter of no module": ("model.visual.blocks.0.attn.qkv.bias", "model.visual.pos_embed.weight"),
    "the embedding, and the head tied to it": ("model.language_model.embed_tokens.",),
    "weights under LoRA": ("model.language_model.layers.1.self_attn.q_proj.weight", "model.language_model.norm."),
}


@pytest.fixture(scope="module")
def adapter(tiny_folder, tmp_path_factory):
    return saved_adapter(tiny_folder, tmp_path_factory.mktemp("lora"), target_modules=["q_proj", "v_proj", "qkv"])


@pytest.fixture
def copy(adapter, tmp_path):
    """A folder with the adapter, to which other files can be added."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    for file in adapter.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def trained(tiny_folder, starts, seed=1):
    """The base's tensors whose names start so, moved."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + 0.5 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in base_model(tiny_folder).named_parameters()
        if name.startswith(starts)
    }


def in_peft(name, wrapped):
    """The name of a parameter in a PeftModel, as `named_parameters` says it."""
    owner, _, last = name.rpartition(".")
    return f"{PREFIX}{owner}.base_layer.{last}" if owner in wrapped else f"{PREFIX}{name}"


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs, use_cache=False).logits


def state(model):
    return {
        f"{path}.{name}": tensor.clone()
        for path, module in plain_modules(model)
        for name, tensor in plain_tensors(module)
    }


def card(folder, tiny_folder, **confirmed):
    return inspect_adapter(read_folder(folder), base_of(tiny_folder), **confirmed)


def assert_is(folder, expected, loaded, inputs, **settings):
    """With the folder's adapter on, the model computes what is expected; after it, and at strength 0, the base's."""
    before, said = state(loaded.model), logits(loaded.model, inputs)
    with adapted(AdapterChoice(read_folder(folder), **settings))(loaded) as record:
        found = logits(loaded.model, inputs)
    with adapted(AdapterChoice(read_folder(folder), 0, **settings))(loaded):
        assert torch.equal(logits(loaded.model, inputs), said)
    assert torch.allclose(found, expected, atol=1e-5) and not torch.allclose(found, said, atol=1e-3)
    after = state(loaded.model)
    assert before.keys() == after.keys() and all(torch.equal(after[name], before[name]) for name in before)
    return record


@pytest.mark.parametrize(
    ("piece", "names"),
    [
        *((piece, "as PEFT calls them") for piece in PIECES),
        ("a projector", "as the base calls them"),
        ("weights under LoRA", "compiled"),
    ],
)
def test_safetensors_beside_it_are_a_part_of_it(piece, names, copy, tiny_folder, loaded, inputs):
    tensors = trained(tiny_folder, PIECES[piece])
    oracle = PeftModel.from_pretrained(base_model(tiny_folder), copy).eval()
    wrapped = {name.removeprefix(PREFIX) for name, each in oracle.named_modules() if hasattr(each, "base_layer")}
    told = oracle.load_state_dict({in_peft(name, wrapped): each for name, each in tensors.items()}, strict=False)
    assert not told.unexpected_keys and tensors
    expected = logits(oracle, inputs)
    called = {
        "as PEFT calls them": lambda name: in_peft(name, wrapped),
        "as the base calls them": lambda name: name,
        "compiled": lambda name: f"{PREFIX}_orig_mod.{name}",
    }[names]
    save_file({called(name): each for name, each in tensors.items()}, copy / "vit.safetensors")
    record = assert_is(copy, expected, loaded, inputs)
    assert "without" not in record and "vit.safetensors" in record["notes"][0]
    said = card(copy, tiny_folder)
    assert "vit.safetensors" in "\n".join(said.lines()) and set(said.replaced_tensors) >= set(tensors)


def test_an_adapter_is_another_one_when_what_lies_beside_it_is(copy, tiny_folder):
    tensors = trained(tiny_folder, (MERGER,))
    alone = read_folder(copy).sha256
    save_file(tensors, copy / "merger.safetensors")
    chosen = AdapterChoice(read_folder(copy))
    job = to_job(chosen)
    assert chosen.files.sha256 != alone and from_job(job) == chosen
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, copy / "merger.safetensors")
    assert read_folder(copy).sha256 != chosen.files.sha256
    with pytest.raises(AdapterRefused, match="changed after"):
        from_job(job)


def test_how_far_weights_beside_it_moved_is_measured(copy, tiny_folder, loaded):
    tensors = trained(tiny_folder, (f"{MERGER}.linear_fc1.",))
    save_file(tensors, copy / "merger.safetensors")
    beside = {f"merger.safetensors:{name}": tensor for name, tensor in tensors.items()}
    changes = weight_changes(card(copy, tiny_folder), {**read_adapter(copy)[1], **beside}, loaded.model)
    own = dict(loaded.model.named_parameters())
    moved = sum((tensors[name] - own[name]).square().sum().item() for name in tensors) ** 0.5
    (change,) = [each for each in changes if each.kind == "replaced"]
    assert change.name == f"{MERGER}.linear_fc1" and change.frobenius == pytest.approx(moved, rel=1e-5)


@pytest.mark.parametrize("name", ["non_lora_state_dict.bin", "non_lora_trainables.bin", "part.pt"])
def test_a_pickle_beside_it_is_a_refusal_until_it_is_converted(name, copy, tiny_folder, loaded, inputs, monkeypatch):
    tensors = {f"{PREFIX}{key}": tensor for key, tensor in trained(tiny_folder, (MERGER,)).items()}
    torch.save(tensors, copy / name)
    oracle = PeftModel.from_pretrained(base_model(tiny_folder), copy).eval()
    alone = logits(oracle, inputs)
    with pytest.raises(AdapterIncomplete) as refusal:
        card(copy, tiny_folder)
    for part in (name, "kB", f"{len(tensors)} trained weights", next(iter(tensors)), converting(name)):
        assert part in str(refusal.value)
    record = assert_is(copy, alone, loaded, inputs, alone=True)
    assert record["without"] == [name] and "not the whole fine-tune" in record["notes"][0]
    monkeypatch.chdir(copy)
    exec(converting(name).removeprefix('python -c "').removesuffix('"'), {})  # the line that is shown
    oracle.load_state_dict(tensors, strict=False)
    assert_is(copy, logits(oracle, inputs), loaded, inputs)


def test_a_run_without_the_other_half_says_so(copy, tiny_folder, loaded, tmp_path):
    torch.save(trained(tiny_folder, (MERGER,)), copy / "non_lora_state_dict.bin")
    request = Request(Image.effect_noise((64, 64), 90).convert("RGB"), "what color?", tiny_folder, device="cpu")
    choice = AdapterChoice(read_folder(copy), alone=True)
    folder = fill(request, PartialRun.create(tmp_path / "run"), adapted=adapted(choice), model=loaded)
    with open_run(folder) as run:
        assert run.info["adapter"] == choice.record and run.info["adapter"]["without"] == ["non_lora_state_dict.bin"]
        assert any("non_lora_state_dict.bin" in note and "left out" in note for note in run.info["notes"])


def test_what_a_trainer_leaves_besides_is_not_the_other_half(copy, tiny_folder):
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    own = read_adapter(copy)[1]
    files = {
        "optimizer.pt": optimizer.state_dict(),
        "scheduler.pt": {"last_epoch": 3, "_last_lr": [0.1]},
        "rng_state.pth": {"cpu": torch.get_rng_state(), "python": (3, (1, 2), None)},
        "training_args.bin": torch.nn.Linear(1, 1),
        "adapter_model.bin": own,
        "trained.bin": optimizer.state_dict(),  # the names do not tell; the tensors do
        "counts.pt": {"steps": torch.arange(3)},
        "best.bin": own,
        "non_lora_state_dict.bin": {},  # nothing but LoRA was trained
        "notes.pkl": {"a.b": Written(copy / "evil")},
    }
    for name, content in files.items():
        torch.save(content, copy / name)
    (copy / "events.bin").write_bytes(b"what another program wrote")
    save_file(own, copy / "best.safetensors")
    assert read_folder(copy).beside == () and not card(copy, tiny_folder).notes


def test_a_trainers_state_without_an_adapter_is_called_so(copy):
    (copy / WEIGHTS).unlink()
    torch.save({"state": {}}, copy / "optimizer.pt")
    with pytest.raises(AdapterUnavailable, match="holds no adapter weights"):
        read_folder(copy)
    torch.save({}, copy / "adapter_model.bin")
    with pytest.raises(AdapterRefused, match=r"are a pickle \(adapter_model.bin\)"):
        read_folder(copy)


def test_a_whole_model_beside_it_is_said_and_not_used(copy, tiny_folder):
    tensors = {name: tensor.clone() for name, tensor in base_model(tiny_folder).state_dict().items()}
    save_file(tensors, copy / "model.safetensors")
    found = card(copy, tiny_folder)
    assert not found.replaced_tensors and any("model.safetensors" in warning for warning in found.warnings)
    part = {name: tensor for name, tensor in tensors.items() if MERGER in name}
    save_file(part, copy / "model.safetensors")
    assert set(card(copy, tiny_folder).replaced_tensors) == set(part)


def test_what_fits_nothing_of_the_base_is_refused(copy, tiny_folder):
    for tensors, words in (
        ({"model.transformer.h.0.weight": torch.ones(2, 2)}, "does not have, model.transformer.h.0.weight"),
        ({f"{MERGER}.norm.weight": torch.ones(3)}, "is 3, and model.visual.merger.norm needs 32"),
        ({f"{MERGER}.norm.weight": torch.ones(32, dtype=torch.int8)}, "of I8"),
    ):
        save_file(tensors, copy / "more.safetensors")
        with pytest.raises(AdapterRefused, match=words):
            card(copy, tiny_folder)
    (copy / "more.safetensors").write_bytes(b"cut off")
    with pytest.raises(AdapterIncomplete, match="no safetensors file that can be read"):
        card(copy, tiny_folder)
    assert card(copy, tiny_folder, alone=True).notes


def test_names_that_lack_their_beginning_are_read_once_that_is_confirmed(copy, tiny_folder):
    tensors = trained(tiny_folder, (MERGER,))
    save_file({name.removeprefix(f"{MERGER}."): each for name, each in tensors.items()}, copy / "merger.safetensors")
    with pytest.raises(AdapterNeedsRenaming) as refusal:
        card(copy, tiny_folder)
    assert refusal.value.renames[0][1].startswith(MERGER)
    assert set(card(copy, tiny_folder, rename=True).replaced_tensors) == set(tensors)


def test_a_value_head_is_left_out_and_said(copy, tiny_folder):
    save_file({"v_head.summary.weight": torch.ones(1, 48)}, copy / "value_head.safetensors")
    torch.save({"v_head.summary.weight": torch.ones(1, 48)}, copy / "value_head.bin")
    found = card(copy, tiny_folder)
    assert not found.replaced_tensors and all("is a head" in note for note in found.notes)


# Reading a pickle without unpickling


class Parameter(torch.nn.Parameter):
    """A class of somebody's own."""


class Written:
    """An object that writes a file wherever it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_no_pickle_is_ever_unpickled(copy, tiny_folder, tmp_path):
    evil = tmp_path / "evil"
    for name, content in (("non_lora_state_dict.bin", {"a": Written(evil)}), ("mm_projector.bin", Written(evil))):
        torch.save(content, copy / name)
        (copy / f"plain_{name}").write_bytes(pickle.dumps(content))
    card(copy, tiny_folder, alone=True)
    read_folder(copy)
    assert not evil.exists()


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("wrapping", ["none", "ordered", "state_dict", "parameters"])
def test_the_names_of_a_pickles_tensors_are_read(is_zip, wrapping, tmp_path):
    tensors = {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2, dtype=torch.bfloat16), "b": torch.ones(())}
    content = {
        "none": tensors,
        "ordered": torch.nn.ParameterDict({"x": torch.ones(1)}).state_dict() | tensors,
        "state_dict": {"epoch": 3, "state_dict": tensors, "name": "x" * 300},
        "parameters": {name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()},
    }[wrapping]
    torch.save(content, tmp_path / "file.bin", _use_new_zipfile_serialization=is_zip)
    found = pickled_tensors((tmp_path / "file.bin").read_bytes())
    found.pop("x", None)
    assert {name: (record.dtype, record.shape) for name, record in found.items()} == {
        "a.weight": ("F32", (2, 3)), "a.bias": ("BF16", (2,)), "b": ("F32", ()),
    }  # fmt: skip


def test_a_whole_module_and_arrays_are_not_passed_over(copy, tiny_folder):
    name = "model.visual.merger.norm.weight"
    for file, content in {
        "best.pt": torch.nn.Linear(2, 2),
        "best.bin": {"model": torch.nn.Linear(2, 2)},
        "arrays.bin": {name: np.ones(32, np.float32)},
        "wrapped.bin": {"state_dict": {name: Parameter(torch.ones(32))}},
    }.items():
        torch.save(content, copy / file)
        with pytest.raises(AdapterIncomplete, match=file):
            card(copy, tiny_folder)
        (copy / file).unlink()


def test_bytes_that_are_no_pickle_tell_nothing(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "file.bin")
    whole = (tmp_path / "file.bin").read_bytes()
    assert pickled_tensors(whole[:100]) is None and pickled_tensors(b"") is None
    assert pickled_tensors(b"\x80\x02" + bytes(range(256))) is None


# Tensors in the adapter's own file that are not LoRA's


def with_tensors(folder, tensors, **config):
    settings, own = read_adapter(folder)
    save_file({**own, **tensors}, folder / WEIGHTS)
    (folder / "adapter_config.json").write_text(json.dumps({**settings, **config}))
    return folder


def test_saved_embeddings_of_the_same_vocabulary_are_loaded_as_peft_does(copy, tiny_folder, loaded, inputs):
    (tensor,) = trained(tiny_folder, ("model.language_model.embed_tokens.",)).values()
    names = ("model.language_model.embed_tokens.weight", "lm_head.weight")
    with_tensors(copy, {f"{PREFIX}{name}": tensor.clone() for name in names})
    expected = logits(PeftModel.from_pretrained(base_model(tiny_folder), copy).eval(), inputs)
    assert_is(copy, expected, loaded, inputs)
    with_tensors(copy, {f"{PREFIX}lm_head.weight": tensor + 1})
    with (
        pytest.raises(AdapterRefused, match="two different weights"),
        adapted(AdapterChoice(read_folder(copy)))(loaded),
    ):
        raise AssertionError
    with_tensors(copy, {f"{PREFIX}{name}": torch.ones(len(tensor) + 8, 48) for name in names})
    with pytest.raises(AdapterRefused, match=f"vocabulary of {len(tensor) + 8} tokens .*, .* has {len(tensor)}"):
        card(copy, tiny_folder)


def test_trained_rows_of_an_embedding_are_those_of_the_head_tied_to_it(tiny_folder, loaded, inputs, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter", trainable_token_indices=[2, 9, 4])
    rows = {key: each + 1 for key, each in read_adapter(folder)[1].items() if "trainable_tokens" in key}
    with_tensors(folder, rows)
    expected = logits(PeftModel.from_pretrained(base_model(tiny_folder), folder).eval(), inputs)
    assert_is(folder, expected, loaded, inputs)
    assert "replaces 3 rows" in "\n".join(card(folder, tiny_folder).lines())


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases_are_loaded_as_peft_does(bias, tiny_folder, loaded, inputs, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter", bias=bias, target_modules=["qkv", "q_proj"])
    own = {key: tensor + 0.5 for key, tensor in read_adapter(folder)[1].items() if key.endswith(".bias")}
    assert own
    with_tensors(folder, own)
    expected = logits(PeftModel.from_pretrained(base_model(tiny_folder), folder).eval(), inputs)
    assert not assert_is(folder, expected, loaded, inputs)["notes"]
    lost = changed_adapter(folder, tmp_path / "lost", drop=lambda key: key in own)  # as older versions of PEFT saved it
    assert "biases were trained" in card(lost, tiny_folder).notes[0]


@pytest.mark.parametrize("head", ["v_head.summary.weight", f"{PREFIX}v_head.summary.bias", f"{PREFIX}score.weight"])
def test_a_head_in_its_own_file_is_left_out_and_said(head, copy, tiny_folder, loaded, inputs):
    expected = logits(PeftModel.from_pretrained(base_model(tiny_folder), copy).eval(), inputs)
    with_tensors(copy, {head: torch.ones(1, 48)})
    record = assert_is(copy, expected, loaded, inputs)
    assert "head" in record["notes"][0] and "left out" in card(copy, tiny_folder).lines()[-1]

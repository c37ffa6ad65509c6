"""Adapters on a base in memory: what PEFT computes while they are on, bit for bit the base when they are off."""

import hashlib
from contextlib import contextmanager

import pytest
import tiny_families
import torch
from made_adapters import base_model, changed_adapter, saved_adapter, written_adapter
from peft import PeftModel

from adapters.attach import Adapters, adapted, adapters_of, from_job, to_job
from adapters.choosing import AdapterChoice, choose
from adapters.files import read_folder
from attention.errors import AdapterNeedsRenaming, AdapterRefused, InvalidRequest
from attention.models import loading as models
from attention.models.devices import inputs_for
from attention.models.kept import free
from attention.verify.pictures import drawing, prepared_inputs

KINDS = {
    "attention": {"target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]},
    "mlp": {"target_modules": ["gate_proj", "up_proj", "down_proj"], "r": 2},
    "vision": {"target_modules": ["qkv", "proj", "linear_fc1", "linear_fc2"]},
    "regex": {"target_modules": r".*language_model.*layers\.[12]\.self_attn\.(q|k)_proj"},
    "rslora": {"use_rslora": True, "r": 8},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 1}},
    "embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "bias": {"lora_bias": True},
    "replaces": {"modules_to_save": ["lm_head"]},
}


@pytest.fixture(scope="module")
def folders(tiny_folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("adapters")
    return {
        name: saved_adapter(tiny_folder, place / name, seed, **config)
        for seed, (name, config) in enumerate(KINDS.items())
    }


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs, use_cache=False).logits


def fingerprint(model):
    """Every parameter and buffer of the base by its name without wrapping, as a digest of its bytes."""
    found = {}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if any(part in name for part in ("lora_", "modules_to_save")):
            continue
        plain = name.replace(".base_layer", "").replace(".original_module", "")
        found[plain] = hashlib.sha256(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
    return found


@contextmanager
def the_base_is_untouched(loaded, inputs):
    before, said = fingerprint(loaded.model), logits(loaded.model, inputs)
    yield said
    assert fingerprint(loaded.model) == before
    assert torch.equal(logits(loaded.model, inputs), said)


def choice(folder, **settings):
    return AdapterChoice(read_folder(folder), **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_does_what_peft_does_and_leaves_no_trace(kind, folders, loaded, inputs, tiny_folder):
    peft = PeftModel.from_pretrained(base_model(tiny_folder), folders[kind]).eval()
    expected = logits(peft, inputs)
    with the_base_is_untouched(loaded, inputs) as base:
        with adapted(choice(folders[kind]))(loaded) as record:
            found = logits(loaded.model, inputs)
        assert record["sha256"] == read_folder(folders[kind]).sha256 and record["scale"] == 1
    assert torch.allclose(found, expected, atol=1e-5) and not torch.allclose(found, base, atol=1e-3)


def test_the_base_has_the_same_bits_before_the_first_adapter_and_after(tmp_path):
    """In a model whose projector reads a tensor that is not contiguous: there torch's sums ask who wants gradients."""
    folder = tiny_families.write("cohere2_vision", tmp_path / "model")
    loaded = models.load(str(folder), "cpu")
    tensors = inputs_for(loaded.model, loaded.family, prepared_inputs(loaded, drawing(64, 96)).tensors)
    before = logits(loaded.model, tensors)
    with adapted(choice(saved_adapter(folder, tmp_path / "adapter")))(loaded):
        assert not torch.equal(logits(loaded.model, tensors), before)
    assert torch.equal(logits(loaded.model, tensors), before)


def test_many_side_by_side_are_switched_and_never_loaded_again(folders, loaded, inputs):
    first = {}
    with the_base_is_untouched(loaded, inputs):
        for kind in KINDS:
            with adapted(choice(folders[kind]))(loaded):
                first[kind] = logits(loaded.model, inputs)
        n = len(adapters_of(loaded))
        for kind in reversed(KINDS):
            with adapted(choice(folders[kind]))(loaded):
                assert torch.equal(logits(loaded.model, inputs), first[kind])
        assert len(adapters_of(loaded)) == n >= len(KINDS)


def test_strength_scales_the_change_and_0_is_exactly_the_base(folders, loaded, inputs):
    x = torch.randn(3, 48)
    found = {}
    for scale in (0, 0.5, 1, 1.5):
        with adapted(choice(folders["attention"], scale=scale))(loaded), torch.no_grad():
            found[scale] = loaded.model.model.language_model.layers[0].self_attn.q_proj(x)
    assert torch.equal(found[0], loaded.model.model.language_model.layers[0].self_attn.q_proj(x))
    for scale in (0.5, 1.5):
        assert torch.allclose(found[scale] - found[0], scale * (found[1] - found[0]), atol=1e-5)
    with adapted(choice(folders["rslora"], scale=0.5))(loaded), torch.no_grad():
        half = loaded.model.model.language_model.layers[0].self_attn.q_proj(x)
    with adapted(choice(folders["rslora"]))(loaded), torch.no_grad():
        whole = loaded.model.model.language_model.layers[0].self_attn.q_proj(x)
    assert torch.allclose(half - found[0], (whole - found[0]) / 2, atol=1e-5)
    with adapted(choice(folders["replaces"], scale=0))(loaded):
        off = logits(loaded.model, inputs)
    assert torch.equal(off, logits(loaded.model, inputs))


@pytest.mark.parametrize("scale", [-0.1, 1.6, float("nan"), "1", True])
def test_a_strength_that_is_none_is_refused(folders, scale):
    with pytest.raises(InvalidRequest, match="from 0 to"):
        choice(folders["attention"], scale=scale)


def test_after_an_exception_the_base_is_the_base(folders, loaded, inputs):
    with (
        the_base_is_untouched(loaded, inputs),
        pytest.raises(ZeroDivisionError),
        adapted(choice(folders["dora"]))(loaded),
    ):
        raise ZeroDivisionError


@pytest.mark.parametrize("is_first", [True, False])
def test_a_load_that_fails_leaves_nothing_behind(is_first, folders, loaded, inputs, tmp_path, monkeypatch):
    adapters = adapters_of(loaded)
    while len(adapters):
        adapters.detach(next(iter(adapters._cards)))
    names = [name for name, _ in loaded.model.named_modules()]
    with the_base_is_untouched(loaded, inputs):
        if not is_first:
            with adapted(choice(folders["attention"]))(loaded):
                pass
        wrapped = [name for name, _ in loaded.model.named_modules()]
        monkeypatch.setattr(Adapters, "_fill", lambda *_: 1 / 0)
        with pytest.raises(AdapterRefused, match="could not be attached"), adapted(choice(folders["mlp"]))(loaded):
            raise AssertionError
        assert [name for name, _ in loaded.model.named_modules()] == (names if is_first else wrapped)
        monkeypatch.undo()
        with adapted(choice(folders["mlp"]))(loaded):
            pass


def test_the_one_used_longest_ago_goes_first_and_the_last_takes_the_wrapping_along(folders, tiny_folder):
    free()
    model = models.load(tiny_folder, device="cpu")
    names = [name for name, _ in model.model.named_modules()]
    adapters = Adapters(model, keeps=2)
    kept = {}
    for kind in ("attention", "mlp", "attention", "dora"):
        kept[kind] = adapters.attach(choice(folders[kind]))
    assert set(adapters._cards) == {kept["attention"], kept["dora"]}
    for name in list(adapters._cards):
        adapters.detach(name)
    assert [name for name, _ in model.model.named_modules()] == names


def test_what_was_checked_is_what_is_attached(folders, tmp_path, loaded, inputs):
    copied = changed_adapter(folders["attention"], tmp_path / "copy", change=lambda key, tensor: tensor * 2)
    chosen = choice(copied)
    job = to_job(chosen)
    assert from_job(job) == chosen
    changed_adapter(folders["attention"], copied, change=lambda key, tensor: tensor + 1)
    with the_base_is_untouched(loaded, inputs):
        with pytest.raises(AdapterRefused, match="changed after"):
            from_job(job)
        with pytest.raises(AdapterRefused, match="changed after"), adapted(chosen)(loaded):
            raise AssertionError


def test_values_that_are_no_numbers_are_refused(folders, tmp_path, loaded, inputs):
    broken = changed_adapter(folders["attention"], tmp_path / "nan", change=lambda key, tensor: tensor * float("nan"))
    with (
        the_base_is_untouched(loaded, inputs),
        pytest.raises(AdapterRefused, match="not finite"),
        adapted(choice(broken))(loaded),
    ):
        raise AssertionError


def test_what_is_asked_for_is_found_checked_and_here(folders, tiny_folder, tmp_path):
    found = choose([f"{folders['dora']}=0.5", {"id": str(folders["mlp"])}], tiny_folder)
    assert [(each.scale, each.rename) for each in found] == [(0.5, False), (1.0, False)]
    alien = written_adapter(tmp_path / "alien", {"model.layers.7.attn.query": (8, 8)})
    with pytest.raises(AdapterRefused, match="another kind"):
        choose([str(alien)], tiny_folder)
    for wrong in (3, {"scale": 1}, {"id": "x", "extra": 1}):
        with pytest.raises(InvalidRequest, match="asked for by its name"):
            choose([wrong], tiny_folder)


def test_one_trained_on_other_weights_of_the_same_form_is_refused(folders, loaded, inputs, tmp_path):
    other = changed_adapter(
        folders["embedding"], tmp_path / "other",
        change=lambda key, tensor: tensor + 1 if "base_layer" in key else tensor,
    )  # fmt: skip
    with the_base_is_untouched(loaded, inputs), pytest.raises(AdapterRefused, match="another model"):
        adapters_of(loaded).attach(choice(other))


def test_of_several_that_are_refused_each_is_named(folders, tiny_folder, tmp_path):
    strange = [
        changed_adapter(folders["mlp"], tmp_path / f"strange_{n}", config={"peft_type": "LOHA"}) for n in range(8)
    ]
    wanted = [str(folders["mlp"]), *map(str, strange)]
    with pytest.raises(AdapterRefused, match=r"^8 of 9 adapters cannot be used") as caught:
        choose(wanted, tiny_folder)
    assert all(f"strange_{n}" in str(caught.value) for n in range(6)) and str(caught.value).endswith("And 2 more.")
    with pytest.raises(AdapterRefused, match=r"^\S*strange_3 is not a LoRA adapter"):
        choose([wanted[0], wanted[4]], tiny_folder)
    older = [
        changed_adapter(folders["mlp"], tmp_path / name, rename=lambda key: key.replace("language_model.", ""))
        for name in ("one", "two")
    ]
    with pytest.raises(AdapterNeedsRenaming, match=r"^2 of 2 .*one names .*two names .*\(rename=True\)"):
        choose(list(map(str, older)), tiny_folder)

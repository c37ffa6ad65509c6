"""Names of wrapped, text-only and other people's models: read as this base's once that is confirmed, or refused."""

import hashlib

import pytest
import tiny_families
import torch
from made_adapters import PREFIX, base_model, changed_adapter, saved_adapter
from peft import PeftModel

from adapters.attach import adapted
from adapters.base_modules import base_of, plain_modules, plain_tensors
from adapters.choosing import AdapterChoice
from adapters.files import read_folder
from adapters.inspection import inspect_adapter
from attention.errors import AdapterNeedsRenaming, AdapterRefused

WORDS = r".*language_model.*\.(q_proj|v_proj|down_proj)"
BOTH = r".*(layers|blocks)\.\d+\..*(q_proj|v_proj|qkv|fc1)"


@pytest.fixture(scope="module")
def folders(tiny_folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("adapters")
    return {
        name: saved_adapter(tiny_folder, place / name, target_modules=targets, alpha_pattern={"v_proj": 3})
        for name, targets in (("words", WORDS), ("both", BOTH))
    }


@pytest.fixture(scope="module")
def expected(folders, tiny_folder, inputs):
    """Logits of plain PEFT with each of them."""
    return {
        name: logits(PeftModel.from_pretrained(base_model(tiny_folder), folder).eval(), inputs)
        for name, folder in folders.items()
    }


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs, use_cache=False).logits


def digest(model):
    found = hashlib.sha256()
    for _, module in plain_modules(model):
        for _, tensor in plain_tensors(module):
            found.update(tensor.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def put(inside, after):
    """A rule that puts a word into a key, after another one."""
    return lambda key: key.replace(after, f"{after}{inside}")


RENAMED = {  # the adapter, its keys as others have them, and what its config's pattern is then
    "compiled": ("both", put("_orig_mod.", PREFIX), None),
    "compiled, the whole PeftModel": ("both", lambda key: f"_orig_mod.{key}", None),
    "DDP, the whole PeftModel": ("both", lambda key: f"module.{key}", None),
    "DDP inside": ("both", put("module.", "language_model."), None),
    "FSDP, each layer": ("both", put("_fsdp_wrapped_module.", "self_attn."), None),
    "all of them": (
        "both",
        lambda key: "module." + put("_orig_mod._fsdp_wrapped_module._checkpoint_wrapped_module.", "model.model.")(key),
        r".*(layers|blocks)\.\d+\..*(q_proj|v_proj|qkv|fc1)",
    ),
    "wrapped before PEFT": (
        "words",
        put("_orig_mod.", "language_model."),
        r"model\.language_model\._orig_mod\..*\.(q_proj|v_proj|down_proj)",
    ),
    "a PeftModel inside": ("both", put(PREFIX, PREFIX), None),
    "no prefix": ("both", lambda key: key.removeprefix(PREFIX), None),
    "a text model": ("words", lambda key: key.replace("language_model.", ""), r"model\..*\.(q_proj|v_proj|down_proj)"),
    "no model.": ("both", lambda key: key.replace(f"{PREFIX}model.", PREFIX), None),
    "model. twice": ("both", put("model.", PREFIX), None),
    "inside of somebody's own": ("both", put("vlm.", PREFIX), r"vlm\..*(q_proj|v_proj|qkv|fc1)"),
    "wrapped and of a text model": ("words", lambda key: key.replace("language_model", "_orig_mod"), ".*_proj"),
}


@pytest.mark.sample(7)
@pytest.mark.parametrize("kind", RENAMED)
def test_it_is_read_once_confirmed_and_does_what_peft_does(kind, folders, expected, loaded, inputs, tmp_path):
    name, renamed, pattern = RENAMED[kind]
    changes = {} if pattern is None else {"target_modules": pattern}
    folder = changed_adapter(folders[name], tmp_path / "renamed", rename=renamed, config=changes)
    files, base = read_folder(folder), base_of(loaded.id)
    with pytest.raises(AdapterNeedsRenaming, match=r" is now .*\(rename=True\)"):
        inspect_adapter(files, base)
    card = inspect_adapter(files, base, rename=True)
    assert card.renames and card.modules == inspect_adapter(read_folder(folders[name]), base).modules
    before, said = digest(loaded.model), logits(loaded.model, inputs)
    with adapted(AdapterChoice(files, rename=True))(loaded) as record:
        found = logits(loaded.model, inputs)
    assert torch.allclose(found, expected[name], atol=1e-5) and not torch.allclose(found, said, atol=1e-3)
    assert digest(loaded.model) == before and torch.equal(logits(loaded.model, inputs), said)
    assert ("had another adapter" in " ".join(record["notes"])) == (kind == "a PeftModel inside")


def test_the_original_llavas_names_are_known(tmp_path):
    model = tiny_families.write("llava", tmp_path / "model")
    base = base_of(str(model))
    now = saved_adapter(
        model, tmp_path / "now", target_modules=r".*(language_model.*q_proj|linear_\d|vision_tower.*v_proj)"
    )
    names = {
        "model.language_model.": "model.",
        "model.multi_modal_projector.linear_1": "model.mm_projector.0",
        "model.multi_modal_projector.linear_2": "model.mm_projector.2",
        "model.vision_tower.": "model.vision_tower.vision_tower.vision_model.",
    }

    def renamed(key):
        start = next(each for each in names if key.startswith(PREFIX + each))
        return key.replace(start, names[start], 1)

    then = changed_adapter(now, tmp_path / "then", rename=renamed, config={"target_modules": ".*"})
    with pytest.raises(AdapterNeedsRenaming, match=r"mm_projector\.0 is now model\.multi_modal_projector.linear_1"):
        inspect_adapter(read_folder(then), base)
    assert inspect_adapter(read_folder(then), base, rename=True).modules == (
        inspect_adapter(read_folder(now), base).modules
    )


def test_what_fits_two_towers_is_not_guessed(tmp_path):
    """The queries of this tiny model are of one size in both towers; more of the layer tells them apart."""
    folder = tiny_families.write("llava_onevision", tmp_path / "model")
    base = base_of(str(folder))
    queries = saved_adapter(folder, tmp_path / "queries", target_modules=r".*language_model.*layers\.[01]\..*q_proj")
    both = saved_adapter(folder, tmp_path / "both", target_modules=r".*language_model.*layers\.[01]\..*(q_proj|v_proj)")

    def short(key):
        return key.replace("model.language_model.layers", "encoder.layers")

    anything = {"target_modules": ".*"}
    with pytest.raises(AdapterRefused, match=r"fit both model\.vision_tower\.encoder\.layers and model\.language"):
        inspect_adapter(
            read_folder(changed_adapter(queries, tmp_path / "one", rename=short, config=anything)), base, rename=True
        )
    card = inspect_adapter(
        read_folder(changed_adapter(both, tmp_path / "two", rename=short, config=anything)), base, rename=True
    )
    assert card.towers.keys() == {"language"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda key: key.replace("language_model.layers.2", "layers.9"), "model.layers.9"),
        (lambda key: key.replace("language_model.layers.2", "language_model.h.2"), "language_model.h.2"),
        (lambda key: key.replace("self_attn.q_proj", "attention.wq"), "attention.wq"),
    ],
)
def test_what_fits_in_no_way_is_refused_by_a_key(rule, words, folders, tiny_folder, tmp_path):
    folder = changed_adapter(folders["words"], tmp_path / "odd", rename=rule)
    for rename in (False, True):
        with pytest.raises(AdapterRefused, match=words) as refusal:
            inspect_adapter(read_folder(folder), base_of(tiny_folder), rename=rename)
        assert not isinstance(refusal.value, AdapterNeedsRenaming)


def test_a_text_model_of_another_size_is_said_to_be_one(folders, tiny_folder, tmp_path):
    folder = changed_adapter(
        folders["words"],
        tmp_path / "wide",
        rename=lambda key: key.replace("language_model.", ""),
        change=lambda key, tensor: torch.ones(4, 96) if "q_proj.lora_A" in key else tensor,
    )
    with pytest.raises(AdapterRefused, match=r"q_proj\.lora_A\.weight is 4 x 96, .* of another size"):
        inspect_adapter(read_folder(folder), base_of(tiny_folder))


def test_an_alpha_that_depends_on_the_wrapper_is_not_guessed(folders, tiny_folder, tmp_path):
    folder = changed_adapter(
        folders["words"],
        tmp_path / "wrapped",
        rename=lambda key: key.replace("layers.0.", "layers.0._checkpoint_wrapped_module."),
        config={"target_modules": ".*_proj", "alpha_pattern": {"0.self_attn.q_proj": 5}},
    )
    with pytest.raises(AdapterRefused, match=r"another alpha for .*alpha_pattern"):
        inspect_adapter(read_folder(folder), base_of(tiny_folder), rename=True)

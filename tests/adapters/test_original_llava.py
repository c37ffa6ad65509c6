"""A fine-tune as the original LLaVA's scripts leave it: LoRA on the language model, the projector in a second file."""

import pytest
import tiny_families
import torch
from made_adapters import PREFIX, base_model, read_adapter, saved_adapter, write_adapter
from peft import PeftModel

from adapters.attach import adapted
from adapters.choosing import AdapterChoice
from adapters.files import read_folder
from adapters.weights_beside import converting
from attention.errors import AdapterIncomplete, AdapterNeedsRenaming

THEN = {
    "model.multi_modal_projector.linear_1": "model.mm_projector.0",
    "model.multi_modal_projector.linear_2": "model.mm_projector.2",
}


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return str(tiny_families.write("llava", tmp_path_factory.mktemp("llava") / "model"))


@pytest.fixture(scope="module")
def projector(base_folder):
    """The base's projector, moved, under the names that it has now."""
    torch.manual_seed(3)
    return {
        name: tensor.detach() + 0.5 * torch.randn(tensor.shape)
        for name, tensor in base_model(base_folder).named_parameters()
        if name.startswith(tuple(THEN))
    }


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs, use_cache=False).logits


@pytest.mark.parametrize("name", ["non_lora_trainables.bin", "mm_projector.bin"])
@pytest.mark.parametrize("is_original", [False, True], ids=["keys as now", "keys of the original"])
def test_its_projector_is_loaded_once_it_is_converted(
    name, is_original, base_folder, projector, loaded, inputs, tmp_path, monkeypatch
):
    folder = saved_adapter(base_folder, tmp_path / "adapter", target_modules=r".*language_model.*\.(q|v)_proj")
    oracle = PeftModel.from_pretrained(base_model(base_folder), folder).eval()
    oracle.load_state_dict({PREFIX + key: tensor for key, tensor in projector.items()}, strict=False)
    expected = logits(oracle, inputs)
    if is_original:
        config, tensors = read_adapter(folder)
        now = f"{PREFIX}model.language_model.layers"
        tensors = {key.replace(now, f"{PREFIX}model.layers"): tensor for key, tensor in tensors.items()}
        write_adapter(folder, config | {"target_modules": ["q_proj", "v_proj"]}, tensors)
    start = PREFIX if name.startswith("non_lora") else ""
    saved = {}
    for key, tensor in projector.items():
        module, _, last = key.rpartition(".")
        saved[f"{start}{THEN[module]}.{last}"] = tensor
    torch.save(saved, folder / name)
    with pytest.raises(AdapterIncomplete, match=name), adapted(AdapterChoice(read_folder(folder), rename=True))(loaded):
        pass
    monkeypatch.chdir(folder)
    exec(converting(name).removeprefix('python -c "').removesuffix('"'), {})  # the line that is shown
    with pytest.raises(AdapterNeedsRenaming), adapted(AdapterChoice(read_folder(folder)))(loaded):
        pass
    plain = logits(loaded.model, inputs)
    with adapted(AdapterChoice(read_folder(folder), rename=True))(loaded):
        found = logits(loaded.model, inputs)
    assert torch.allclose(found, expected, atol=1e-5) and not torch.allclose(found, plain, atol=1e-3)
    assert torch.equal(logits(loaded.model, inputs), plain)

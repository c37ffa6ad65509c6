"""Quantised models: what is captured is what plain transformers computes with them, and nothing packed is misread."""

import codecs
import json
import shutil
import warnings
from pathlib import Path

import pytest
import tiny_families
import torch
from made_adapters import saved_adapter
from made_quantised import (
    FAILURE,
    METHOD,
    compressed_folder,
    is_layer,
    rows_folder,
    saved_by_transformers,
    with_record,
)
from peft import PeftModel
from pictures import noise
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from adapters import choose, compare
from adapters.attach import adapted
from adapters.choosing import AdapterChoice
from adapters.files import read_folder
from adapters.report import report
from adapters.verifying import verify_adapted
from attention import Request, extract
from attention.capture.extraction import Extraction
from attention.capture.forecast import forecast
from attention.commands.main import main
from attention.errors import AdapterRefused, ModelUnavailable
from attention.models import loading as models
from attention.models.config import read_config
from attention.models.kept import free
from attention.runs.partial import PartialRun
from attention.verify.checks import verify

PROMPT, ANSWER = "what color?", "red"
OTHER_KERNELS = 1e-3  # as `verify` allows, over all layers
Q_PROJ = "model.language_model.layers.0.self_attn.q_proj"
TOKEN_INT8 = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}


@pytest.fixture(autouse=True)
def _no_model_stays():
    yield
    free()


@pytest.fixture(scope="module")
def picture():
    return noise((96, 64))


def nf4(plain, folder, dtype=torch.float32):
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    from transformers import BitsAndBytesConfig

    return saved_by_transformers(
        plain,
        folder,
        BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype),
        dtype,
    )


def int8(plain, folder, dtype=torch.float32):
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    from transformers import BitsAndBytesConfig

    return saved_by_transformers(plain, folder, BitsAndBytesConfig(load_in_8bit=True), dtype)


def torchao(plain, folder, dtype=torch.float32):
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    from transformers import TorchAoConfig

    return saved_by_transformers(plain, folder, TorchAoConfig(quantization.Int8WeightOnlyConfig()), dtype)


def compressed(plain, folder):
    pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed")
    return compressed_folder(plain, folder)


def compressed_with_activations(plain, folder):
    pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed")
    return compressed_folder(plain, folder, TOKEN_INT8)


REAL = [nf4, int8, torchao, compressed, compressed_with_activations]
METHODS = [rows_folder, *REAL]
SAVED = [nf4, int8, torchao]
READS_WEIGHTS = [nf4, int8, torchao, compressed]


@pytest.fixture(params=["qwen3_vl", "llava"])
def plain(request, tmp_path):
    return tiny_families.write(request.param, tmp_path / "plain")


def own_bytes(tensor):
    """The bytes of a tensor, or of those that a packed one is made of."""
    parts = getattr(tensor, "tensor_data_names", None)
    return sum(own_bytes(getattr(tensor, name)) for name in parts) if parts else tensor.nbytes


def eager(folder):
    return AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", device_map={"": "cpu"}
    ).eval()


@pytest.mark.sample(5)
@pytest.mark.parametrize("method", METHODS)
def test_rows_are_those_of_plain_transformers_on_the_same_quantised_model(method, plain, picture, tmp_path):
    folder = method(plain, tmp_path / "model")
    request = Request(picture, PROMPT, folder, answer=ANSWER, device="cpu", dtype="float32")
    with Extraction(request, PartialRun.create(tmp_path / "inputs")) as extraction:
        inputs = dict(extraction.prepared.inputs.tensors)
        ids = inputs["input_ids"]
    with extract(request, tmp_path / "run") as run, torch.inference_mode():
        weights = eager(folder)(**inputs, output_attentions=True).attentions
        assert run.info["notes"] == []
        for layer, expected in enumerate(weights):
            found = torch.from_numpy(run.dense(layer))[:, : ids.shape[1], : ids.shape[1]]
            error = (found - expected[0]).abs().max().item()
            rounds = method in (int8, compressed_with_activations)  # of what passes through: by whole steps
            assert error < (0.5 if rounds else OTHER_KERNELS), layer
    checks = verify(folder, picture, "cpu")
    assert not [check for check in checks if check.passed is False]


@pytest.mark.sample(5)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_quantised_model_published_in_half_precision_runs_in_both(method, dtype, tiny_folder, picture, tmp_path):
    """transformers leaves the rest of some of them in the dtype of their files, where a CPU takes float32."""
    half = shutil.copytree(tiny_folder, tmp_path / "half")
    weights = {name: weight.to(torch.bfloat16) for name, weight in load_file(half / "model.safetensors").items()}
    save_file(weights, half / "model.safetensors", {"format": "pt"})
    config = json.loads((half / "config.json").read_text())
    (half / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    folder = method(half, tmp_path / "model", torch.bfloat16) if method in SAVED else method(half, tmp_path / "model")
    with extract(Request(picture, PROMPT, folder, answer=ANSWER, device="cpu", dtype=dtype), tmp_path / "run") as run:
        assert run.row(0, 5).sum(axis=-1) == pytest.approx(1, abs=1e-3)
    assert models.load(folder, "cpu", dtype).model.get_input_embeddings().weight.dtype == getattr(torch, dtype)
    assert not [check for check in verify(folder, picture, "cpu", dtype) if check.passed is False]


@pytest.mark.parametrize("method", METHODS)
def test_the_forecast_counts_what_is_packed_as_it_is(method, plain, picture, tmp_path):
    folder = method(plain, tmp_path / "model")
    config, _ = read_config(folder)
    for dtype in (torch.float32, torch.bfloat16):
        model = models.load(folder, "cpu", str(dtype).removeprefix("torch.")).model
        held = sum(own_bytes(tensor) for tensor in model.parameters())
        assert models.memory_bytes(folder, config, dtype) == pytest.approx(
            held, rel=0.15
        )  # what lies beside tiny weights
        free()
    if method is rows_folder:
        assert models.memory_bytes(folder, config, torch.float32) == sum(
            weight.nbytes if weight.dtype == torch.int8 else 4 * weight.numel()
            for weight in load_file(Path(folder) / "model.safetensors").values()
        )
    assert forecast(Request(picture, PROMPT, folder, device="cpu")).memory_bytes > 0


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_on_a_quantised_base_does_what_peft_does(method, plain, picture, tmp_path):
    folder = method(plain, tmp_path / "model")
    adapter = saved_adapter(plain, tmp_path / "adapter", target_modules=["q_proj", "v_proj", "down_proj"])
    request = Request(picture, PROMPT, folder, answer=ANSWER, device="cpu", dtype="float32")
    with Extraction(request, PartialRun.create(tmp_path / "inputs")) as extraction:
        inputs = dict(extraction.prepared.inputs.tensors)
    loaded = models.load(folder, "cpu", "float32")
    with torch.inference_mode():
        before = loaded.model(**inputs).logits
        with adapted(AdapterChoice(read_folder(adapter)))(loaded):
            found = loaded.model(**inputs).logits
        assert torch.equal(loaded.model(**inputs).logits, before)
    theirs = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, device_map={"": "cpu"})
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs(**inputs)  # some packages unpack their weights in the first pass
        expected = PeftModel.from_pretrained(theirs, adapter).eval()(**inputs).logits
    assert torch.allclose(found, expected, atol=1e-4) and not torch.allclose(found, before, atol=1e-2)


@pytest.mark.sample(5)
@pytest.mark.parametrize("method", METHODS)
def test_a_comparison_and_its_checks_are_made_on_a_quantised_base(method, plain, picture, tmp_path, capsys):
    folder = method(plain, tmp_path / "model")
    adapter = str(saved_adapter(plain, tmp_path / "adapter", size=0.05))
    request = Request(picture, PROMPT, folder, device="cpu")
    (choice,) = choose([adapter], folder)
    assert compare(request, [choice], tmp_path / "comparison").change("js_image", adapter=0).max() > 0
    picture.save(tmp_path / "picture.png")
    checks = verify_adapted(folder, choice, tmp_path / "picture.png", "cpu")
    assert not [check for check in checks if check.passed is False]
    assert main(["inspect", adapter, "--model", folder]) == 0


@pytest.mark.parametrize("method", READS_WEIGHTS)
def test_changes_are_compared_with_the_numbers_that_packed_weights_stand_for(method, plain, tmp_path):
    folder = method(plain, tmp_path / "model")
    adapter = saved_adapter(plain, tmp_path / "adapter")
    whole = {change.name: change for change in report(str(adapter), str(plain), weights=True)[1]}
    free()
    changes = report(str(adapter), folder, weights=True)[1]
    assert {change.name for change in changes} == set(whole)
    for change in changes:
        assert change.frobenius == pytest.approx(whole[change.name].frobenius, rel=1e-5)
        assert change.relative == pytest.approx(whole[change.name].relative, rel=0.05) and not change.note


def test_of_packed_weights_that_nobody_can_read_it_is_said(plain, tmp_path):
    adapter = saved_adapter(plain, tmp_path / "adapter", use_dora=True)
    changes = report(str(adapter), rows_folder(plain, tmp_path / "model"), weights=True)[1]
    packed = [change for change in changes if is_layer(f"{change.name}.weight")]
    assert packed and all(change.frobenius > 0 for change in packed)
    assert all(change.relative is change.dora_frobenius is change.magnitude is None for change in packed)
    assert all("cannot be read here" in change.note for change in packed)


def attach(folder, adapter):
    with adapted(AdapterChoice(read_folder(adapter)))(models.load(folder, "cpu")):
        pass


@pytest.mark.parametrize("method", [rows_folder, nf4, int8])
def test_nothing_takes_the_place_of_a_packed_weight(method, tiny_folder, tmp_path):
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter", modules_to_save=["layers.0.self_attn.k_proj"])
    with pytest.raises(AdapterRefused, match=r"layers\.0\.self_attn\.k_proj"):
        attach(method(tiny_folder, tmp_path / "model"), adapter)


def test_layers_that_peft_does_not_know_are_refused_by_name(tiny_folder, tmp_path):
    folder = rows_folder(tiny_folder, tmp_path / "model", is_linear=False)
    with pytest.raises(AdapterRefused, match="q_proj"):
        attach(folder, saved_adapter(tiny_folder, tmp_path / "adapter"))


def test_an_embedding_that_the_adapter_repeats_is_still_compared(tiny_folder, tmp_path):
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter", target_modules=["embed_tokens", "q_proj"])
    attach(rows_folder(tiny_folder, tmp_path / "model"), adapter)


@pytest.mark.parametrize("record", [{"quant_method": METHOD}, {"quant_method": "bitsandbytes", "load_in_4bit": True}])
def test_a_config_that_calls_plain_weights_quantised_is_refused(tiny_folder, picture, tmp_path, record):
    if record["quant_method"] == "bitsandbytes":
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    folder = with_record(shutil.copytree(tiny_folder, tmp_path / "model"), record)
    words = rf"is quantised \({record['quant_method']}\) by its config\.json, and its weights are not"
    with pytest.raises(ModelUnavailable, match=words):
        forecast(Request(picture, PROMPT, folder))
    with pytest.raises(ModelUnavailable, match=words):
        models.load(folder, "cpu")


def test_why_weights_could_not_be_converted_is_said(tiny_folder, tmp_path):
    folder = rows_folder(tiny_folder, tmp_path / "model", fails=True)
    words = rf"weights could not be converted, \S+weight for one: ArithmeticError: {FAILURE}\. Its config"
    with pytest.raises(ModelUnavailable, match=words):
        models.load(folder, "cpu")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer_config.json"]
)
def test_a_byte_order_mark_is_called_by_its_name(tiny_folder, picture, tmp_path, name, mark):
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    file = folder / name
    text = file.read_text() if file.is_file() else "{}"
    file.write_bytes(mark + text.encode("utf-8" if mark == codecs.BOM_UTF8 else "utf-16-le"))
    with pytest.raises(ModelUnavailable, match=rf"{name}.* begins with a byte order mark.*Save it as UTF-8 without"):
        forecast(Request(picture, PROMPT, str(folder)))


def test_an_index_with_a_byte_order_mark_is_called_so(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    save_file(weights, folder / "part.safetensors", {"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = json.dumps({"metadata": {}, "weight_map": dict.fromkeys(weights, "part.safetensors")})
    (folder / "model.safetensors.index.json").write_bytes(codecs.BOM_UTF8 + index.encode())
    with pytest.raises(ModelUnavailable, match=r"index\.json .* begins with a byte order mark"):
        models.load(str(folder), "cpu")


def test_an_adapters_config_is_read_with_its_byte_order_mark(tiny_folder, tmp_path):
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter")
    config = adapter / "adapter_config.json"
    config.write_bytes(codecs.BOM_UTF8 + config.read_bytes())
    attach(tiny_folder, adapter)

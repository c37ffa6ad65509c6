"""Models are found, loaded once from the files that a Hub repository really has, kept, and freed before another."""

import gc
import json
import shutil
import subprocess
import sys
import types
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_hub import COMMIT, Hold, fake_hub
from pictures import noise
from tiny import qwen3_vl_config, qwen3_vl_folder
from transformers import AutoModelForImageTextToText, Qwen3VLForConditionalGeneration

from attention import Request, extract, families, forecast
from attention.capture import forecast as cost
from attention.errors import Cancelled, InvalidRequest, ModelUnavailable, UnsupportedModel
from attention.models import devices, download, kept
from attention.models import loading as models
from attention.models.config import describe, processor_of, read_config
from attention.models.devices import choose_device
from attention.models.download import locate
from attention.models.offered import default_model, offered_models
from attention.runs.partial import PartialRun, read_progress

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return qwen3_vl_folder(tmp_path_factory.mktemp("model"))


def test_a_folder_with_the_files_of_a_hub_repository_loads(folder, tmp_path):
    """Sharded weights with an index, a fast image processor's name, and a video processor that needs torchvision."""
    hub = tmp_path / "hub"
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    model.save_pretrained(hub, max_shard_size="60KB")
    for file in folder.iterdir():
        if file.suffix in (".json", ".jinja") and not (hub / file.name).exists():
            shutil.copy(file, hub)
    assert len(list(hub.glob("*.safetensors"))) > 1 and (hub / "model.safetensors.index.json").exists()
    assert (
        json.loads((hub / "preprocessor_config.json").read_text())["image_processor_type"]
        == "Qwen2VLImageProcessorFast"
    )
    assert (hub / "video_preprocessor_config.json").exists()
    loaded = models.load(str(hub), "cpu")
    for (name, ours), theirs in zip(loaded.model.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    request = Request(prompt="is there a red star?", model=str(hub), device="cpu")
    extract(request, tmp_path / "run").close()


def test_one_base_is_kept_and_freed_before_another(folder, tmp_path):
    first = models.load(str(folder), "cpu")
    assert models.load(str(folder), "cpu") is first
    gone = weakref.ref(first.model)
    other = qwen3_vl_folder(tmp_path / "other", seed=1)
    del first
    second = models.load(str(other), "cpu")
    gc.collect()
    assert gone() is None and models.load(str(other), "cpu") is second
    assert models.load(str(other), "cpu", "bfloat16") is not second


def test_weights_written_anew_to_the_same_folder_are_loaded_anew(tmp_path):
    folder = tmp_path / "model"
    before = models.load(str(qwen3_vl_folder(folder, seed=0)), "cpu").model.lm_head.weight.clone()
    shutil.rmtree(folder)
    after = models.load(str(qwen3_vl_folder(folder, seed=1)), "cpu").model.lm_head.weight
    assert not torch.equal(before, after)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nonsense", "neither pocket, nor a folder, nor a Hub id"),
        ("../../etc/passwd", "neither|is a file"),
        ("a" * 5000, r"no model 'a{78}…"),
        (__file__, "is a file. Give the model's folder"),
        ("Qwen/Qwen3-VL-2B-Instruct", "Hub cannot be reached"),
        ("", "neither"),
    ],
)
def test_a_model_that_is_not_there_is_said_in_words(name, words):
    with pytest.raises(ModelUnavailable, match=words):
        locate(name)


def test_a_folder_that_is_no_model_is_said_in_words(tmp_path, folder):
    with pytest.raises(ModelUnavailable, match=r"no config\.json"):
        locate(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        models.load(str(tmp_path), "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UnsupportedModel, match=r"'llama' is not supported; supported: .*qwen3_vl"):
        models.load(str(tmp_path), "cpu")
    shutil.copytree(folder, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors of .* is damaged"):
        models.load(str(tmp_path / "cut"), "cpu")
    weights.unlink()
    (tmp_path / "cut" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelUnavailable, match="are a pickle"):
        models.load(str(tmp_path / "cut"), "cpu")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:0"])
def test_a_device_that_is_unknown_is_refused(device):
    with pytest.raises(InvalidRequest, match=device):
        choose_device(device)


def test_a_dtype_that_is_unknown_is_refused(folder):
    with pytest.raises(InvalidRequest, match="int8"):
        models.load(str(folder), "cpu", "int8")


def test_auto_is_float32_on_a_cpu(folder):
    assert models.load(str(folder), "cpu").model.lm_head.weight.dtype == torch.float32
    assert models.load(str(folder), "cpu", "bfloat16").model.lm_head.weight.dtype == torch.bfloat16


def test_a_model_is_described_from_its_config_alone(tmp_path, folder):
    shutil.copy(folder / "config.json", tmp_path)
    described = describe(str(tmp_path))
    assert described["model_type"] == "qwen3_vl" and list(described["towers"]) == ["language", "vision"]
    assert described["towers"]["language"] == {
        "layers": 3, "layer_indices": [0, 1, 2], "linear_layers": [], "convolution_layers": [],
        "heads": 4, "kv_heads": 2, "head_dim": 16,
    }  # fmt: skip


def test_the_bundled_model_is_offered_everywhere_and_cuda_puts_qwen_first(monkeypatch):
    for cuda, first in ((False, "pocket"), (True, "Qwen/Qwen3-VL-2B-Instruct")):
        monkeypatch.setattr(devices, "has_cuda", lambda cuda=cuda: cuda)
        offered = [model["id"] for model in offered_models()]
        assert offered[0] == first == default_model() and "pocket" in offered
        assert {"Qwen/Qwen3-VL-2B-Thinking", "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-8B-Instruct"} <= set(offered)


def test_families_are_found_by_their_file(tmp_path, monkeypatch):
    assert families.find("qwen3-vl") is families.find("qwen3_vl")
    (tmp_path / "made_up_vl.py").write_text("from attention.families.qwen3_vl import Qwen3VL\nFAMILY = Qwen3VL()\n")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    assert "made_up_vl" in families.names() and families.find("made-up-vl").label == "Qwen3-VL"
    with pytest.raises(UnsupportedModel, match="unheard_of"):
        families.find("unheard_of")
    with pytest.raises(UnsupportedModel):
        families.find("family")


def test_a_model_of_the_hub_is_asked_for_once_and_outlives_its_files(folder, tmp_path, monkeypatch):
    """On ZeroGPU the files of the weights are removed as soon as they are in memory."""
    snapshot = shutil.copytree(folder, tmp_path / "0123abc")
    asked = []

    def fetch(model_id, patterns, watch):
        asked.append(model_id)
        return str(snapshot), "0123abc"

    monkeypatch.setattr(download, "_download", fetch)
    first = models.load("somebody/something", "cpu")
    (snapshot / "model.safetensors").unlink()
    assert models.load("somebody/something", "cpu") is first and asked == ["somebody/something"]
    request = Request(prompt="is there a red star?", model="somebody/something", device="cpu")
    forecast(request)
    with extract(request, tmp_path / "run") as run:
        assert run.info["model"]["revision"] == "0123abc"
    assert asked == ["somebody/something"]
    monkeypatch.setattr(kept, "_always", None)
    kept.keep_always(first)
    assert models.load(str(folder), "cpu") is not first
    expected = forecast(request)  # beside another that was asked for, whose files are there
    assert expected.work.is_loaded and expected.work.weight_bytes == sum(w.nbytes for w in first.model.parameters())
    assert models.load("somebody/something", "cpu") is first and asked == ["somebody/something"]
    kept.free()


def test_code_in_a_models_folder_is_never_run(folder, tmp_path):
    hostile = shutil.copytree(folder, tmp_path / "hostile")
    for name in ("config", "tokenizer_config", "preprocessor_config", "processor_config"):
        file = hostile / f"{name}.json"
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        names = ("Config", "Model", "ModelForImageTextToText", "Processor", "ImageProcessor")
        content["auto_map"] = {f"Auto{each}": f"evil.Evil{each}" for each in names}
        content["auto_map"]["AutoTokenizer"] = ["evil.EvilTokenizer", "evil.EvilTokenizerFast"]
        file.write_text(json.dumps(content), encoding="utf-8")
    (hostile / "evil.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')\n", encoding="utf-8")
    request = Request(prompt="is there a red star?", model=str(hostile), device="cpu")
    with extract(request, tmp_path / "run") as run:
        assert len(run.info["tokens"]) > 5
    assert not (tmp_path / "was_run").exists()
    kept.free()


# From the Hub


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """A Hub with one model, whose repository holds more than a model needs; a chunk of a download is small."""
    from huggingface_hub import constants

    repository = shutil.copytree(folder, tmp_path / "repository")
    for unwanted in ("pytorch_model.bin", "modeling_evil.py", "model.gguf", "README.md", "onnx/model.onnx"):
        (repository / unwanted).parent.mkdir(exist_ok=True)
        (repository / unwanted).write_text("unwanted")
    monkeypatch.setattr(download, "CHUNK_BYTES", 4096)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)
    with fake_hub({"tiny/model": repository}, tmp_path / "cache", monkeypatch) as hub:
        yield hub
    kept.free()


def held(hub, file="model.safetensors") -> Hold:
    return hub.held.setdefault(file, Hold())


def test_a_model_of_the_hub_is_downloaded_and_runs(hub, folder, tmp_path):
    request = Request(noise(), "is there a red star?", "tiny/model", device="cpu")
    with extract(request, tmp_path / "run") as run:
        assert run.info["model"]["id"] == "tiny/model" and run.info["model"]["revision"] == COMMIT
    wanted = [file.name for file in sorted(folder.iterdir())]
    assert sorted(hub.downloaded()) == wanted and "model.safetensors" in wanted
    kept.free()
    hub.requests.clear()
    extract(request, tmp_path / "again").close()
    assert hub.downloaded() == []


def test_a_processor_is_had_without_the_weights(hub, folder):
    path, _ = locate("tiny/model", without_weights=True)
    assert "model.safetensors" not in hub.downloaded()
    _, family = read_config(path)
    assert processor_of(path, family).tokenizer and sorted(hub.downloaded()) == sorted(
        file.name for file in folder.iterdir() if file.suffix != ".safetensors"
    )


def test_a_download_tells_its_bytes_up_to_the_last(hub):
    hold, told = held(hub), []

    def watch(done, total):
        told.append((done, total))
        if done:
            hold.release.set()

    path, _ = locate("tiny/model", watch=watch)
    size = sum(file.stat().st_size for file in Path(path).iterdir())
    counted = [line for line in told if line[1]]
    assert {total for _, total in counted} == {size}
    assert counted == sorted(counted) and counted[-1] == (size, size)
    assert any(0 < done < size for done, _ in counted)


def test_progress_of_a_download_is_progress_of_its_run(hub, tmp_path, monkeypatch):
    hold, lines, report = held(hub), [], PartialRun.report

    def reporting(partial, *args):
        report(partial, *args)
        lines.append(read_progress(partial.folder))
        hold.release.set()

    monkeypatch.setattr(PartialRun, "report", reporting)
    partial = PartialRun.create(tmp_path / "run")
    forecast(Request(prompt="?", model="tiny/model", device="cpu"), watch=cost.download_reporter(partial))
    assert {line["phase"] for line in lines} == {"model"}
    assert lines[-1]["done"] == lines[-1]["total"] > 0


def test_a_stopped_download_ends_at_once_and_the_next_one_needs_only_the_rest(hub, tmp_path):
    locate("tiny/model", config_only=True)
    hold, partial = held(hub), PartialRun.create(tmp_path / "run")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(locate, "tiny/model", watch=cost.download_reporter(partial))
        assert hold.reached.wait(120)
        partial.cancel()
        with pytest.raises(Cancelled):
            job.result(timeout=60)  # the Hub is silent all the while
    hub.held.clear()
    hold.release.set()
    locate("tiny/model", watch=cost.download_reporter(PartialRun.create(tmp_path / "next")))
    assert hub.downloaded().count("config.json") == 1 and hub.downloaded().count("model.safetensors") == 2
    assert list((tmp_path / "cache").rglob("*.incomplete")) == []


def test_a_broken_connection_is_taken_up_where_it_broke(hub, monkeypatch):
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download, "time", types.SimpleNamespace(sleep=lambda _: None))
    hub.cut["model.safetensors"] = 1
    path, _ = locate("tiny/model")
    there = Path(path, "model.safetensors").read_bytes()
    assert there == (hub.repositories["tiny/model"] / "model.safetensors").read_bytes()
    assert len(hub.ranges) == 1


def test_a_download_that_cannot_end_is_said_in_words(hub, monkeypatch):
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download, "time", types.SimpleNamespace(sleep=lambda _: None))
    hub.cut["model.safetensors"] = 99
    with pytest.raises(ModelUnavailable, match=r"download of tiny/model did not come to its end \(.+\)\. Try again"):
        locate("tiny/model")
    hub.cut.clear()
    assert locate("tiny/model")[1] == COMMIT


def test_what_the_hub_refuses_is_said_in_words(hub):
    with pytest.raises(ModelUnavailable, match="no model tiny/other on the Hub, or it is private"):
        locate("tiny/other")
    hub.gated.add("tiny/model")
    with pytest.raises(ModelUnavailable, match=r"tiny/model is gated\. .*hf auth login"):
        locate("tiny/model")


def test_a_hub_that_went_away_is_said_in_words_and_what_is_there_is_used(hub):
    path, _ = locate("tiny/model", config_only=True)
    assert [file.name for file in Path(path).iterdir()] == ["config.json"]
    hub.go_away()
    with pytest.raises(ModelUnavailable, match=r"Hub cannot be reached .* \(pocket\)"):
        locate("tiny/model")
    assert locate("tiny/model", config_only=True) == (path, COMMIT)


def test_a_download_by_xet_tells_its_bytes_too(hub, tmp_path):
    """Weights on the real Hub come in this way; the storage is a folder here."""
    xet = pytest.importorskip("hf_xet", reason="huggingface_hub brings hf_xet where there is a build of it")
    weights, storage = hub.repositories["tiny/model"] / "model.safetensors", f"local://{tmp_path / 'xet'}"
    with xet.XetSession().new_upload_commit(endpoint=storage) as upload:
        uploaded = upload.start_upload_file(str(weights))
    hub.xet["model.safetensors"] = (uploaded.result().xet_info.hash, storage)
    told = []
    path, _ = locate("tiny/model", watch=lambda *line: told.append(line))
    assert Path(path, "model.safetensors").read_bytes() == weights.read_bytes()
    assert "model.safetensors" not in hub.downloaded()
    assert told[-1][0] == told[-1][1] > weights.stat().st_size


# Where the weights go

LOADING = """
import sys
from attention.models import kept, loading
from attention.models.config import processor_of, read_config

def memory(kind):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(kind))

folder = sys.argv[1]
processor_of(folder, read_config(folder)[1])
import transformers.models.qwen3_vl.modeling_qwen3_vl
for dtype in ("float32", "bfloat16"):
    kept.free()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = memory("VmRSS")
    weights = [parameter.data for parameter in loading.load(folder, "cpu", dtype).model.parameters()]
    sum(weight.float().sum() for weight in weights)  # mapped files are read only now
    print(memory("VmHWM") - before, sum(weight.nbytes for weight in weights))
    del weights
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read from Linux")
def test_loading_makes_no_second_copy_of_the_weights(tmp_path):
    """In the files' own dtype they stay in the mapped file; in another there is, beside it, one converted copy."""
    config = qwen3_vl_config()
    config.text_config.hidden_size = config.vision_config.out_hidden_size = 512
    config.text_config.intermediate_size = 6144
    with torch.device("meta"):
        model = Qwen3VLForConditionalGeneration(config)
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        parameter.data.fill_(0.01)
    qwen3_vl_folder(tmp_path)  # for the processor
    model.save_pretrained(tmp_path)
    n_bytes = models.weight_bytes(str(tmp_path))
    assert n_bytes > 100e6, "what else a process takes is far less"
    done = subprocess.run(
        [sys.executable, "-c", LOADING, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    same, converted = (tuple(map(int, line.split())) for line in done.stdout.splitlines())
    assert same[0] < 1.3 * n_bytes
    assert converted[1] < 0.6 * n_bytes
    assert converted[0] - n_bytes < 1.3 * converted[1]


@pytest.mark.parametrize(
    ("count", "free", "device_map"), [(1, 0, {"": "cuda"}), (4, 1, "auto"), (4, 1 << 40, {"": "cuda"})]
)
def test_weights_are_spread_over_cuda_devices_where_one_is_too_small(folder, monkeypatch, count, free, device_map):
    given = {}

    def from_pretrained(_, **settings):
        given.update(settings)
        raise OSError("far enough")

    monkeypatch.setattr(devices, "has_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", from_pretrained)
    with pytest.raises(ModelUnavailable, match="far enough"):
        models.load(str(folder), "auto")
    assert given["device_map"] == device_map
    with pytest.raises(ModelUnavailable, match="far enough"):
        models.load(str(folder), "cuda:0")
    assert given["device_map"] == {"": "cuda:0"}


PARTS = ("embed_tokens", "layers.0", "layers.1", "layers.2", "norm", "rotary_emb")


@pytest.mark.parametrize(
    "placed",
    [
        {"model.visual": "disk", "lm_head": "cpu"}
        | {f"model.language_model.{part}": "disk" if part == "layers.1" else "cpu" for part in PARTS},
        {"": "disk"},
    ],
    ids=["one layer and the vision tower on disk", "everything on disk"],
)
def test_a_model_that_is_kept_on_disk_gives_the_run_of_one_in_memory(folder, tmp_path, placed):
    settings = {"dtype": torch.float32, "attn_implementation": "sdpa"}
    request = Request(noise(), "what color is the star?", str(folder), mode="generate", max_new_tokens=3)
    runs = {}
    for name, where in (("memory", {"": "cpu"}), ("disk", placed)):
        model = AutoModelForImageTextToText.from_pretrained(
            folder, device_map=where, offload_folder=tmp_path / "offload", **settings
        )
        runs[name] = extract(request, tmp_path / name, model=model)
    assert next(model.parameters()).is_meta
    memory, disk = runs["memory"], runs["disk"]
    assert disk.info["device"] == "cpu" and disk.info["answer"] == memory.info["answer"]
    for tower in ("language", "vision"):
        for layer in memory.layers(tower):
            assert np.array_equal(disk.dense(layer, tower), memory.dense(layer, tower)), (tower, layer)
    for run in runs.values():
        run.close()


def test_the_weights_of_a_callers_own_model_are_not_counted_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "weight_bytes", lambda _: 10**15)
    request = Request(prompt="is there a red star?", model=str(folder), device="cpu")
    with pytest.raises(InvalidRequest, match=r"2000000\.0 GB of weights"):
        forecast(request)
    extract(request, tmp_path / "run", model=AutoModelForImageTextToText.from_pretrained(folder)).close()

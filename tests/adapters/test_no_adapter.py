"""A path that people give in the place of an adapter's folder: the adapter is found, or it is said what it is."""

import pytest
import torch
from adapter_folders import write_adapter
from safetensors.torch import save_file

from adapters.catalog import find_adapter, offered_adapters
from adapters.no_adapter import is_no_adapter
from attention.errors import AdapterRefused, AdapterUnavailable, AttentionError, InvalidRequest

BASE = "Qwen/Qwen3-VL-2B-Instruct"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WHERE = "out"


def refusal(path, kind=AttentionError, **options):
    with pytest.raises(kind) as caught:
        find_adapter(str(path), BASE, **options)
    assert str(caught.value).endswith((".", '"')) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS])
def test_one_of_its_files_is_taken_for_the_folder(file, tmp_path):
    folder = write_adapter(tmp_path / "mine")
    found = find_adapter(str(folder / file), BASE)
    assert found.id == str(folder) and found.sha256 == find_adapter(str(folder), BASE).sha256


def test_a_config_may_begin_with_a_byte_order_mark(tmp_path):
    folder = write_adapter(tmp_path / "mine")
    (folder / CONFIG).write_bytes(b"\xef\xbb\xbf" + (folder / CONFIG).read_bytes())
    assert find_adapter(str(folder), BASE).config["r"] == 2


def test_a_folder_of_checkpoints_says_which_is_the_newest(tmp_path):
    for step in (100, 20, 1000):
        write_adapter(tmp_path / "out" / f"checkpoint-{step}")
    (write_adapter(tmp_path / "out" / "checkpoint-2000") / WEIGHTS).unlink()  # not finished
    said = refusal(tmp_path / "out", AdapterUnavailable)
    assert "has 3 checkpoints (checkpoint-20, checkpoint-100, checkpoint-1000)" in said
    newest = said.rpartition("the newest: ")[2].rstrip(".")
    assert newest == f"{tmp_path}/out/checkpoint-1000" and find_adapter(newest, BASE).header


def test_a_folder_of_adapters_and_one_that_lies_deeper_name_what_to_give(tmp_path):
    write_adapter(tmp_path / "one" / "final" / "adapter")
    said = refusal(tmp_path / "one", AdapterUnavailable)
    given = said.rpartition("Give ")[2].rstrip(".")
    assert given == f"{tmp_path}/one/final/adapter" and find_adapter(given, BASE).header
    for name in ("red", "blue"):
        write_adapter(tmp_path / "two" / name)
    assert f"(blue, red). Give one of them, as {tmp_path}/two/blue." in refusal(f"{tmp_path}/two/")


NAMES = {  # of the files of a folder, and what is said of it
    "a whole model": (["config.json", "model.safetensors", "tokenizer.json"], "is a whole model, not an adapter"),
    "one in shards": (["config.json", "model-00001-of-00002.safetensors"], "Give it as the model"),
    "one that is a pickle": (["config.json", "pytorch_model.bin"], "is a whole model"),
    "full fine-tunes": (["checkpoint-5", "checkpoint-5/model.safetensors"], "holds whole models (checkpoint-5)"),
    "without weights": (["config.json", "tokenizer.json"], "without weights"),
    "weights alone": ([WEIGHTS], f"and no {CONFIG}"),
    "pickled weights alone": (["adapter_model.bin"], f"and no {CONFIG}"),
    "llama.cpp": (["q4.gguf"], "llama.cpp"),
    "diffusers": (["pytorch_lora_weights.safetensors"], "makes pictures"),
    "DeepSpeed": (["latest", "global_step50", "global_step50/mp_rank_00_model_states.pt"], "DeepSpeed"),
    "FSDP": (["pytorch_model_fsdp_0", "pytorch_model_fsdp_0/__0_0.distcp"], "FSDP"),
    "a tokenizer": (["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"], "holds a tokenizer"),
    "a trainer's state": (["optimizer.pt", "scheduler.pt", "trainer_state.json"], "no adapter: only what a trainer"),
    "nothing": ([], "is empty"),
    "anything": (["notes.txt"], "it has notes.txt"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_what_is_none_is_called_what_it_is(kind, tmp_path):
    names, words = NAMES[kind]
    said = is_no_adapter(WHERE, names)
    assert said.startswith(WHERE) and words in said and said.endswith(".")
    for name in names:  # a folder of such files says the same
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).mkdir() if any(each.startswith(f"{name}/") for each in names) else (tmp_path / name).touch()
    assert refusal(tmp_path, AdapterUnavailable) == said.replace(WHERE, str(tmp_path), 1)


def test_a_file_that_is_none_of_an_adapter_is_called_what_it_is(tmp_path):
    for name in ("model.safetensors", "config.json", "x.gguf", "notes.txt"):
        (tmp_path / name).touch()
    assert "Give its folder as the model" in refusal(tmp_path / "model.safetensors")
    assert "llama.cpp" in refusal(tmp_path / "x.gguf")
    assert "is a file" in refusal(tmp_path / "notes.txt")


def test_a_pickle_is_refused_with_the_line_that_converts_it(tmp_path):
    folder = write_adapter(tmp_path / "mine")
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    (folder / "optimizer.pt").touch()
    said = refusal(folder, AdapterRefused)
    assert "a pickle (adapter_model.bin)" in said and "torch.load('adapter_model.bin'" in said and WEIGHTS in said


def test_an_adapter_of_mlx_or_of_a_picture_model_is_called_so(tmp_path):
    mlx = write_adapter(tmp_path / "mlx")
    (mlx / WEIGHTS).rename(mlx / "adapters.safetensors")
    assert "MLX" in refusal(mlx)
    drawn = write_adapter(tmp_path / "drawn")
    save_file({"unet.down_blocks.0.attn.to_k.lora_A.weight": torch.ones(2, 8)}, drawn / WEIGHTS)
    assert "makes pictures (unet.down_blocks" in refusal(drawn)


def test_a_server_shows_no_path_of_its_own(tmp_path):
    root = tmp_path / "adapters"
    write_adapter(root / "runs" / "checkpoint-5")
    write_adapter(root)
    (write_adapter(root / "broken") / CONFIG).write_text("{")
    (write_adapter(root / "cut") / WEIGHTS).write_bytes(b"\0" * 20)
    offers, notes = offered_adapters(BASE, root, is_hosted=True, ask_hub=False)
    assert [(offer.id, offer.label) for offer in offers] == [
        (".", "adapters"),
        ("./cut", "cut"),
        ("./runs/checkpoint-5", "runs/checkpoint-5"),
    ]
    assert len(notes) == 1 and str(tmp_path) not in notes[0]
    for text in (".", "./runs/checkpoint-5", str(root / "runs" / "checkpoint-5"), f"./runs/checkpoint-5/{CONFIG}"):
        found = find_adapter(text, BASE, root, is_hosted=True)
        assert str(tmp_path) not in found.id and found.id in [offer.id for offer in offers]
    for text in ("./cut", "./broken"):
        assert str(tmp_path) not in refusal(text, AdapterRefused, adapters_dir=root, is_hosted=True)
    for text in ("./none", "./runs", "..", "./../adapters/../secret"):
        assert "Folders of this server" in refusal(text, InvalidRequest, adapters_dir=root, is_hosted=True)


def test_a_link_out_of_the_servers_folder_is_not_followed_by_a_files_name(tmp_path):
    outside = write_adapter(tmp_path / "outside")
    root = tmp_path / "adapters"
    inside = write_adapter(root / "mine")
    (inside / WEIGHTS).unlink()
    (inside / WEIGHTS).symlink_to(outside / WEIGHTS)
    for text in ("./mine", f"./mine/{CONFIG}", f"./mine/{WEIGHTS}"):
        refusal(text, InvalidRequest, adapters_dir=root, is_hosted=True)

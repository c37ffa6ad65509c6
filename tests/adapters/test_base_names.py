"""Mirrors, caches and quantised copies of a model are that model; another size, another training or version is not."""

import dataclasses

import pytest
from adapter_folders import write_adapter
from made_adapters import changed_adapter, saved_adapter

from adapters.base_modules import base_of
from adapters.base_names import is_base
from adapters.catalog import offered_adapters
from adapters.files import read_folder
from adapters.inspection import inspect_adapter

COMMIT = "cc594898137f460bfe9f0759e9844b3ce807cfb5"
QWEN = "Qwen/Qwen2.5-VL-3B-Instruct"
SAME = [
    (QWEN, QWEN),
    (QWEN, "qwen/qwen2.5-vl-3b-instruct"),
    (QWEN, f"{QWEN}@main"),
    (QWEN, f"{QWEN}@{COMMIT}"),
    (QWEN, "/home/me/.cache/modelscope/hub/models/Qwen/Qwen2___5-VL-3B-Instruct"),
    (QWEN, "/mnt/models/Qwen2___5-VL-3B-Instruct/"),
    (QWEN, "Qwen/Qwen2.5-VL-3B-Instruct-AWQ"),
    (QWEN, "unsloth/Qwen2.5-VL-3B-Instruct-unsloth-bnb-4bit"),
    (QWEN, "unsloth/Qwen2.5-VL-3B-Instruct-bnb-4bit"),
    (QWEN, "unsloth/Qwen2.5-VL-3B-Instruct"),
    (QWEN, "/data/Qwen2.5-VL-3B-Instruct-GPTQ-Int4"),
    (QWEN, "RedHatAI/Qwen2.5-VL-3B-Instruct-quantized.w4a16"),
    (QWEN, "RedHatAI/Qwen2.5-VL-3B-Instruct-FP8-Dynamic"),
    (QWEN, "mlx-community/Qwen2.5-VL-3B-Instruct-8bit"),
    (QWEN, f"/home/me/.cache/huggingface/hub/models--Qwen--Qwen2.5-VL-3B-Instruct/snapshots/{COMMIT}"),
    (QWEN, f"/home/me/.cache/huggingface/hub/models--Qwen--Qwen2.5-VL-3B-Instruct/snapshots/{COMMIT}/"),
    (QWEN, "/models/Qwen2.5-VL-3B-Instruct/snapshots/master"),
    (QWEN, r"C:\models\Qwen2.5-VL-3B-Instruct"),
    (QWEN, r"D:\hub\models--Qwen--Qwen2.5-VL-3B-Instruct\snapshots\abc" + "\\"),
    (QWEN, "./Qwen2_5-VL-3B-Instruct"),
    ("OpenGVLab/InternVL3-8B-hf", "OpenGVLab/InternVL3-8B"),
    ("llava-hf/llava-1.5-7b-hf", "liuhaotian/llava-v1.5-7b"),
    ("pocket", "pocket"),
    ("/home/me/mine", "/home/me/mine/"),
]
OTHER = [
    (QWEN, "Qwen/Qwen2.5-VL-7B-Instruct"),
    (QWEN, "Qwen/Qwen2-VL-3B-Instruct"),
    (QWEN, "/models/Qwen2___5-VL-7B-Instruct"),
    (QWEN, "Qwen/Qwen2.5-3B-Instruct-AWQ"),
    ("Qwen/Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-2B-Thinking"),
    ("Qwen/Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-2B"),
    ("Qwen/Qwen3-VL-2B-Instruct-FP8", "Qwen/Qwen3-VL-4B-Instruct-FP8"),
    ("google/gemma-3-4b-it", "google/gemma-3-4b-pt"),
    ("google/gemma-3-4b-it", "google/gemma-3-12b-it-bnb-4bit"),
    (QWEN, "pocket"),
]
UNKNOWN = [
    (QWEN, None),
    (QWEN, " "),
    (QWEN, 7),
    (QWEN, "/home/me/output/checkpoint-500"),
    (QWEN, "./merged"),
    ("/home/me/mine", QWEN),
    ("/one/checkpoint-500", "/other/checkpoint-500"),
]


@pytest.mark.parametrize(("pairs", "expected"), [(SAME, True), (OTHER, False), (UNKNOWN, None)])
def test_names_are_of_one_model_of_two_or_tell_nothing(pairs, expected):
    assert [pair for pair in pairs if is_base(pair[1], pair[0]) is not expected] == []


def test_list_and_card_know_the_same(tiny_folder, tmp_path):
    mirror = "/home/me/.cache/modelscope/hub/models/Qwen/Qwen2___5-VL-3B-Instruct"
    root = tmp_path / "mine"
    write_adapter(root / "mirror", mirror)
    write_adapter(root / "other", "Qwen/Qwen2.5-VL-7B-Instruct")
    offers, _ = offered_adapters(QWEN, root, ask_hub=False)
    assert [(offer.label, offer.note) for offer in offers] == [
        ("mirror", None),
        ("other", "for Qwen/Qwen2.5-VL-7B-Instruct"),
    ]
    base = dataclasses.replace(base_of(tiny_folder), id=QWEN)
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter")

    def warnings(named):
        folder = changed_adapter(adapter, tmp_path / "named", config={"base_model_name_or_path": named})
        return inspect_adapter(read_folder(folder), base).warnings

    assert warnings(mirror) == ()
    assert "It says that it was trained on Qwen/Qwen2.5-VL-7B-Instruct" in warnings("Qwen/Qwen2.5-VL-7B-Instruct")[0]

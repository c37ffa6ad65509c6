"""Whole models beside the base: equal ones are exactly equal, a merged adapter is its adapter, what reads otherwise is
refused by name before it is loaded, and adapters and models are taken for what they are."""

import json
import shutil

import numpy as np
import pytest
import torch
from made_adapters import base_model, saved_adapter
from peft import PeftModel
from pictures import noise

from adapters.choosing import AdapterChoice, choose_members
from adapters.comparing import choice_from_job, choice_to_job, compare
from attention.comparisons.check import check_comparison
from attention.comparisons.names import member_names
from attention.comparisons.other_models import ModelChoice
from attention.errors import InvalidRequest, ModelUnavailable
from attention.measures.differences import NAMES
from attention.models import loading
from attention.request import Request

PROMPT = "what color is the star?"
PICTURE = noise((128, 96))


@pytest.fixture(scope="module")
def adapter(tiny_folder, tmp_path_factory):
    return saved_adapter(tiny_folder, tmp_path_factory.mktemp("adapters") / "gui", size=0.5)


@pytest.fixture(scope="module")
def merged(tiny_folder, adapter, tmp_path_factory):
    """The model with the adapter in its weights, as a person saves it."""
    folder = tmp_path_factory.mktemp("models") / "merged"
    shutil.copytree(tiny_folder, folder)
    PeftModel.from_pretrained(base_model(tiny_folder), adapter).merge_and_unload().save_pretrained(folder)
    return folder


def run(folder, tiny_folder, others, words="base", **fields):
    fields = {"answer": "red star"} | fields if "mode" not in fields else fields
    request = Request(PICTURE, PROMPT, str(tiny_folder), device="cpu", **fields)
    return compare(request, choose_members(others, str(tiny_folder)), folder, words)


def test_a_merged_adapter_reads_as_the_adapter_and_an_equal_copy_exactly_as_the_base(
    tiny_folder, adapter, merged, tmp_path
):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    with run(tmp_path / "all", tiny_folder, [str(adapter), str(merged), str(copy)]) as found:
        assert [member["folder"] for member in found.info["members"]] == ["base", "adapter_1", "model_2", "model_3"]
        assert list(member_names(found.info["members"]).values()) == ["base", "gui", "merged", "copy"]
        check_comparison(found)
        for tower in found.base.towers():
            for name in NAMES:
                of_adapter, of_merged, of_copy = np.nan_to_num(found.table(name, tower))
                assert not of_copy.any(), (tower, name)
                if name != "peak_shift":  # of two cells that are read alike either may be the highest
                    assert np.allclose(of_merged, of_adapter, atol=2e-4), (tower, name)
        assert found.change("js_row", 1).max() > 0.001
        base, of_adapter, of_merged, of_copy = found.logprobs()
        assert np.array_equal(base, of_copy) and np.allclose(of_adapter, of_merged, atol=1e-3)
        assert found.info["members"][2]["model"]["id"] == str(merged)
        assert found.run("model_2").info["model"]["id"] == str(merged)


def test_the_base_in_another_number_format_is_a_member_of_its_own(tiny_folder, tmp_path):
    with run(tmp_path / "both", tiny_folder, [f"{tiny_folder}=bfloat16"]) as both:
        (_, other) = both.info["members"]
        assert other["name"].endswith(" bfloat16") and other["model"]["dtype"] == "bfloat16"
        moved = both.change("tv_row", 0)
        assert 0 < moved.max() < 0.3


def test_words_may_be_another_models_and_each_reads_its_own(tiny_folder, merged, tmp_path):
    with run(tmp_path / "its", tiny_folder, [str(merged)], 1, mode="generate", max_new_tokens=4) as found:
        base, other = found.info["members"]
        assert {each.info["answer"] for each in found.runs.values()} == {other["answer"]}
        assert found.base.info["forced"] and not found.run("model_1").info["forced"]
    with run(tmp_path / "own", tiny_folder, [str(merged)], "own", mode="generate", max_new_tokens=4) as found:
        assert [each.info["answer"] for each in found.runs.values()] == [m["answer"] for m in found.info["members"]]
        assert [base["answer"], other["answer"]] == [m["answer"] for m in found.info["members"]]


def test_models_that_read_otherwise_are_refused_by_what_differs_before_a_weight_is_loaded(
    tiny_folder, tmp_path, monkeypatch
):
    def never(*_, **__):
        raise AssertionError("a model was loaded")

    words = shutil.copytree(tiny_folder, tmp_path / "words")
    template = words / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    template.write_text(text.replace("<|im_start|>", "<|im_end|>", 1), encoding="utf-8")
    cells = shutil.copytree(tiny_folder, tmp_path / "cells")
    config = json.loads((cells / "preprocessor_config.json").read_text(encoding="utf-8"))
    config["size"] = {"shortest_edge": 4096, "longest_edge": 16384}
    (cells / "preprocessor_config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.setattr(loading, "load", never)
    for folder, said in (
        (words, "token 0 is"), (cells, "reads the same words and pictures otherwise"),
    ):  # fmt: skip
        with pytest.raises(InvalidRequest, match=said):
            run(tmp_path / "none", tiny_folder, [str(folder)])
        assert not (tmp_path / "none").exists() and not (tmp_path / "none.partial").exists()


def test_adapters_and_models_are_taken_for_what_they_are(tiny_folder, adapter, merged, tmp_path, monkeypatch):
    kinds = choose_members([{"model": str(adapter)}, str(merged), {"id": str(merged)}], str(tiny_folder))
    assert [type(each) for each in kinds] == [AdapterChoice, ModelChoice, ModelChoice]
    monkeypatch.chdir(merged.parent)
    (choice,) = choose_members([{"model": "merged"}], str(tiny_folder))
    assert choice == ModelChoice("merged") and choice_from_job(choice_to_job(choice)) == choice
    for asked, error, said in (
        (f"{merged}=0.5", InvalidRequest, "has no strength: leave =0.5 out"),
        ({"model": str(merged), "dtype": "int4"}, InvalidRequest, "number format is 'int4'"),
        ({"model": str(tmp_path)}, ModelUnavailable, "no config.json"),
    ):
        with pytest.raises(error, match=said):
            choose_members([asked], str(tiny_folder))
    with pytest.raises(InvalidRequest, match="is not offered here"):
        choose_members([str(merged)], str(tiny_folder), offered=["pocket"])
    with pytest.raises(ModelUnavailable, match=r"the model that it was trained on.*as the model"):
        loading.load(str(adapter), "cpu")
    with pytest.raises(InvalidRequest, match="named twice"):
        run(tmp_path / "none", tiny_folder, [str(merged), str(merged)])


def test_a_model_is_loaded_once_each_and_the_base_is_as_it_was(tiny_folder, merged, tmp_path):
    with run(tmp_path / "both", tiny_folder, [str(merged)]) as both:
        first = both.base.row(1, both.base.keys() - 1)
    with run(tmp_path / "again", tiny_folder, [str(merged)]) as both:
        assert np.array_equal(first, both.base.row(1, both.base.keys() - 1))
    assert torch.is_grad_enabled()

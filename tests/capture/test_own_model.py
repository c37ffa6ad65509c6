"""`extract` from Python: a model and a processor of one's own, a folder that need not be named, and what is refused."""

from dataclasses import replace

import pytest
from PIL import Image
from transformers import AutoModelForImageTextToText

from attention import Request, extract
from attention.errors import InvalidRequest, UnsupportedModel
from attention.models import loading


@pytest.fixture(scope="module")
def own(tiny_folder):
    """A model that says nothing of where it came from, and its processor."""
    model = AutoModelForImageTextToText.from_pretrained(tiny_folder)
    processor = loading.wrap(model).processor
    model.config._name_or_path = ""
    return model, processor


@pytest.fixture
def request_():
    """A picture, a question and an answer."""
    return Request(Image.effect_noise((96, 64), 90).convert("RGB"), "what color is the star?", answer="red")


def test_a_model_with_its_processor_needs_no_path(own, request_, tmp_path, tiny_folder):
    with pytest.raises(UnsupportedModel, match=r"give its processor too: model=\(model, processor\)"):
        extract(request_, tmp_path / "alone", model=own[0])
    with extract(request_, tmp_path / "run", model=own) as run:
        assert run.info["model"]["id"] == "Qwen3VLForConditionalGeneration" and run.info["model"]["revision"] is None
        assert run.info["answer"] == "red" and run.map(1, 0, run.find("red")[0] - 1).size
        tokens = run.info["tokens"]
    with extract(replace(request_, model=tiny_folder, device="cpu"), tmp_path / "loaded") as run:
        assert run.info["tokens"] == tokens


def test_a_run_without_a_folder_lies_in_the_library_of_the_app(own, request_, tmp_path, monkeypatch):
    monkeypatch.setattr("attention.environment.user_cache_folder", lambda: tmp_path)
    with extract(request_, model=own) as run:
        assert run.folder.parent == tmp_path / "runs" and (run.folder / "run.json").is_file()
    with extract(request_, output_dir=tmp_path / "named", model=own) as run:
        assert run.folder == tmp_path / "named"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"request": {"text": "what is it?"}}, "of type dict; .* A processor's inputs have input_ids"),
        ({"answer": "red"}, "answer is a field of the Request: give it there"),
        ({"request": "what is it?", "anwser": "red"}, "A request has no field 'anwser'; it has adapter, .*answer"),
        ({"request": "what is it?", "prompt": "this?"}, "The prompt was given twice"),
        ({"request": [], "system": "be brief"}, "system was given beside a chat"),
        ({"request": "what is it?", "messages": []}, "messages= goes with prepared inputs"),
        ({"processor": 5}, "A processor was given twice"),
        ({"request": None}, "The first argument is of type NoneType"),
        ({"folder": 5}, "The folder is of type int; it must be a path"),
        ({"model": "pocket"}, r"The model is of type str; .* named in the request: Request\(model=\.\.\.\)"),
        ({"model": "swapped"}, r"The model is of type \w*Processor; .* a pair \(model, processor\)"),
        ({"model": "no processor"}, "The processor is of type int and has no tokenizer"),
    ],
)
def test_what_is_of_another_type_is_refused_by_its_type(own, request_, tmp_path, change, words):
    other = {"swapped": own[::-1], "no processor": (own[0], 5)}
    given = {"request": request_, "folder": tmp_path / "run", "model": own, **change}
    if isinstance(given.get("model"), str):
        given["model"] = other.get(given["model"], given["model"])
    with pytest.raises(InvalidRequest, match=words):
        extract(given.pop("request"), **given)
    assert not list(tmp_path.iterdir())

"""Descriptions in /gradio_api/info: names and their order as they always were, words and types of all endpoints."""

import pytest

import app
from attention.page.whole import build
from attention.visitors.store import RunCache

REQUEST = (
    "model model_type mode max_new_tokens answer system messages vision max_visual_tokens dtype adapter adapter_scale "
    "adapter_rename adapter_alone pan_and_scan coordinates videos fps max_frames"
)
PARAMETERS = {
    "/models": "",
    "/adapters": "model",
    "/inspect": "adapter model rename alone",
    "/layers": "model",
    "/runs": "",
    "/compare_runs": "tickets names",
    "/analyze": f"images prompt {REQUEST}",
    "/compare": "images prompt adapters words model model_type mode max_new_tokens answer system messages vision "
    "max_visual_tokens dtype pan_and_scan coordinates videos fps max_frames "
    "floors paraphrases parts",
    "/open": "file",
    "/heatmap": "ticket tower layer head query grid member reading",
    "/export": "ticket format tower layer head query key grid until received look scale caption member left right show "
    "split difference_high tokens layers heads megabytes box point image label right_layer right_head "
    "right_high reading without_readings",
    "/region": "ticket box point answer image query until tower member by top coordinates",
    "/reading": "ticket kind tokens against towers prompt rows blocks paint sides member",
    "/try": "ticket box point answer image heads top_heads paint silence coordinates seed",
}


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    """The endpoints as a client is told of them."""
    service = app.new_service(
        RunCache(tmp_path_factory.mktemp("runs"), library=True, sweep_every=None), is_hosted=False, model="pocket"
    )
    endpoints = build(service, {}, {}).get_api_info()["named_endpoints"]
    service.close()
    return endpoints


def test_every_endpoint_takes_what_it_always_took_in_the_same_order(info):
    taken = {name: " ".join(each["parameter_name"] for each in found["parameters"]) for name, found in info.items()}
    assert taken == PARAMETERS


def test_every_endpoint_and_every_parameter_has_words_and_a_type(info):
    for name, found in info.items():
        assert found["description"], name
        for each in (*found["parameters"], *found["returns"]):
            assert each["python_type"]["description"], (name, each["label"])
            assert each["python_type"]["type"] not in ("Any", "str | float | bool | list | dict"), (name, each["label"])


def test_words_are_those_of_a_client_and_name_no_flag(info):
    for name, found in info.items():
        said = [found["description"], *(each["python_type"]["description"] for each in found["parameters"])]
        assert not [words for words in said if "--" in words], name
    images = info["/analyze"]["parameters"][0]
    assert images["label"] == "images" and "handle_file" in images["python_type"]["description"]
    assert images["python_type"]["type"] == "list[filepath] | filepath"


def test_choices_and_results_are_told_by_their_types(info):
    types = {each["parameter_name"]: each["python_type"]["type"] for each in info["/analyze"]["parameters"]}
    assert types["mode"] == "Literal['prefill', 'generate']" and types["max_new_tokens"] == "int"
    assert info["/models"]["returns"][0]["python_type"]["type"].startswith("list[dict(id: str, ")
    assert "ticket: str" in info["/analyze"]["returns"][0]["python_type"]["type"]

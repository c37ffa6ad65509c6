"""Adapters and comparisons as scripts and the command line use them."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from made_adapters import changed_adapter, saved_adapter
from PIL import Image
from served import nothing_is_left, seconds_until, served

from adapters import open_comparison
from attention.commands import main as command_line
from attention.exports.export import export
from attention.page.results import Adapter, Adapters, Card, Compared
from attention.runs.run import open_run

pytestmark = pytest.mark.slow

PROMPT = "what color is the star?"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(place):
    with served(place, adapters_dir=place / "adapters") as (service, address):
        for seed, name in enumerate(("first", "series/checkpoint-10", "series/checkpoint-2")):
            saved_adapter(place / "model", place / "adapters" / name, seed)
        changed_adapter(
            place / "adapters" / "first", place / "broken",
            rename=lambda key: key.replace("self_attn", "attention"),
        )  # fmt: skip
        yield service, address


@pytest.fixture(scope="module")
def half(server, place):
    """An adapter whose other half is a pickle beside it."""
    folder = changed_adapter(place / "adapters" / "first", place / "half")
    torch.save({"model.visual.merger.norm.weight": torch.ones(32)}, folder / "non_lora_state_dict.bin")
    return str(folder)


@pytest.fixture(scope="module")
def client(server):
    client = Client(server[1], verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def picture(place):
    path = place / "picture.png"
    Image.effect_noise((200, 136), 90).convert("RGB").save(path)
    return str(path)


@pytest.fixture
def first(place):
    return str(place / "adapters" / "first")


@pytest.fixture
def fields(picture):
    return {"images": handle_file(picture), "prompt": PROMPT, "answer": "red star"}


def test_the_other_half_of_an_adapter_is_not_passed_over(client, half, fields, first):
    with pytest.raises(Exception, match="only a part of what was trained: non_lora_state_dict"):
        client.predict(half, api_name="/inspect")
    assert "left out" in client.predict(half, alone=True, api_name="/inspect")["notes"][0]
    with pytest.raises(Exception, match=r"only a part of what was trained.*adapter_alone=True"):
        client.predict(**fields, adapter=half, api_name="/analyze")
    run = client.predict(**fields, adapter=half, adapter_alone=True, api_name="/analyze")["run"]
    assert run["adapter"]["without"] == ["non_lora_state_dict.bin"]
    assert any("not the whole fine-tune" in note for note in run["notes"])
    with pytest.raises(Exception, match="only a part of what was trained"):
        client.predict(**fields, adapters=[first, half], api_name="/compare")
    done = client.predict(**fields, adapters=[first, {"id": half, "alone": True}], api_name="/compare")
    members = [member["adapter"] for member in done["comparison"]["members"][1:]]
    assert "without" not in members[0] and members[1]["without"] == ["non_lora_state_dict.bin"]
    opened = client.predict(
        handle_file(client.predict(done["ticket"], format="zip", api_name="/export")), api_name="/open"
    )
    assert opened["comparison"]["members"][2]["adapter"] == members[1]


def test_adapters_are_listed_with_series_in_order(client, place):
    found = client.predict(api_name="/adapters")
    assert found.keys() == Adapters.__annotations__.keys()
    assert found["adapters"][0].keys() == Adapter.__annotations__.keys()
    assert [(each["label"], each["step"]) for each in found["adapters"]] == [
        ("first", None), ("series/checkpoint-2", 2), ("series/checkpoint-10", 10),
    ]  # fmt: skip
    assert found["adapters"][0]["id"] == str(place / "adapters" / "first")


def test_an_adapter_is_inspected_or_refused_in_words(client, first, place):
    card = client.predict(first, api_name="/inspect")
    assert Card.__annotations__.keys() < card.keys()
    assert card["rank"] == [4, 4] and card["towers"] == {"language": 6}
    with pytest.raises(Exception, match="another kind"):
        client.predict(str(place / "broken"), api_name="/inspect")


def test_analyze_with_an_adapter_is_the_adapted_model(client, first, fields, server):
    base = client.predict(**fields, api_name="/analyze")
    found = client.predict(**fields, adapter=first, adapter_scale=0.5, api_name="/analyze")
    assert found["run"]["adapter"]["id"] == first and found["run"]["adapter"]["scale"] == 0.5
    assert found["run"]["logprobs"] != base["run"]["logprobs"]
    again = client.predict(**fields, api_name="/analyze")
    assert again["run"]["logprobs"] == base["run"]["logprobs"]


def test_compare_returns_a_comparison_and_its_routes_serve_it(client, first, fields, server):
    _, address = server
    done = client.predict(**fields, adapters=[first, f"{first}=0.5"], api_name="/compare")
    assert done.keys() == Compared.__annotations__.keys()
    comparison = open_comparison(done["folder"])
    assert done["comparison"] == comparison.info
    assert [run.info["adapter"] is None for run in comparison.runs.values()] == [True, False, False]
    base = f"{address}gradio_api/attention/{done['ticket']}"
    assert httpx.get(f"{base}/comparison.json").json() == comparison.info
    for member, run in comparison.runs.items():
        assert httpx.get(f"{base}/{member}/run.json").json()["id"] == run.info["id"]
        row = httpx.get(f"{base}/{member}/row?layer=1&query=5&source=factors")
        assert np.array_equal(np.frombuffer(row.content, "<f4").reshape(4, -1), run.row(1, 5, source="factors"))
        assert httpx.get(f"{base}/{member}/preview/0").headers["content-type"] == "image/jpeg"
    for query, wanted in (("", "mean"), ("&query=100", 100)):
        change = httpx.get(f"{base}/change?measure=js_row&adapter=1{query}")
        assert np.array_equal(
            np.frombuffer(change.content, "<f4").reshape(3, 4), comparison.change("js_row", 1, wanted)
        )
    table = httpx.get(f"{base}/changes.csv")
    assert table.text == comparison.csv() and "attachment" in table.headers["content-disposition"]
    logprobs = httpx.get(f"{base}/logprobs")
    assert np.array_equal(np.frombuffer(logprobs.content, "<f4").reshape(3, -1), comparison.logprobs())
    for path, status in (
        ("row?layer=1&query=5", 404), ("base/change?measure=js_row", 404), ("nobody/run.json", 404), ("change", 400),
        ("change?measure=x", 404), ("change?measure=js_row&adapter=7", 404),
    ):  # fmt: skip
        answer = httpx.get(f"{base}/{path}")
        assert answer.status_code == status and answer.json()["error"], path
    listed = next(row for row in client.predict(api_name="/runs") if row["ticket"] == done["ticket"])
    assert (listed["kind"], listed["prompt"], listed["answer"]) == ("comparison", PROMPT, "red star")
    with pytest.raises(Exception, match="This is a comparison"):
        client.predict(done["ticket"], api_name="/heatmap")
    run = comparison.run("adapter_2")
    _, values = client.predict(done["ticket"], layer=1, head=2, member="adapter_2", api_name="/heatmap")
    assert np.allclose(values, run.map(1, 2, run.info["prompt_tokens"] - 1), atol=1e-6)
    with pytest.raises(Exception, match="adapter_9"):
        client.predict(done["ticket"], member="adapter_9", api_name="/heatmap")


def test_a_comparison_goes_away_as_a_zip_and_comes_back(client, first, fields):
    beside = {"floors": ["dtype"], "paraphrases": ["the star has what color?"], "parts": True}
    done = client.predict(**fields, adapters=first, **beside, api_name="/compare")
    assert [each["kind"] for each in done["comparison"]["floors"]] == ["paraphrase", "dtype"]
    path = client.predict(done["ticket"], format="zip", api_name="/export")
    again = client.predict(handle_file(path), api_name="/open")
    assert again["ticket"] != done["ticket"] and again["comparison"] == done["comparison"]
    table = client.predict(done["ticket"], format="csv", api_name="/export")
    with open_comparison(again["folder"]) as comparison:
        assert comparison.floor("dtype", "tv_row").max() > 0 and comparison.parts() == ["adapter_1"]
        assert Path(table).read_text(encoding="utf-8") == comparison.csv()
    alone = client.predict(done["ticket"], format="zip", member="base", api_name="/export")
    assert client.predict(handle_file(alone), api_name="/open")["run"]["answer"] == "red star"
    with pytest.raises(Exception, match="one of its runs"):
        client.predict(done["ticket"], format="npz", api_name="/export")
    with pytest.raises(Exception, match="no noise floor 'size'"):
        client.predict(**fields, adapters=first, floors=["size"], api_name="/compare")


def test_two_members_maps_are_drawn_as_from_the_folder(client, first, fields, tmp_path):
    done = client.predict(**fields, adapters=first, api_name="/compare")
    wanted = {
        "layer": 1,
        "head": 0,
        "show": ["right", "wipe", "difference"],
        "split": 0.3,
        "difference_high": "largest",
    }
    path = client.predict(done["ticket"], format="svg", look={"palette": "magma"}, **wanted, api_name="/export")
    with open_comparison(done["folder"]) as comparison:
        own = export(comparison, "svg", tmp_path / "a.svg", look={"palette": "magma"}, **wanted)
    assert Path(path).read_bytes() == own.read_bytes()
    whole = client.predict(done["ticket"], format="png", right="adapter_1", difference_high=0.5, api_name="/export")
    with Image.open(whole) as picture:
        assert json.loads(picture.text["attention"])["difference_high"] == 0.5
    for wrong, words in (
        ({"format": "png", "right": "adapter_2"}, "no 'adapter_2' in this comparison"),
        ({"format": "png", "show": "all"}, "no 'all' to show"),
        ({"format": "png", "member": "base", "show": "wipe"}, "show is of a comparison, and this is one run"),
    ):
        with pytest.raises(Exception, match=words):
            client.predict(done["ticket"], **wrong, api_name="/export")


def test_what_cannot_be_compared_is_said_and_nothing_is_left(client, first, fields, place, server):
    for wrong, words in (
        ({"adapters": []}, "needs an adapter"),
        ({"adapters": ["nobody"]}, "no adapter 'nobody'"),
        ({"adapters": [str(place / "broken")]}, "another kind"),
        ({"adapters": [f"{first}=9"]}, "0 to 1.5"),
        ({"adapters": [first], "words": 5}, "1 to 1"),
        ({"adapters": [first] * 13}, "12 at most"),
    ):
        with pytest.raises(Exception, match=words):
            client.predict(**fields, **wrong, api_name="/compare")
    seconds_until(lambda: nothing_is_left(server[0]))


def test_a_server_for_strangers_reads_no_folder(tmp_path, fields, first):
    with served(tmp_path, is_hosted=True) as (_, address):
        client = Client(address, verbose=False)
        with pytest.raises(Exception, match="Folders of this server"):
            client.predict(first, "pocket", api_name="/inspect")
        client.close()


# The command line


@pytest.fixture
def command(capsys, place, server, picture):
    def run(*arguments):
        code = command_line.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def test_the_command_line_compares(command, place, picture, first, tmp_path):
    flags = ["--image", picture, "--prompt", PROMPT, "--answer", "red", "--model", place / "model", "--device", "cpu"]
    code, out, err = command("compare", *flags, "--adapter", f"{first}=0.5", "--output-dir", tmp_path / "c")
    assert code == 0 and out.strip() == str(tmp_path / "c"), err
    assert "2 runs" in err and "Jensen-Shannon" in err
    with open_comparison(tmp_path / "c") as comparison:
        assert comparison.info["members"][1]["adapter"]["scale"] == 0.5
    code, _, err = command("compare", *flags, "--adapter", place / "broken", "--output-dir", tmp_path / "d")
    assert code == 1 and "another kind" in err and not (tmp_path / "d").exists()
    code, out, err = command("extract", *flags, "--adapter", first, "--output-dir", tmp_path / "r")
    assert code == 0, err
    with open_run(tmp_path / "r") as run:
        assert run.info["adapter"]["id"] == first


def test_the_command_line_confirms_that_the_other_half_is_left_out(command, place, picture, half, tmp_path):
    flags = ["--image", picture, "--prompt", PROMPT, "--model", place / "model", "--device", "cpu", "--adapter", half]
    for name in ("extract", "compare"):
        code, _, err = command(name, *flags, "--output-dir", tmp_path / name)
        assert code == 1 and "(--adapter-alone)" in err and not (tmp_path / name).exists()
        code, _, err = command(name, *flags, "--output-dir", tmp_path / name, "--adapter-alone")
        assert code == 0 and "not the whole fine-tune" in err
    code, _, err = command("inspect", half, "--model", place / "model")
    assert code == 1 and "safetensors.torch" in err
    code, out, _ = command("inspect", half, "--model", place / "model", "--adapter-alone")
    assert code == 0 and "left out" in out


def test_the_command_line_inspects(command, place, first):
    code, out, err = command("inspect", first, "--model", place / "model")
    assert code == 0 and "rank 4" in out and "language 6" in out, err
    code, out, _ = command("inspect", first, "--model", place / "model", "--weights", "--json")
    card = json.loads(out)
    assert code == 0 and len(card["changes"]) == 6 and all(each["frobenius"] > 0 for each in card["changes"])
    code, out, err = command("inspect", place / "broken", "--model", place / "model")
    assert code == 1 and not out and "another kind" in err


def test_the_command_line_lists(command, place):
    code, out, _ = command("adapters", "--model", place / "model", "--adapters", place / "adapters")
    assert code == 0 and [line.split()[0].rpartition("/")[2] for line in out.splitlines()] == [
        "first", "checkpoint-2", "checkpoint-10",
    ]  # fmt: skip


def test_the_command_line_verifies_with_an_adapter(command, place, first):
    code, out, err = command("verify", "--model", place / "model", "--adapter", f"{first}=0.5", "--device", "cpu")
    assert code == 0, out + err
    assert "adapter off: logits of the base" in out and "checks passed" in out

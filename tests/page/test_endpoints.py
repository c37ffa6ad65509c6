"""The endpoints for scripts, through a running app and the Gradio Python client; and how a job ends."""

import base64
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pictures import SIZE, noise, write_bad, write_odd
from PIL import Image
from served import cancel, hold_at, nothing_is_left, seconds_until, served

import app
from adapters import open_comparison
from attention.capture import extraction
from attention.errors import InvalidRequest
from attention.exports.export import export
from attention.models.kept import free, kept
from attention.page.explore import inputs_of
from attention.page.inputs import VISION
from attention.page.manifests import manifest
from attention.page.results import Analyzed, KeptRun, Measured, Model, ModelShape, TowerShape
from attention.request import Request
from attention.runs.run import open_run
from attention.visitors.store import RunCache
from attention.visitors.zero_gpu import LEAST_S

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GRADIO_FOLDER = Path(os.environ["GRADIO_TEMP_DIR"])
PROMPT = "click Save"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with served(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def service(running):
    return running[0]


@pytest.fixture(scope="module")
def address(running):
    return running[1]


@pytest.fixture(scope="module")
def client(address):
    client = Client(address, verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    noise().save(path)
    return path


@pytest.fixture(scope="module")
def result(client, picture):
    return client.predict(images=handle_file(picture), prompt=PROMPT, answer="red", api_name="/analyze")


# What there is


def test_the_endpoints_are_the_documented_ones_and_have_docstrings(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/models", "/adapters", "/layers", "/inspect", "/analyze", "/compare", "/compare_runs", "/open", "/runs",
        "/heatmap", "/region", "/try", "/reading", "/export",
    }  # fmt: skip
    assert all(endpoint["description"] for endpoint in endpoints.values())


def test_analyze_takes_every_field_of_a_request_but_the_device(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    taken = {
        parameter["parameter_name"]: parameter["parameter_default"] for parameter in endpoints["/analyze"]["parameters"]
    }
    fields = {field.name: field.default for field in dataclasses.fields(Request) if field.name != "device"}
    assert set(taken) == set(fields)
    for name in set(fields) - {"images", "videos", "prompt"}:
        assert taken[name] == fields[name], name


def test_models_and_layers_answer_without_loading_anything(client, service):
    free()
    offered = client.predict(api_name="/models")
    assert offered[0]["id"] == service.default_model() and offered[0].keys() == Model.__annotations__.keys()
    assert "pocket" in [model["id"] for model in offered]
    described = client.predict(api_name="/layers")
    towers = described["towers"]
    assert described.keys() | {"unread_towers"} == ModelShape.__annotations__.keys()  # which few models have
    assert towers["vision"].keys() | {"unmerged_layers"} == TowerShape.__annotations__.keys()  # likewise
    assert (towers["language"]["layers"], towers["language"]["heads"], towers["language"]["kv_heads"]) == (3, 4, 2)
    assert towers["vision"]["layers"] == 2
    assert kept() is None


def test_a_path_that_was_not_sent_is_answered_in_words(client):
    for images in ("/nope.png", ["/nope.png"], "https://example.org/a.png"):
        with pytest.raises(AppError, match=r"a string: send the file itself, with gradio_client.handle_file\(\.\.\.\)"):
            client.predict(images=images, prompt=PROMPT, api_name="/analyze")


# From a picture to numbers


def test_analyze_returns_the_run_and_its_ticket(result, address):
    run = open_run(result["folder"])
    assert result["id"] == run.info["id"] and result.keys() == Analyzed.__annotations__.keys()
    assert result["run"] == run.info
    assert result["answer"] == "red"
    assert run.info["forced"]
    row = httpx.get(f"{address}gradio_api/attention/{result['ticket']}/row?layer=1&query=5&source=factors")
    expected = run.row(1, 5, source="factors")
    assert np.array_equal(np.frombuffer(row.content, "<f4").reshape(expected.shape), expected)
    run.close()


def test_the_command_lines_defaults_hold_for_scripts(client, picture):
    result = client.predict(images=handle_file(picture), prompt=PROMPT, api_name="/analyze")
    assert result["run"]["mode"] == "prefill"
    assert result["answer"] == ""
    assert set(result["run"]["towers"]) == {"language", "vision"}


def test_several_pictures_and_a_chat(client, picture):
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is this?"}]},
        {"role": "assistant", "content": "noise"},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "and <b>this</b> ${1+1} {{x}}?"}]},
    ]
    result = client.predict(images=[handle_file(picture)] * 2, messages=messages, api_name="/analyze")
    assert len(result["run"]["images"]) == 2
    assert result["run"]["prompt"] == "and <b>this</b> ${1+1} {{x}}?"
    together = client.predict(images=[handle_file(picture)] * 2, prompt=PROMPT, vision=False, api_name="/analyze")
    assert len(together["run"]["images"]) == 2
    assert set(together["run"]["towers"]) == {"language"}


def test_heatmap_is_as_large_as_the_picture_and_its_values_are_the_runs(client, result):
    png, values = client.predict(ticket=result["ticket"], layer=2, head=1, query=20, api_name="/heatmap")
    run = open_run(result["folder"])
    assert Image.open(png).size == SIZE
    assert np.allclose(values, run.map(2, 1, 20), atol=1e-7)
    run.close()
    png, values = client.predict(ticket=result["ticket"], api_name="/heatmap")
    assert np.isfinite(values).all()


def test_export_gives_a_file(client, result):
    path = client.predict(ticket=result["ticket"], format="npz", layer=1, head=0, query=10, api_name="/export")
    arrays = np.load(path)
    assert arrays.files
    archive = client.predict(ticket=result["ticket"], format="bin", api_name="/export")
    assert archive.endswith(".zip")


def test_export_draws_a_view_as_it_is_asked_to_look(client, result, tmp_path):
    view = {"ticket": result["ticket"], "layer": 1, "head": 0, "query": 10, "until": 12}
    look = {"palette": "magma", "sinks": "raw", "smooth": True}
    path = client.predict(**view, format="png", look=look, scale=3, caption=True, api_name="/export")
    with Image.open(path) as image:
        about = json.loads(image.text["attention"])
        assert image.width == 3 * SIZE[0] and image.height > 3 * SIZE[1]
    assert about | look == about and about["until"] == 12
    path = client.predict(**view, format="svg", look=look, api_name="/export")
    assert "mean of rows 10 to 12" in Path(path).read_text(encoding="utf-8")
    path = client.predict(**view, format="card", look=look, api_name="/export")
    with open_run(result["folder"]) as run:
        where = {name: value for name, value in view.items() if name != "ticket"}
        card = export(run, "card", tmp_path / "card.png", look=look, **where)
    assert Path(path).name == "run.card.png" and Path(path).read_bytes() == card.read_bytes()
    for wrong, words in ((["magma"], "settings by their names"), ({"palette": "jet"}, "must be one of cividis")):
        with pytest.raises(AppError, match=words):
            client.predict(**view, format="svg", look=wrong, api_name="/export")


def test_curl_can_do_it_too(address, client, picture):
    uploaded = httpx.post(f"{address}gradio_api/upload", files={"files": picture.read_bytes()}).json()[0]
    file = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
    call = httpx.post(f"{address}gradio_api/call/v2/analyze", json={"images": file, "prompt": PROMPT}).json()
    with httpx.stream("GET", f"{address}gradio_api/call/analyze/{call['event_id']}", timeout=60) as answer:
        text = answer.read().decode()
    assert "event: complete" in text
    assert '"ticket":' in text


# Runs that are there already


@pytest.fixture(scope="module")
def archive(client, result):
    """A run's zip, as the app gives it."""
    return client.predict(ticket=result["ticket"], format="zip", api_name="/export")


def without(archive, path, name):
    """The same zip without the files of this name."""
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(path, "w") as part:
        for entry in whole.infolist():
            if not entry.filename.endswith(name):
                part.writestr(entry, whole.read(entry))
    return path


def test_a_runs_zip_opens_as_the_run_it_was(client, archive, result, address):
    opened = client.predict(file=handle_file(archive), api_name="/open")
    assert opened["ticket"] != result["ticket"]
    assert {**opened, "ticket": None, "folder": None} == {**result, "ticket": None, "folder": None}
    asked = "row?layer=1&query=5&source=factors"
    rows = [httpx.get(f"{address}gradio_api/attention/{run['ticket']}/{asked}") for run in (opened, result)]
    assert rows[0].content == rows[1].content and rows[0].status_code == 200
    assert np.load(client.predict(ticket=opened["ticket"], format="npz", layer=0, head=0, api_name="/export")).files


def test_finished_runs_are_set_beside_each_other_by_their_tickets(client, archive, result):
    opened = client.predict(file=handle_file(archive), api_name="/open")
    tickets = [result["ticket"], opened["ticket"]]
    both = client.predict(tickets=tickets, names=["then", "now"], api_name="/compare_runs")
    assert [member["name"] for member in both["comparison"]["members"]] == ["then", "now"]
    with open_comparison(both["folder"]) as comparison:
        assert not comparison.table("js_row").any()
    for wrong, said in (
        (tickets[:1], "two runs at least"),
        ("one", "must be a list"),
        (["none", "of these"], "expired|no longer|not"),
    ):
        with pytest.raises(AppError, match=said):
            client.predict(tickets=wrong, api_name="/compare_runs")


def test_the_runs_kept_are_listed_newest_first_and_each_can_be_asked_for(client, archive):
    tickets = [client.predict(file=handle_file(archive), api_name="/open")["ticket"] for _ in range(2)]
    rows = client.predict(api_name="/runs")
    assert [row["created"] for row in rows] == sorted((row["created"] for row in rows), reverse=True)
    assert {*tickets} < {row["ticket"] for row in rows}
    row = next(row for row in rows if row["ticket"] == tickets[0])
    assert row.keys() == KeptRun.__annotations__.keys()
    run = open_run(client.predict(file=handle_file(archive), api_name="/open")["folder"])
    assert row == {
        "ticket": tickets[0], "kind": "run", "id": run.info["id"], "created": run.info["created"],
        "model": run.info["model"]["id"],
        "prompt": PROMPT, "answer": "red", "tokens": len(run.info["tokens"]), "bytes": run.info["bytes"],
        "error": None,
    }  # fmt: skip
    run.close()


def test_what_is_no_sound_run_is_refused_in_words_and_leaves_nothing(client, service, archive, tmp_path, monkeypatch):
    (tmp_path / "words.zip").write_text("no zip at all")
    (tmp_path / "cut.zip").write_bytes(Path(archive).read_bytes()[:-500])
    with zipfile.ZipFile(tmp_path / "climbs.zip", "w") as climbs:
        climbs.writestr("../../run.json", "{}")
    with zipfile.ZipFile(tmp_path / "else.zip", "w") as other:
        other.writestr("notes.txt", "mine")
    without(archive, tmp_path / "part.zip", "layer_01.safetensors")
    kept, uploads = service.runs(), {*GRADIO_FOLDER.rglob("*.zip")}
    for name, said in {
        "words.zip": "no zip file", "cut.zip": "damaged", "climbs.zip": "outside of the run's folder",
        "else.zip": "holds no run", "part.zip": "not a whole run",
    }.items():  # fmt: skip
        with pytest.raises(AppError, match=said) as caught:
            client.predict(file=handle_file(tmp_path / name), api_name="/open")
        assert name in str(caught.value) and "/" not in str(caught.value).replace("../", "").replace("language/", "")
    monkeypatch.setattr("attention.visitors.service.LOCAL_ZIP_BYTES", 10_000)
    with pytest.raises(AppError, match=r"the limit is 0\.0 MB"):
        client.predict(file=handle_file(archive), api_name="/open")
    with pytest.raises(AppError, match="no file"):
        client.predict(file=None, api_name="/open")
    assert nothing_is_left(service)
    assert service.runs() == kept
    assert {*GRADIO_FOLDER.rglob("*.zip")} == uploads, "nor is what was uploaded"


def test_a_reading_is_asked_for_by_a_script_and_its_maps_are_those_of_the_route(address, client, picture):
    made = client.predict(images=handle_file(picture), prompt=PROMPT, answer="here", vision=False, api_name="/analyze")
    ticket, first = made["ticket"], made["run"]["prompt_tokens"]
    asked = {"ticket": ticket, "kind": "forecast", "tokens": [first], "against": 7.0}
    read = client.predict(**asked, api_name="/reading")
    assert read["target"] == {"tokens": [first], "against": 7} and read == client.predict(**asked, api_name="/reading")
    by_text = client.predict(**asked | {"against": read["other"]}, api_name="/reading")
    assert by_text == read  # a number is an id, and a text a token that is written so
    png, values = client.predict(ticket=ticket, layer=2, head=1, reading=read["name"], api_name="/heatmap")
    answer = httpx.get(f"{address}gradio_api/attention/{ticket}/row?layer=2&head=1&reading={read['name']}")
    row = np.frombuffer(answer.content, np.float32)
    with open_run(made["folder"]) as run:
        assert np.allclose(values, row[run.cells(0)], rtol=1e-6, atol=0) and Image.open(png).size == SIZE
    listed = httpx.get(f"{address}gradio_api/attention/{ticket}/readings.json").json()["readings"]
    assert [each["name"] for each in listed] == [read["name"]]
    npz = client.predict(ticket=ticket, format="npz", reading=read["name"], query=first, api_name="/export")
    assert np.load(npz)["reading"] == read["name"]
    for fields, words in (
        ({"kind": "mood"}, "There is no reading 'mood'"),
        ({"kind": "forecast", "tokens": [0]}, "no token of the answer"),
        ({"kind": "lens", "member": "base"}, "This is one run"),
    ):
        with pytest.raises(AppError, match=words):
            client.predict(ticket=ticket, **fields, api_name="/reading")
    with pytest.raises(AppError, match="no reading"):
        client.predict(ticket=ticket, reading="../run", api_name="/heatmap")


def test_opening_removes_no_file_but_the_zip(address, client, result):
    png, _ = client.predict(ticket=result["ticket"], api_name="/heatmap")
    served = httpx.post(f"{address}gradio_api/upload", files={"files": ("map.png", Path(png).read_bytes())}).json()[0]
    file = {"path": served, "meta": {"_type": "gradio.FileData"}}
    call = httpx.post(f"{address}gradio_api/call/v2/open", json={"file": file}).json()
    assert "no zip file" in httpx.get(f"{address}gradio_api/call/open/{call['event_id']}", timeout=60).text
    assert Path(served).is_file()


def test_a_run_that_was_removed_is_gone_for_whoever_still_shows_it(client, service, archive, address):
    opened = client.predict(file=handle_file(archive), api_name="/open")
    row = f"{address}gradio_api/attention/{opened['ticket']}/row?layer=1&query=5"
    assert httpx.get(row).status_code == 200
    service.remove(opened["ticket"])
    assert opened["ticket"] not in [kept["ticket"] for kept in client.predict(api_name="/runs")]
    answer = httpx.get(row)
    assert answer.status_code == 404 and answer.json()["expired"]
    with pytest.raises(InvalidRequest, match="not here any more"):
        service.remove(opened["ticket"])


# What the page says of a run


def test_the_manifest_is_small_and_says_where_a_run_of_ones_own_lies(service, result, monkeypatch):
    found = manifest(service, result["ticket"])
    assert found == {"id": result["id"], "ticket": result["ticket"], "kind": "run", "folder": result["folder"]}
    example = manifest(service, "example-shapes")
    assert example["is_public"] and example["view"] and example["folder"].endswith("shapes")
    assert "image" not in example["view"] and manifest(service, "example-two")["view"]["image"] == 1
    monkeypatch.setattr(service.run(result["ticket"]), "folder", Path("/" + "a" * 2048))
    assert "folder" not in manifest(service, result["ticket"])
    monkeypatch.undo()
    monkeypatch.setattr(service, "is_hosted", True)
    assert "folder" not in manifest(service, "example-shapes")


def test_the_inputs_of_a_run_make_it_again(client, picture, service):
    fields = {"prompt": PROMPT, "system": "be short", "mode": "generate", "max_new_tokens": 3, "vision": False}
    first = client.predict(images=handle_file(picture), max_visual_tokens=16, **fields, api_name="/analyze")
    again = inputs_of(service.run(first["ticket"]))
    assert again["vision"] == "skip" and again["dtype"] == "float32"
    assert not again.pop("videos") and again.pop("fps") == again.pop("max_frames") == 0, "for the page: as is usual"
    again |= {"answer": again["answer"] or None}
    again |= {"vision": VISION[again["vision"]], "images": handle_file(Path(first["folder"]) / "image_0.png")}
    second = client.predict(**again, api_name="/analyze")
    for part in ("tokens", "grids", "images", "towers", "messages", "mode", "model", "answer"):
        assert second["run"][part] == first["run"][part], part


def test_a_video_is_one_file_or_the_frames_of_one(client, picture, service, tmp_path):
    frames = [Image.open(picture).convert("RGB").rotate(angle) for angle in (0, 5, 10, 15)]
    frames[0].save(tmp_path / "turning.gif", save_all=True, append_images=frames[1:], duration=250)
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for frame, file in zip(frames, files, strict=True):
        frame.save(file)
    ask = partial(client.predict, prompt=PROMPT, vision=False, max_visual_tokens=8, api_name="/analyze")
    animated = ask(videos=handle_file(tmp_path / "turning.gif"), fps=4)
    several = ask(videos=[handle_file(file) for file in files], fps=4)
    for made, decoder in ((animated, "pillow"), (several, "frames")):
        (video,) = made["run"]["videos"]
        assert video["decoder"].startswith(decoder) and (video["frames"], video["read"], video["fps"]) == (4, 4, 4.0)
        assert [image["time_s"] for image in made["run"]["images"]] == [0.0, 0.25, 0.5, 0.75]
        assert [grid["images"] for grid in made["run"]["grids"]] == [[0, 1], [2, 3]]
    assert inputs_of(service.run(animated["ticket"])) is None, "its file is not kept"
    png, values = client.predict(ticket=animated["ticket"], grid=1, layer=0, head=0, api_name="/heatmap")
    with Image.open(png) as drawn:
        assert drawn.size == frames[0].size and len(values) == animated["run"]["grids"][1]["rows"]


def test_an_answer_that_was_given_is_among_the_inputs_and_one_of_its_own_is_not(client, picture, service, result):
    given = inputs_of(service.run(result["ticket"]))
    assert given["answer"] == "red" and given["coordinates"] == "auto"
    fields = {"prompt": PROMPT, "mode": "generate", "max_new_tokens": 2, "coordinates": "original"}
    own = client.predict(images=handle_file(picture), **fields, api_name="/analyze")
    again = inputs_of(service.run(own["ticket"]))
    assert again["answer"] == "" and again["coordinates"] == own["run"]["coordinates"] == "original"


def test_places_of_an_answer_are_read_in_the_space_that_is_asked_for(client, picture):
    ask = partial(client.predict, images=handle_file(picture), prompt=PROMPT, api_name="/analyze")
    made = [ask(answer="click(100, 50)", coordinates=space)["run"] for space in ("auto", "original")]
    size = made[0]["images"][0]
    (first,), (second,) = (run["points"] for run in made)
    assert (first["x"], first["y"]) == pytest.approx((0.1 * size["width"], 0.05 * size["height"]))
    assert (second["x"], second["y"], second["because"]) == (100, 50, "setting")
    with pytest.raises(AppError, match="coordinates is 'pixels'; it must be one of auto, 0-1, 0-1000, read, original"):
        ask(coordinates="pixels")


def test_what_was_read_with_fewer_visual_tokens_is_a_caution(client, picture):
    ask = partial(client.predict, images=handle_file(picture), prompt=PROMPT, api_name="/analyze")
    fewer = ask(max_visual_tokens=8)
    (sentence,), image = fewer["cautions"], fewer["run"]["images"][0]
    counts = f"{image['visual_tokens']} of {image['own_visual_tokens']}"
    assert sentence == f"Read with {counts} visual tokens; training may have used more."
    assert image["visual_tokens"] <= 8 < image["own_visual_tokens"]
    whole = ask(max_visual_tokens=image["own_visual_tokens"])
    assert whole["cautions"] == [] and whole["run"]["images"][0]["visual_tokens"] == image["own_visual_tokens"]


def test_a_run_that_the_inputs_cannot_say_has_none(client, picture, service):
    messages = [{"role": role, "content": "hello"} for role in ("user", "assistant", "user")]
    made = client.predict(images=None, messages=messages, api_name="/analyze")
    assert inputs_of(service.run(made["ticket"])) is None
    made = client.predict(images=[handle_file(picture)] * 2, prompt=PROMPT, api_name="/analyze")
    assert inputs_of(service.run(made["ticket"]))["prompt"] == PROMPT, "two pictures the page takes"


# What is wrong


@pytest.mark.sample(10)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1"),
        ({"max_new_tokens": 1.5}, "whole number"),
        ({"max_new_tokens": "many"}, "whole number"),
        ({"max_visual_tokens": 10**9}, "max_visual_tokens"),
        ({"model": "nobody/nothing"}, "nobody/nothing"),
        ({"model": "/"}, "config.json"),
        ({"model": "no such model"}, "no such model"),
        ({"mode": "dream"}, "dream"),
        ({"dtype": "int4"}, "int4"),
        ({"answer": ""}, "answer is empty"),
        ({"messages": []}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "image": "/etc/hostname"}]}]}, "not read here"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "path": "/etc/hostname"}]}]}, "not read here"),
    ],
)
def test_bad_input_is_refused_in_words_and_the_next_run_works(client, service, picture, fields, said):
    with pytest.raises(AppError, match=said):
        client.predict(**{"images": handle_file(picture), "prompt": PROMPT} | fields, api_name="/analyze")
    assert nothing_is_left(service)
    assert client.predict(images=handle_file(picture), prompt=PROMPT, api_name="/analyze")["ticket"]


def test_a_chat_holds_a_picture_and_names_none_of_this_machine(client, picture):
    def chat(entry):
        return [{"role": "user", "content": [entry, {"type": "text", "text": PROMPT}]}]

    written = base64.b64encode(picture.read_bytes()).decode()
    uploaded = client.predict(images=handle_file(picture), prompt=PROMPT, api_name="/analyze")["run"]
    for entry in (
        {"type": "image", "base64": written},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{written}"}},
    ):
        info = client.predict(images=None, messages=chat(entry), api_name="/analyze")["run"]
        assert [info[part] for part in ("tokens", "grids", "images", "messages")] == [
            uploaded[part] for part in ("tokens", "grids", "images", "messages")
        ]
    smaller = client.predict(
        images=handle_file(picture), messages=chat({"type": "image", "max_pixels": 9000, "min_pixels": 4096}),
        api_name="/analyze",
    )["run"]  # fmt: skip
    assert smaller["images"][0]["read_width"] * smaller["images"][0]["read_height"] <= 9000
    for entry, said in (
        ({"type": "image", "url": "https://example.org/a.png"}, "addresses are not read"),
        ({"type": "image", "url": picture.as_uri()}, "paths are not read here"),
        ({"type": "image_url", "image_url": {"url": str(picture)}}, "paths are not read here"),
        ({"type": "video", "video": str(picture)}, "names a video by a path; paths are not read here"),
        ({"type": "video", "path": [str(picture), str(picture)]}, "names a video by a path; paths are not read here"),
        ({"type": "video", "url": picture.as_uri()}, "names a video by a path; paths are not read here"),
        ({"type": "image", "url": "data:image/png;base64,aGVsbG8="}, "is not a picture"),
        ({"type": "image", "resized_height": 64}, "resized_height, which is not read here"),
        ({"type": "input_image", "image_url": "a.png"}, "of type 'input_image'"),
    ):
        with pytest.raises(AppError, match=said):
            client.predict(images=None, messages=chat(entry), api_name="/analyze")


def test_broken_pictures_are_refused_in_words(client, service, tmp_path):
    for said, path in write_bad(tmp_path).items():
        with pytest.raises(AppError, match=said):
            client.predict(images=handle_file(path), prompt=PROMPT, api_name="/analyze")
    assert nothing_is_left(service)


def test_odd_pictures_are_read_and_it_is_said(client, tmp_path):
    for said, path in write_odd(tmp_path).items():
        info = client.predict(images=handle_file(path), prompt=PROMPT, api_name="/analyze")["run"]
        assert any(said in note for note in info["notes"]), (path.name, info["notes"])
    assert (info["images"][0]["width"], info["images"][0]["height"]) == SIZE[::-1], "the last one is turned"


@pytest.mark.parametrize("images", ["x", 5, {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}, [[[]]]])
def test_hostile_files_are_refused(address, service, images):
    call = httpx.post(f"{address}gradio_api/call/v2/analyze", json={"images": images, "prompt": PROMPT}).json()
    text = httpx.get(f"{address}gradio_api/call/analyze/{call['event_id']}", timeout=60).text
    assert "event: error" in text
    assert nothing_is_left(service)


def test_a_region_is_what_the_command_says_of_it(client, result, capsys):
    from attention.commands.main import main

    box = [3, 4, 60, 50.5]
    told = client.predict(ticket=result["ticket"], box=box, top=3, api_name="/region")
    assert main(["region", result["folder"], "--box", *map(str, box), "--top", "3", "--json"]) == 0
    assert told == json.loads(capsys.readouterr().out) and len(told["members"][0]["heads"]) == 3
    assert told.keys() == Measured.__annotations__.keys()
    for wrong, said in (
        ({}, "Give one of box, point and answer"),
        ({"box": box, "point": [1, 2]}, "Give one of box, point and answer"),
        ({"answer": True}, "names no place that is certain"),
        ({"box": [1, 2, 3]}, "it must be 4 numbers"),
        ({"box": [9, 9, 3, 12]}, "has no area"),
        ({"point": [1, 1e6]}, "leaves its picture"),
        ({"box": box, "by": "change"}, "One run has no change"),
        ({"box": box, "top": 0}, "top is 0"),
        ({"box": box, "tower": "vision"}, "Give a query, a patch"),
    ):
        with pytest.raises(AppError, match=said):
            client.predict(ticket=result["ticket"], **wrong, api_name="/region")


def test_an_unknown_ticket_is_said_to_be_one(client):
    for endpoint, more in (("/heatmap", {}), ("/export", {}), ("/region", {"box": [0, 0, 1, 1]})):
        with pytest.raises(AppError, match="not here any more"):
            client.predict(ticket="nonsense", **more, api_name=endpoint)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"layer": 99}, "99"),
        ({"head": 99}, "99"),
        ({"query": 9999}, "9999"),
        ({"query": -1}, "-1"),
        ({"grid": 7}, "7"),
        ({"layer": "all"}, "all"),
        ({"tower": "babel"}, "babel"),
    ],
)
def test_a_map_that_is_not_there_is_said_to_be_missing(client, result, fields, said):
    with pytest.raises(AppError, match=said):
        client.predict(**{"ticket": result["ticket"], "layer": 0, "head": 0} | fields, api_name="/heatmap")


def test_an_unforeseen_error_is_not_told_in_detail_and_leaves_nothing(client, service, picture, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("secret")

    with monkeypatch.context() as patch:
        patch.setattr(extraction, "fill", fail)
        with pytest.raises(AppError, match=r"Internal error \(please report\): RuntimeError\.") as caught:
            client.predict(images=handle_file(picture), prompt=PROMPT, api_name="/analyze")
    assert "secret" not in str(caught.value)
    assert nothing_is_left(service)


A_FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
FIELDS = [
    [],
    "what?",
    None,
    None,
    "prefill",
    256,
    None,
    None,
    None,
    None,
    None,
    "auto",
    None,
    1.0,
    False,
    False,
    False,
    "auto",
    [],
    None,
    None,
]


@pytest.mark.parametrize(
    "endpoint, data, said",
    [
        ("open", ["run.zip"], "file is 'run.zip', a string: send the file itself, with gradio_client.handle_file(...)"),
        ("open", [["a.zip"]], "file has 'a.zip', a string: send the file itself"),
        ("analyze", [[A_FILE, "b.png"], *FIELDS[1:]], "images has 'b.png', a string: send the file itself"),
        ("open", [5], "file is 5; it must be a file as"),
        ("open", [A_FILE], "it must be a file that was uploaded here before."),
        ("open", [None], "There is no file. Give the zip of a run"),
        ("open", [], "This call has 0 of 1 values; in order they are file."),
        (
            "analyze",
            ["a.png", *FIELDS[1:]],
            "images is 'a.png', a string: send the file itself",
        ),
        ("analyze", [[{"x": 1}], *FIELDS[1:]], "images is [{'x': 1}]; it must be a file as"),
        ("analyze", [[A_FILE], *FIELDS[1:]], "it must be a file that was uploaded here before."),
        ("inspect", ["x"], "values; in order they are adapter, model, rename"),
        ("heatmap", ["t"], "This call has 1 of 8 values; in order they are ticket, tower, layer"),
        ("layers", [["x"]], "The model is ['x']; it must be a name."),
    ],
)
def test_a_call_of_another_form_is_told_what_is_due(address, endpoint, data, said):
    place = f"{address}gradio_api/call/{endpoint}"
    event = httpx.post(place, json={"data": data}).json()["event_id"]
    with httpx.stream("GET", f"{place}/{event}", timeout=60) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
    words = json.loads(lines[-1])["error"]
    assert said in words and len(words) < 400


# How a job ends


@pytest.mark.sample(3)
@pytest.mark.parametrize("phase", ["queue", "model", "inputs", "answer", "capture", "write"])
def test_cancelling_stops_in_any_phase_and_the_next_run_works(client, service, picture, monkeypatch, phase):
    free()
    reached = hold_at(monkeypatch, phase)
    job = client.submit(images=handle_file(picture), prompt=PROMPT, mode="generate", api_name="/analyze")
    assert reached.wait(60)
    cancel(job)
    seconds_until(lambda: nothing_is_left(service))
    monkeypatch.undo()
    assert client.predict(images=handle_file(picture), prompt=PROMPT, api_name="/analyze")["ticket"]


def test_two_runs_started_at_once_both_end_right(address, client, service, tmp_path):
    other = Client(address, verbose=False)
    started = []
    for number, (who, size) in enumerate([(client, (96, 128)), (other, (160, 64))] * 2):
        path = tmp_path / f"{number}.png"
        noise(size).save(path)
        job = who.submit(images=handle_file(path), prompt=PROMPT, answer=str(number), api_name="/analyze")
        started.append((job, size, str(number)))
    for job, size, answer in started:
        info = job.result()["run"]
        assert (info["images"][0]["width"], info["images"][0]["height"]) == size
        assert info["answer"] == answer
    other.close()
    assert nothing_is_left(service)


# From the command line


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_app_starts_says_where_and_ends_with_ctrl_c(tmp_path):
    # A test run in the background is told to ignore Ctrl-C, and hands that on.
    heed = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; runpy.run_path('app.py', run_name='__main__')"
    example = ROOT / "assets" / "examples" / "shapes"
    command = [sys.executable, "-c", code, "--runs", tmp_path / "runs", example]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    del environment["GRADIO_TEMP_DIR"]  # then uploads have a folder of the process
    uploads = tmp_path / "cache" / "vlm-attention-viz" / "uploads"
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://\S+", process.stdout.readline()).group()
        assert httpx.get(address).status_code == 200
        link, _, run_id = re.search(r"^shapes: (http://\S+)", process.stdout.readline())[1].partition("#run=")
        find = f"{address}gradio_api/attention/library/find?id={run_id}"
        assert httpx.get(find).status_code == 403
        with httpx.Client(follow_redirects=True) as let_in:
            assert let_in.get(link).url == address
            assert let_in.get(find).json()["folder"] == str(example)
        call = httpx.post(f"{address}gradio_api/call/runs", json={"data": []}).json()["event_id"]
        assert "X-Attention-Key" in httpx.get(f"{address}gradio_api/call/runs/{call}", timeout=60).text
        (sent,) = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.png", b"x")}).json()
        assert uploads in Path(sent).parents
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.stdout.close()
    assert process.returncode == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".lock"]
    assert [path.name for path in uploads.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["app.py", "--runs", str(tmp_path / "file" / "runs")])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert "Name another folder with --runs" in capsys.readouterr().err


# A server for strangers


@pytest.fixture
def hosted(tmp_path):
    cache = RunCache(tmp_path / "sessions", library=False, sweep_every=None)
    service = app.new_service(cache, is_hosted=True, model="pocket")
    yield service
    cache.close()


def test_a_server_for_strangers_opens_a_zip_and_lists_and_deletes_nothing(hosted, archive, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_PICTURE_MB", "1")
    monkeypatch.setenv("ATTENTION_ZIP_MB", "9")
    large = tmp_path / "large.zip"
    large.touch()
    os.truncate(large, 9_000_001)
    demo = app.launch(hosted, quiet=True)
    hosted.starting.is_over.wait()
    try:
        client = Client(demo.local_url, verbose=False)
        with pytest.raises(ValueError, match=r"large\.zip exceeds the maximum file size of 9000000 bytes"):
            client.predict(file=handle_file(large), api_name="/open")
        opened = client.predict(file=handle_file(archive), api_name="/open")
        assert opened["answer"] == "red" and opened["folder"] is None
        assert client.predict(api_name="/runs") == []
        client.close()
    finally:
        demo.close()
    with pytest.raises(InvalidRequest, match="expire"):
        hosted.remove(opened["ticket"])
    assert hosted.run(opened["ticket"])


def test_a_visitor_who_leaves_takes_less_of_the_cache_with_time(hosted, archive):
    demo = app.launch(hosted, quiet=True)
    hosted.starting.is_over.wait()
    try:
        client = Client(demo.local_url, verbose=False)
        ticket = client.predict(handle_file(archive), api_name="/open")["ticket"]
        entry = hosted.cache._entries[ticket]
        before = entry.deadline
        client.close()
        seconds_until(lambda: entry.deadline < before - 60)
        assert hosted.run(ticket) and entry.deadline >= before  # a page that was only reloaded looks on
    finally:
        demo.close()


def test_a_server_for_strangers_loads_only_what_it_offers(hosted, tmp_path):
    for model in (str(tmp_path), "/", "nobody/nothing", "pocket/../pocket", 5, ["pocket"]):
        with pytest.raises(InvalidRequest):
            hosted.checked_model(model)
    assert hosted.checked_model("pocket") == "pocket"
    assert hosted.checked_model(None) == "pocket"


def test_what_crosses_to_the_job_is_plain_data(service, picture, monkeypatch):
    seen = []
    refused = {"error": "no"}
    monkeypatch.setattr(service.work, "run_job", lambda job, _: seen.append(json.loads(json.dumps(job))) or refused)
    with service.job({"images": [str(picture)], "prompt": PROMPT}, "somebody") as job:
        seconds_until(lambda: job.is_done)
    assert seen[0]["request"]["images"] == [str(picture)]
    assert Path(seen[0]["partial"]).suffix == ".partial"
    assert app.gpu_seconds(seen[0]) == LEAST_S

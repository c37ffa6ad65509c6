"""A run or a comparison as one HTML file: its numbers are the routes', it keeps to its size and says what it lacks."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from made_runs import chat, scene, write_run
from shared import once
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.lens import read_lens
from attention.commands.main import main
from attention.errors import InvalidRequest, NotInRun
from attention.exports.export import export
from attention.exports.html import addresses
from attention.exports.html.page import html_file
from attention.folders import open_folder
from attention.runs.regions import read_region
from attention.runs.run import open_run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "assets" / "examples"
HOSTILE = '</script><img src=x onerror="window.broken=1">'


class Page:
    """Contents of a file, read from its text."""

    def __init__(self, text: str):
        parts = dict(re.findall(r'<script type="[a-z/]+" id="([a-z0-9-]+)">(.*?)</script>', text, re.DOTALL))
        self.contents, self.modules = json.loads(parts["contents"]), json.loads(parts["modules"])
        self.blocks = [zlib.decompress(base64.b64decode(parts[f"block-{i}"])) for i in range(len(parts) - 3)]
        self.index = json.loads(zlib.decompress(base64.b64decode(parts["index"])))

    def answer(self, key: str) -> tuple[bytes, dict[str, str]]:
        block, start, length, about = self.index["answers"][key]
        headers = self.index["headers"][about]
        size = {"float16": 2, "float32": 4}.get(headers.get("X-Attention-Dtype"), 1)
        planes = np.frombuffer(self.blocks[block][start : start + length], np.uint8).reshape(size, -1)
        return planes.T.tobytes(), headers


def large(folder: Path) -> Path:
    """As wide as a model of two billion parameters: 28 layers, 16 heads, a picture of 1,000 cells."""
    tokens = chat([(25, 40)], prompt=["what"], answer=["w"] * 30)
    write_run(folder / "run", [scene(800, 500)], [(25, 40)], layers=range(28), heads=16, kv_heads=8, tokens=tokens)
    return folder / "run"


@pytest.fixture(scope="module")
def large_run():
    with open_run(once("large html", large) / "run") as run:
        yield run


@pytest.mark.parametrize("name", ["shapes", "compared"])
def test_a_file_holds_what_the_routes_answer_byte_for_byte(name):
    with open_folder(EXAMPLES / name) as found:
        page = Page(html_file(found, megabytes=1.2).text)
        client = TestClient(Starlette(routes=routes({"t": found}.__getitem__)))
        keys = sorted(page.index["answers"])
        assert len(keys) > 400
        paths = {key.split("?")[0].rsplit("/", 1)[-1] for key in keys}
        assert paths >= {"row", "column", "atlas", "scores", "run.json"}
        for key in [*keys[:: len(keys) // 100], *(key for key in keys if "?" not in key)]:
            content, headers = page.answer(key)
            answer = client.get(f"{PREFIX}/t/{key}")
            assert answer.status_code == 200 and answer.content == content, key
            assert {name: answer.headers[name] for name in headers} == headers, key


def test_a_file_holds_a_forecast_beside_the_attention_and_opens_with_it(tmp_path):
    with open_run(shutil.copytree(EXAMPLES / "shapes", tmp_path / "run")) as run:
        with pytest.raises(NotInRun, match="no forecast yet"):
            html_file(run, reading="forecast")
        forecast = forecast_knock_outs(run)
        name = forecast.folder.name
        region = read_region(run, (200, 80, 400, 200))
        made = html_file(run, reading="forecast", megabytes=3, tokens="answer", region=region)
        assert "The forecast of “red” is there beside each, and of all rows together." in made.holds
        page = Page(made.text)
        assert page.contents["manifest"]["view"]["show"] == "forecast"
        client = TestClient(Starlette(routes=routes({"t": run}.__getitem__)))
        keys = [key for key in page.index["answers"] if f"reading={name}" in key]
        every = {key for key in keys if "query" not in key}
        assert {key.split("?")[0] for key in every} == {"row", "atlas", "region"}
        assert len([key for key in keys if "layer=2&" in key and "query=92" in key]) == 1
        for key in [*every, *keys[::7], "readings.json"]:
            content, headers = page.answer(key)
            answer = client.get(f"{PREFIX}/t/{key}")
            assert answer.status_code == 200 and answer.content == content, key
            assert {name: answer.headers[name] for name in headers} == headers, key
        assert not [key for key in Page(html_file(run, megabytes=2).text).index["answers"] if "reading" in key]
        read_lens(run)
        with pytest.raises(InvalidRequest, match="and no lens"):
            html_file(run, reading="lens")
        other = forecast_knock_outs(run, forecast.target.tokens, 7)
        with pytest.raises(InvalidRequest, match="one token against another"):
            html_file(run, reading=other.folder.name)


def test_a_usual_run_is_held_whole_and_a_large_one_up_to_the_limit(large_run):
    with open_run(EXAMPLES / "photograph") as run:
        made = html_file(run)
    assert len(made.text.encode()) < 4e6
    assert "the rows of all 97 tokens, and who reads all 97 tokens, in every layer and every head" in made.holds

    made = html_file(large_run, megabytes=4)
    page = Page(made.text)
    assert 2.5e6 < len(made.text.encode()) <= 4e6
    count = int(re.search(r"the rows of (\d+) of 1040 tokens \(", made.holds)[1])
    first = page.contents["manifest"]["view"]["query"]
    rows = {int(re.search(r"query=(\d+)", key)[1]) for key in page.index["answers"] if key.startswith("row?")}
    assert len(rows) == count > 1 and min(rows) == first  # the answer's, from the first on
    assert f"the rows of {1040 - count} other tokens" in made.left_out and "who reads a token" in made.left_out


def test_where_one_row_is_too_large_it_holds_fewer_layers(large_run):
    made = html_file(large_run, layer=7, megabytes=1.45)
    assert len(made.text.encode()) <= 1.45e6
    assert re.search(r"1 of 1040 tokens \(1008\), in \d+ of 28 layers \(0, .*\b7\b.*\) and every head", made.holds)
    assert "rows of other layers" in made.left_out
    with pytest.raises(InvalidRequest, match="the viewer alone takes"):
        html_file(large_run, megabytes=0.1)
    with pytest.raises(InvalidRequest, match="up to 200"):
        html_file(large_run, megabytes=1e9)


def test_what_is_named_is_held_or_refused(large_run):
    made = html_file(large_run, tokens="1012", layers="3,8-9", heads="2,5", head=5)
    page = Page(made.text)
    assert "the rows of 2 of 1040 tokens (1011–1012), in 3 of 28 layers (3, 8–9) and 2 of 16 heads (2, 5)" in made.holds
    asked = [dict(re.findall(r"(\w+)=(\w+)", key)) for key in page.index["answers"] if key.startswith("row?")]
    assert {each["head"] for each in asked} == {"2", "5", "mean", "max"}
    content, _ = page.answer("row?head=5&layer=8&query=1011&tower=language")
    assert np.array_equal(np.frombuffer(content, "<f4"), large_run.row(8, 1011)[5])
    with pytest.raises(InvalidRequest, match=r"rows were named, and .* take all"):
        html_file(large_run, tokens="all", megabytes=2)
    for wrong, words in (
        ({"tokens": "3-"}, "tokens is '3-'; write numbers and ranges"), ({"layers": "40"}, "layers names 40"),
        ({"heads": "16"}, "there are 0 to 15"), ({"query": 5000}, "no position 5000"), ({"layer": 99}, "Layer 99"),
        ({"tokens": "12", "layer": 4, "layers": "3"}, "does not hold it"),
    ):  # fmt: skip
        with pytest.raises((InvalidRequest, NotInRun), match=words):
            html_file(large_run, **wrong)


def test_text_of_people_and_models_never_becomes_markup(tmp_path):
    tokens = chat([(2, 3)], prompt=[HOSTILE], answer=[HOSTILE, "{blocks}"])
    run = open_run(
        write_run(tmp_path / "run", [scene(90, 60)], [(2, 3)], tokens=tokens, prompt=HOSTILE, answer=HOSTILE)
    )
    text = export(run, "html", tmp_path / "x.html").read_text(encoding="utf-8")
    assert "onerror" not in re.sub(r"\\u003cimg src=x onerror", "", text)
    assert Page(text).contents["title"].endswith(HOSTILE)
    assert json.loads(Page(text).answer("run.json")[0])["prompt"] == HOSTILE


def test_only_the_files_own_script_may_run_and_nothing_is_connected_to():
    with open_run(EXAMPLES / "shapes") as run:
        text = html_file(run, tokens="93").text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"(src|href)=\"?https?:", text)


def test_the_viewer_and_the_file_ask_for_atlases_of_the_same_size():
    code = (ROOT / "assets" / "viewer" / "state" / "follow.js").read_text(encoding="utf-8")
    sizes = re.search(r"ATLAS_VALUES = (\S+);\nconst MAP_CELLS = \{ least: (\d+), most: (\d+) \}", code).groups()
    assert [int(each) for each in sizes] == [addresses.ATLAS_VALUES, addresses.LEAST_CELLS, addresses.MOST_CELLS]


def test_colours_of_a_file_are_those_of_the_theme():
    theme = gr.themes.Default()._get_theme_css()
    sheet = (ROOT / "assets" / "viewer" / "file.css").read_text(encoding="utf-8")
    light, dark = sheet.split("body.dark")
    for name in ("body-text-color", "background-fill-primary", "background-fill-secondary", "border-color-primary"):
        names = re.findall(rf"--{name}: ([^;]+);", theme)
        for part, said in zip((light, dark), names, strict=True):
            colour = re.search(rf"--{said[6:-1]}: ([^;]+);", theme)[1] if said.startswith("var(") else said
            assert f"--{name}: {colour};" in part, name


def test_the_command_line_writes_a_file_and_says_what_it_holds(tmp_path, capsys):
    path = tmp_path / "x.html"
    assert main(["html", str(EXAMPLES / "shapes"), "--output", str(path), "--tokens", "answer", "--layer", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(path) and "3 of 95 tokens (92–94), in every layer" in said.err
    assert Page(path.read_text(encoding="utf-8")).contents["manifest"]["view"] == {"query": 92, "layer": 2}
    assert main(["export", str(EXAMPLES / "shapes"), "--format", "html", "--output", str(path), "--heads", "1"]) == 0
    assert main(["export", str(EXAMPLES / "shapes"), "--format", "npz", "--output", str(path), "--heads", "1"]) == 2
    assert "heads is of an html file" in capsys.readouterr().err
    assert main(["html", str(EXAMPLES / "shapes"), "--output", str(path), "--tokens", "95"]) == 2
    with pytest.raises(SystemExit):
        main(["html", "--help"])
    assert capsys.readouterr().out.split("\n\n")[2].startswith("Examples:")


@pytest.mark.parametrize("name", ["shapes", "compared"])
def test_the_page_keeps_the_same_file(name):
    with open_folder(EXAMPLES / name) as found:
        client = TestClient(Starlette(routes=routes({"t": found}.__getitem__)))
        answer = client.get(f"{PREFIX}/t/export?format=html&layer=3&head=1&query=93&tokens=answer")
        assert (
            answer.headers["content-disposition"].endswith('.html"')
            and "attachment" in answer.headers["content-disposition"]
        )
        assert answer.text == html_file(found, layer=3, head=1, query=93, tokens="answer").text
        refused = client.get(f"{PREFIX}/t/export?format=html&key=3")
        assert refused.status_code == 400 and "leave key out" in refused.json()["error"]
        assert client.get(f"{PREFIX}/t/export?format=png&tokens=3").status_code == 400

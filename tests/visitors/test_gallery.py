"""A gallery of finished runs: made by the command, fetched from the Hub, looked over, shown before the own examples."""

import json
import logging
import shutil

import numpy as np
import pytest
from fake_hub import COMMIT, fake_hub

import app
from attention.commands.main import main
from attention.environment import EXAMPLES
from attention.errors import DamagedRun, InvalidRequest, LimitExceeded
from attention.page.manifests import manifest
from attention.page.whole import build
from attention.visitors.gallery import INDEX, Gallery, open_examples, read_index
from attention.visitors.store import RunCache

MB = 1_000_000


@pytest.fixture
def cache(tmp_path):
    cache = RunCache(tmp_path / "sessions", library=False, sweep_every=None)
    yield cache
    cache.close()


@pytest.fixture
def folder(tmp_path):
    """A gallery of two of the bundled examples."""
    folder = tmp_path / "gallery"
    entries = [{"name": name, "label": f"the {name}", "prompt": "a?"} for name in ("window", "tall")]
    for entry in entries:
        shutil.copytree(EXAMPLES / entry["name"], folder / entry["name"])
    (folder / INDEX).write_text(json.dumps(entries))
    (folder / "README.md").write_text("# A card")
    (folder / "window" / "more.bin").write_bytes(bytes(5 * MB))
    return folder


def test_a_data_set_is_fetched_at_its_commit_without_what_no_run_has(folder, cache, tmp_path, monkeypatch):
    with fake_hub({"a/b": folder}, tmp_path / "hub", monkeypatch) as hub:
        tickets = Gallery("a/b", 5 * MB).open(cache)
        fetched = hub.downloaded()
    assert tickets == {"the window: a?": "gallery-window", "the tall: a?": "gallery-tall"}
    assert cache.run("gallery-window").info["answer"] and cache.is_public("gallery-tall")
    assert INDEX in fetched and not [name for name in fetched if name.endswith((".bin", ".md"))]
    assert all(COMMIT in str(cache.folder(ticket)) for ticket in tickets.values())


def test_one_that_is_too_large_is_refused_before_it_is_fetched(folder, cache, tmp_path, monkeypatch):
    with fake_hub({"a/b": folder}, tmp_path / "hub", monkeypatch) as hub:
        with pytest.raises(LimitExceeded, match=r"limit is 0 MB \(ATTENTION_GALLERY_MB\)"):
            Gallery("a/b", 1000).open(cache)
        assert hub.downloaded() == []


@pytest.mark.parametrize("source", ["a/none", "a/b@none", "no data set", "/nowhere"])
def test_one_that_cannot_be_had_is_said_in_the_log(source, folder, cache, tmp_path, monkeypatch, caplog):
    shown = []
    with fake_hub({"a/b": folder}, tmp_path / "hub", monkeypatch), caplog.at_level(logging.WARNING):
        Gallery(source, MB).begin(cache, shown.append).join(120)
    assert shown == [] and f"The gallery {source} is not shown: " in caplog.text


def test_a_run_that_is_damaged_is_left_out(folder, cache, caplog):
    (folder / "tall" / "run.json").write_text('{"format": 1}')
    shown = []
    Gallery(str(folder), MB).begin(cache, shown.append).join(120)
    assert shown == [{"the window: a?": "gallery-window"}]
    assert "tall is left out" in caplog.text


@pytest.mark.parametrize(
    "index",
    [
        "", "{}", "[1]", "[" * 100_000, json.dumps([{"name": "a", "label": "a"}]),
        *(
            json.dumps([{"name": "a", "label": "a", "prompt": "a", "view": view}])
            for view in (1, {}, {"layer": 1}, {"layer": "1", "head": 0}, {"layer": True, "head": 0},
                         {"layer": -1, "head": 0})
        ),
        *(json.dumps([{"name": name, "label": "a", "prompt": "a"}]) for name in ("../a", "/a", ".a", "", "a/b", 5)),
        json.dumps([{"name": "a", "label": "a", "prompt": "a"}] * 100),
        " " * (2 * MB),
    ],
)  # fmt: skip
def test_an_index_of_something_else_is_refused(index, tmp_path):
    (tmp_path / INDEX).write_text(index)
    with pytest.raises(DamagedRun):
        read_index(tmp_path)


def test_the_environment_says_which_and_how_large(monkeypatch):
    monkeypatch.delenv("ATTENTION_GALLERY", raising=False)
    assert Gallery.of_environment() is None
    monkeypatch.setenv("ATTENTION_GALLERY", " a/b@main ")
    monkeypatch.setenv("ATTENTION_GALLERY_MB", "30")
    found = Gallery.of_environment()
    assert (found.source, found.limit_bytes) == ("a/b@main", 30 * MB)
    monkeypatch.setenv("ATTENTION_GALLERY_MB", "much")
    with pytest.raises(InvalidRequest, match="ATTENTION_GALLERY_MB"):
        Gallery.of_environment()


def test_pages_that_are_opened_from_then_on_begin_with_it(folder, cache):
    service = app.new_service(cache, is_hosted=True, model="pocket")
    own = open_examples(cache, EXAMPLES)
    demo = build(service, own, {})

    def values() -> list:
        return [each["props"].get("value") for each in demo.config["components"]]

    def first_runs() -> list:
        return [
            each["ticket"] for each in values() if isinstance(each, dict) and each.get("kind") == "run" and "id" in each
        ]

    demo.config = demo.get_config_file()
    assert first_runs() == ["example-window"]
    demo.show_first(Gallery(str(folder), MB).open(cache))
    assert first_runs() == ["gallery-window"]
    strip = next(each for each in values() if isinstance(each, list) and each and "ticket" in each[0])
    assert [each["ticket"] for each in strip] == ["gallery-window", "gallery-tall", "example-window", "example-shapes"]
    chooser = next(each["props"] for each in demo.config["components"] if each["props"].get("label") == "Examples")
    # what a page that is open counts stays where it was
    assert chooser["sample_labels"] == [*own, "the window: a?", "the tall: a?"]
    assert len(chooser["samples"]) == len(own) + 2


def test_a_page_begins_where_the_gallery_says(folder, cache, monkeypatch):
    entries = json.loads((folder / INDEX).read_text())
    for entry, view in zip(entries, ({"layer": 2, "head": 1}, {"layer": 99, "head": 0}), strict=True):
        entry["view"] = view
    (folder / INDEX).write_text(json.dumps(entries))
    service = app.new_service(cache, is_hosted=True, model="pocket")
    window, tall = Gallery(str(folder), MB).open(cache).values()
    monkeypatch.setattr("attention.page.manifests.is_demo", lambda run: False)  # whose heads are known
    assert manifest(service, window)["view"] == {"layer": 2, "head": 1}
    assert "view" not in manifest(service, tall), "there is no such layer"


def test_examples_that_are_called_alike_are_all_shown(folder, cache):
    names = iter(open_examples(cache, EXAMPLES))
    label, prompt = next(names).split(": ", 1)
    entries = [entry | {"label": label, "prompt": prompt} for entry in json.loads((folder / INDEX).read_text())]
    (folder / INDEX).write_text(json.dumps(entries))
    own, more = open_examples(cache, EXAMPLES), Gallery(str(folder), MB).open(cache)
    assert more == {f"{label}: {prompt}": "gallery-window", f"{label} (tall): {prompt}": "gallery-tall"}
    demo = build(app.new_service(cache, is_hosted=True, model="pocket"), own, {})
    demo.show_first(more)
    props = [each["props"] for each in demo.config["components"]]
    chooser = next(each for each in props if each.get("label") == "Examples")
    assert chooser["sample_labels"] == [*own, *more] and len(chooser["samples"]) == len(own) + 2
    values = [each["value"] for each in props if isinstance(each.get("value"), list)]
    strip = next(value for value in values if value and "ticket" in value[0])
    assert [each["ticket"] for each in strip][:2] == ["gallery-window", "gallery-tall"]


def test_the_command_makes_what_is_shown(tmp_path, cache, capsys):
    folder = tmp_path / "made"
    shapes = str(EXAMPLES / "shapes.png")
    command = ["examples", "--model", "pocket", "--output-dir", str(folder), "--quiet", "--max-new-tokens", "4"]
    assert main([*command, "--image", shapes, "--prompt", "what color is the star?"]) == 0
    assert main([*command, "--json", "--image", shapes, "--prompt", "what shape is red?"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["examples"] == ["shapes", "shapes-2"]
    assert said["bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    tickets = Gallery(str(folder), MB).open(cache)
    assert [*tickets] == ["shapes: what color is the star?", "shapes: what shape is red?"]
    run = cache.run(tickets["shapes: what color is the star?"])
    assert run.info["answer"] == "red" and "vision" not in run.info["towers"]
    seen = {}
    for layer in run.layers():
        cells = np.zeros(len(run.info["tokens"]), bool)
        cells[run.pictures("language")[0]] = True
        cells[run.sinks(layer)] = False
        on_picture = run.row(layer, run.info["prompt_tokens"] - 1)[:, cells].sum(axis=1)
        seen |= {(layer, head): share for head, share in enumerate(on_picture)}
    view = cache.view(tickets["shapes: what color is the star?"])
    assert max(seen, key=seen.get) == (view["layer"], view["head"])
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "pretty_name: Finished runs of pocket" in card and "ATTENTION_GALLERY" in card


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--prompt", "a"], "name it with --image"),
        (["--image", "a.png", "b.png", "c.png", "--prompt", "a", "b"], "3 pictures and 2 prompts"),
        (["--image", "/nowhere.png", "--prompt", "a"], "nowhere.png"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_made(flags, reason, tmp_path, capsys):
    assert main(["examples", "--model", "pocket", "--output-dir", str(tmp_path / "made"), *flags]) == 2
    assert reason in capsys.readouterr().err and not (tmp_path / "made").exists()


def test_a_folder_of_something_else_is_no_gallery(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("")
    assert main(["examples", "--model", "pocket", "--output-dir", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err

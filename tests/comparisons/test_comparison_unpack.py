"""A zipped comparison comes back as it was; what is none, is damaged, does not fit or leads elsewhere is refused."""

import copy
import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_comparisons import write_comparison
from made_runs import chat, scene
from safetensors.numpy import load_file, save_file
from starlette.applications import Starlette
from starlette.testclient import TestClient

import app
from adapters import open_comparison
from attention import open_run
from attention.comparisons import check as comparison_check
from attention.comparisons import unpack as comparison_archive
from attention.comparisons.check import check_comparison
from attention.comparisons.unpack import unpack_comparison
from attention.errors import AttentionError, DamagedRun, InvalidRequest, LimitExceeded, NotInRun
from attention.exports.export import export
from attention.exports.folder_zip import packed_files, zipped_bytes
from attention.folders import check, unpack
from attention.measures import differences
from attention.runs.checks import zip_file as foreign_zip
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.visitors.store import RunCache

EXAMPLE = Path(__file__).parents[2] / "assets" / "examples" / "compared"  # a captured comparison
LIMIT = 10_000_000
TABLES = "comparison.safetensors"
LAYER = "adapter_1/language/layer_01.safetensors"
CHANGES = [{"part": "q_proj", "tower": "language", "layer": 0, "relative": 0.1, "heads": [0.5, 0.5]}]


def write(folder, **run):
    """A small comparison: one picture of 2 x 3 cells, both towers, two adapters."""
    adapters = [{"id": "one", "changes": CHANGES}, {"id": "two", "scale": 0.5, "from_layer": 1}]
    settings = {
        "tokens": chat([(2, 3)], prompt=["?"], answer=["red", "."]), "prompt": "?", "answer": "red.", "layers": (0, 1),
        "vision": True, "groups": {"language": [], "vision": []}, "sinks": {"language": {"1": [3]}},
    }  # fmt: skip
    return write_comparison(folder, [scene(60, 40)], [(2, 3)], adapters, **settings | run)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Not to be changed."""
    return write(tmp_path_factory.mktemp("comparisons") / "made")


@pytest.fixture
def files(made):
    """Its files by name: what a test changes before it zips them."""
    return {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path):
    """Folder that a zip is unpacked to; a refusal leaves nothing there."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "found"


def zipped(files, path, folder="made/", packed=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as file:
        for name, content in files.items():
            file.writestr(folder + name, content)
    return path


def refused(path, place, kind, words, limit=LIMIT):
    with pytest.raises(kind, match=words) as raised:
        unpack(path, place, limit)
    assert type(raised.value) is kind and str(place.parent) not in str(raised.value)
    assert not list(place.parent.iterdir())


def index_with(files, name="comparison.json", **fields):
    """The files with other fields in an index."""
    return files | {name: json.dumps(json.loads(files[name]) | fields).encode()}


def assert_same(one, other):
    assert one.info == other.info and list(one.runs) == list(other.runs)
    for tower in one.base.towers():
        for measure in one.measures(tower):
            assert np.array_equal(one.table(measure, tower), other.table(measure, tower), equal_nan=True)
        assert one.csv(tower) == other.csv(tower)
    assert np.array_equal(one.logprobs(), other.logprobs())
    for run, back in zip(one.runs.values(), other.runs.values(), strict=True):
        assert run.info == back.info
        for tower in run.towers():
            for layer in run.layers(tower):
                assert np.array_equal(run.dense(layer, tower), back.dense(layer, tower))
    for path in (path.relative_to(one.folder) for path in one.folder.rglob("*") if path.is_file()):
        if path.suffix != ".json":
            assert (one.folder / path).read_bytes() == (other.folder / path).read_bytes(), path


# There and back


def test_an_exported_comparison_comes_back_as_it_was(made, tmp_path, place):
    for source in (made, EXAMPLE):
        with open_comparison(source) as comparison:
            path = export(comparison, "zip", tmp_path / "a.zip")
            assert path.stat().st_size == zipped_bytes(packed_files(comparison))
            with open_comparison(unpack(path, place.with_name(source.name), LIMIT)) as back:
                check(back)
                assert_same(comparison, back)
    assert sorted(path.name for path in place.parent.iterdir()) == ["compared", "made"]


def test_one_whose_answers_differ_comes_back_too(tmp_path, place):
    tokens = chat([(2, 3)], prompt=["?"], answer=["red", "."])
    other = [{**token, "text": "blue", "id": 5} if token["text"] == "red" else token for token in tokens]
    adapters = [{"id": "one", "tokens": other, "answer": "blue."}]
    run = {"tokens": tokens, "prompt": "?", "answer": "red.", "layers": (0,)}
    source = write_comparison(tmp_path / "own", [scene(60, 40)], [(2, 3)], adapters, words="own", **run)
    with open_comparison(source) as comparison:
        path = export(comparison, "zip", tmp_path / "a.zip")
        with open_comparison(unpack(path, place, LIMIT)) as back:
            assert_same(comparison, back)
            assert back.shared() == len(tokens) - 3 and back.logprobs().shape == (2, 0)


def test_the_index_that_is_there_decides(made, files, tmp_path, place):
    with open_run(made / "base") as run:
        path = export(run, "zip", tmp_path / "run.zip")
    assert (unpack(path, place.with_name("run"), LIMIT) / "run.json").exists()
    for name, folder in (("top", ""), ("below", "a comparison/")):
        found = unpack(
            zipped(files | {"notes.txt": b"mine"}, tmp_path / f"{name}.zip", folder), place.with_name(name), LIMIT
        )
        assert {path.relative_to(found).as_posix() for path in found.rglob("*") if path.is_file()} == set(files)
    shutil.rmtree(place.parent)
    place.parent.mkdir()
    refused(
        zipped({}, tmp_path / "a.zip"), place, DamagedRun, "holds no run and no comparison: there is neither run.json"
    )
    refused(zipped(files, tmp_path / "a.zip", "deep/down/"), place, DamagedRun, "holds no run and no comparison")
    two = {f"{folder}/{name}": content for folder in "ab" for name, content in files.items()}
    refused(zipped(two, tmp_path / "a.zip", ""), place, InvalidRequest, r"holds 2 comparisons: 'a/, b/'")
    both = {f"a/{name}": content for name, content in files.items()} | {"b/run.json": b"{}"}
    refused(zipped(both, tmp_path / "a.zip", ""), place, InvalidRequest, "holds a comparison and a run beside it")
    at_top = unpack(zipped({f"a/{name}": b"" for name in files} | {
        name.removeprefix("base/"): content for name, content in files.items() if name.startswith("base/")
    }, tmp_path / "b.zip", ""), place, LIMIT)  # fmt: skip
    assert (at_top / "run.json").exists()


@pytest.mark.parametrize("is_hosted", [False, True])
def test_the_service_opens_it_and_leaves_nothing_of_what_it_refuses(made, files, tmp_path, is_hosted):
    cache = RunCache(tmp_path / "runs", library=not is_hosted, sweep_every=None)
    service = app.new_service(cache, is_hosted=is_hosted)
    with open_comparison(made) as comparison:
        ticket = service.open_zip(export(comparison, "zip", tmp_path / "a.zip"), "somebody")
        assert_same(comparison, service.comparison(ticket))
    assert service.open_kept(ticket) is service.comparison(ticket)
    assert [row["kind"] for row in service.runs()] == ([] if is_hosted else ["comparison"])
    with pytest.raises(InvalidRequest, match="is a comparison"):
        service.run(ticket)
    before = sorted(path.name for path in cache.root.rglob("*"))
    with pytest.raises(InvalidRequest, match="could lie outside"):
        service.open_zip(zipped(files | {"../evil": b"x"}, tmp_path / "b.zip"), "somebody")
    broken = index_with(files, "adapter_2/run.json", tokens=[])
    with pytest.raises(DamagedRun, match=r"adapter_2: run\.json of this run is damaged: tokens is \[\]"):
        service.open_zip(zipped(broken, tmp_path / "b.zip"), "somebody")
    assert sorted(path.name for path in cache.root.rglob("*")) == before
    (service.comparison(ticket).folder / LAYER).unlink()
    with pytest.raises(DamagedRun, match=r"adapter_1: .*layer_01"):
        service.open_kept(ticket)
    service.close()


def test_unpacking_needs_neither_torch_nor_gradio():
    code = "import sys, attention.comparisons.unpack; print({'torch', 'transformers', 'gradio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# What else it is exported as


def test_it_is_exported_as_its_table_and_as_nothing_of_one_run(made, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with open_comparison(made) as comparison:
        table = export(comparison, "csv", out / "a.csv", tower="vision", layer=None, look={}, received=False)
        assert table.read_text() == comparison.csv("vision")
        for how, kind, words in (
            ({"format": "npz"}, InvalidRequest, "csv, html or zip, not as 'npz'. .* runs: base, adapter_1, adapter_2"),
            ({"format": "zip", "layer": 0}, InvalidRequest, "holds the whole comparison: leave layer out"),
            ({"format": "zip", "tower": "vision"}, InvalidRequest, "leave tower out"),
            ({"format": "csv", "look": {"palette": "grey"}}, InvalidRequest, "every layer and head: leave look out"),
            ({"format": "csv", "tower": "cross"}, NotInRun, "no tower 'cross'"),
        ):  # fmt: skip
            with pytest.raises(kind, match=words):
                export(comparison, path=out / "b", **how)
        with pytest.raises(InvalidRequest, match="lies inside the comparison"):
            export(comparison, "zip", made / "a.zip")
    assert [path.name for path in out.iterdir()] == ["a.csv"]


def test_the_route_sends_the_whole_of_it(made, tmp_path, place):
    with (
        open_comparison(made) as comparison,
        TestClient(Starlette(routes=routes({"a": comparison}.__getitem__))) as client,
    ):
        sent = client.get(f"{PREFIX}/a/export?format=zip")
        assert sent.headers["Content-Disposition"] == 'attachment; filename="comparison-made.zip"'
        assert int(sent.headers["Content-Length"]) == len(sent.content)
        (tmp_path / "a.zip").write_bytes(sent.content)
        with open_comparison(unpack(tmp_path / "a.zip", place, LIMIT)) as back:
            assert_same(comparison, back)
        assert client.get(f"{PREFIX}/a/export?format=csv&tower=vision").text == comparison.csv("vision")
        with zipfile.ZipFile(io.BytesIO(client.get(f"{PREFIX}/a/adapter_1/export?format=zip").content)) as archive:
            assert "adapter-1/run.json" in archive.namelist()
        for asked, words in (
            ("", "format is ''; of several runs together it must be png, svg, pdf, html, zip or csv"),
            ("format=npz&query=3", "For another name one of them: base/export"),
            ("format=zip&tower=vision", "holds all of them: leave tower out"),
            ("format=csv&layer=1", "leave layer out"),
        ):
            answer = client.get(f"{PREFIX}/a/export?{asked}")
            assert answer.status_code == 400 and words in answer.json()["error"]


def test_the_command_line_exports_it(made, tmp_path, capsys):
    from attention.commands import main as command_line

    def call(*arguments):
        return command_line.main(["export", str(made), "--output", *map(str, arguments)]), *capsys.readouterr()

    assert call(tmp_path / "a.zip", "--format", "zip") == (0, f"{tmp_path / 'a.zip'}\n", "")
    assert (unpack(tmp_path / "a.zip", tmp_path / "back", LIMIT) / TABLES).exists()
    assert call(tmp_path / "a.csv", "--format", "csv")[0] == 0
    assert (tmp_path / "a.csv").read_text().startswith("adapter,scale,tower,layer,head,js_row")
    for flags, words in (
        (("--format", "npz"), "csv, html or zip, not as 'npz'"),
        (("--format", "csv", "--layer", "1"), "leave layer out"),
        (("--format", "zip", "--palette", "grey"), "leave look out"),
    ):
        code, out, err = call(tmp_path / "b", *flags)
        assert (code, out) == (2, "") and words in err and not (tmp_path / "b").exists()


# Hostile zips


def test_what_leads_elsewhere_or_is_missing_is_refused(files, tmp_path, place):
    path = tmp_path / "a.zip"
    refused(zipped(files | {"base/../../evil": b"x"}, path), place, InvalidRequest, "could lie outside")
    refused(zipped(files | {"Base/run.json": b"x"}, path), place, InvalidRequest, "are one file on some systems")
    for name, words in (
        (LAYER, f"not a whole comparison: it lacks {LAYER}, which its comparison.json names"),
        (TABLES, f"not a whole comparison: it lacks {TABLES}"),
        ("base/run.json", r"base: a\.zip is not a whole run: it lacks base/run\.json"),
        ("adapter_1/image_0.png", r"it lacks adapter_1/image_0\.png"),
    ):
        rest = {other: content for other, content in files.items() if other != name}
        refused(zipped(rest, path), place, DamagedRun, words)
    whole = zipped(files, path).read_bytes()
    at = whole.index(files[LAYER]) + 3000
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(path, place, DamagedRun, r"adapter_1/language/layer_01\.safetensors' in a\.zip is damaged: Bad CRC-32")
    path.write_bytes(whole[:-1])
    refused(path, place, DamagedRun, "cut off")
    members = json.loads(files["comparison.json"])["members"]
    for folder in ("../base", "adapter_3", "base", "adapter_1/..", None, 3, "/etc"):
        wrong = [members[0], {**members[1], "folder": folder}, *members[2:]]
        refused(
            zipped(index_with(files, members=wrong), path), place, DamagedRun, "its members are .* they must be base"
        )


def test_limits_are_those_of_the_whole(files, tmp_path, place, monkeypatch):
    path, size = zipped(files, tmp_path / "a.zip"), sum(map(len, files.values()))
    refused(path, place, LimitExceeded, r"The comparison in a\.zip has 0\.\d MB; the limit is", limit=size - 1)
    refused(path, place, LimitExceeded, r"comparison\.json in a\.zip has", limit=100)
    unpack(path, tmp_path / "fits", size)
    monkeypatch.setattr(comparison_archive, "MAX_INDEXES_BYTES", 1000)
    refused(path, place, LimitExceeded, r"The run\.json files in a\.zip have 0\.0 MB together; the limit is 0\.0 MB")
    monkeypatch.undo()
    bomb = zipped(files | {"base/scores.safetensors": bytes(5_000_000)}, path, packed=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(foreign_zip, "ZIP_RATIO_FROM_BYTES", 1_000_000)
    monkeypatch.setattr(foreign_zip, "MAX_ZIP_RATIO", 20)
    refused(bomb, place, LimitExceeded, r"unpacks to \d+ times its size; no comparison does to more than 20\.")


def test_a_full_disk_or_a_taken_place_leaves_nothing_of_it(files, tmp_path, place, monkeypatch):
    path = zipped(files, tmp_path / "a.zip")
    place.mkdir()
    (place / "mine").write_text("x")
    with pytest.raises(InvalidRequest, match="is not empty"):
        unpack_comparison(path, place, LIMIT)
    assert [path.name for path in place.parent.rglob("*")] == ["found", "mine"]
    shutil.rmtree(place)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(comparison_archive, "write_index", fail)
    refused(path, place, InvalidRequest, "The comparison in a.zip cannot be written: No space left on device")


def test_a_damaged_table_inside_a_sound_zip_leaves_nothing(files, tmp_path, place):
    path = zipped(files | {TABLES: files[TABLES][:-4]}, tmp_path / "a.zip")
    refused(path, place, DamagedRun, "comparison.safetensors of this comparison is damaged: it has .* bytes of tensors")
    path = zipped(files | {LAYER: files[LAYER][:-4]}, tmp_path / "a.zip")
    refused(path, place, DamagedRun, r"adapter_1: language/layer_01\.safetensors of this run is damaged")


# The comparison


@pytest.fixture
def own(made, tmp_path):
    """A comparison of one's own, open, whose files and indexes may be changed."""
    with open_comparison(shutil.copytree(made, tmp_path / "own")) as comparison:
        yield comparison


GONE = object()


def put(record, path, value):
    """Replace one value in nested records and lists, or take it out."""
    *above, last = path.split("/")
    for name in above:
        record = record[int(name) if isinstance(record, list) else name]
    last = int(last) if isinstance(record, list) else last
    if value is GONE:
        del record[last]
    else:
        record[last] = copy.deepcopy(value)


INDEX = [
    ("id", "a/b", "id is 'a/b'; it must be letters and digits"),
    ("created", "today", "created is 'today'; it must be a time"),
    ("model", None, "model is None; it must be a record"),
    ("words", 3, "words is 3; it must be a whole number from 1 to 2"),
    ("words", "mine", "words is 'mine'; it must be base, own, typed or"),
    ("members/2", GONE, None),
    ("members/0/adapter", {"id": "x", "scale": 1}, "the adapter of base is .* it must be null"),
    ("members/1/adapter", None, "the adapter of adapter_1 is None; it must be a record"),
    ("members/1/adapter/scale", "1", "the adapter's scale of adapter_1 is '1'; it must be a number"),
    ("members/1/adapter/id", "other", "the adapter of adapter_1 is .* it must be that of its run"),
    ("members/1/answer", 3, "the answer of adapter_1 is 3; it must be a text"),
    ("members/1/card", [], "the card of adapter_1 is .* it must be a record"),
    ("members/1/changes/0/part", 5, "the part of a weight change of adapter_1 is 5; it must be a text"),
    ("members/1/changes/0/relative", "much", "relative of a weight change of adapter_1 is 'much'; it must be a number"),
    ("members/1/changes/0/heads", [None], "the heads of a weight change of adapter_1 is None"),
    ("members/1/changes/0/layer", -1, "the layer of a weight change of adapter_1 is -1"),
    ("shared_tokens", 0, "shared_tokens is 0; it must be a whole number from 1 to 18"),
    ("shared_tokens", 19, "shared_tokens is 19; it must be a whole number from 1 to 18"),
    ("shared_tokens", 5, "base does not fit this comparison: token 5 of its run is 'a cell of a picture'"),
    ("answer_rows", [5], r"answer_rows is \[5\]; it must be the first row and the last"),
    ("answer_rows", [15, 14], "the last of answer_rows is 14; it must be a whole number from 15 to 17"),
    ("answer_rows", [2, 3], "the queries of tower language is .* with one of answer_rows, 2 to 3, at least"),
    ("answer_rows", [16, 17], r"logprob is F32 \[3, 3\], not F32 \[3, 1\]"),
    ("measures", {}, r"measures is \[\]; it must be js_row, js_image"),
    ("measures/js_image", GONE, "measures is .* it must be js_row, js_image"),
    ("measures/js_row", None, "measure js_row is None; it must be a record"),
    ("measures/a b", {"unit": ""}, "the name of a measure is 'a b'"),
    ("measures/other", {"unit": ""}, "it has no language.other"),
    ("queries/language/0", 99, "a query of tower language is 99; it must be a whole number from 0 to 17"),
    ("queries/language", [17, 16], "the queries of tower language is .* it must be ascending"),
    ("queries/language", [16], r"language.js_row is F32 \[2, 2, 4, \d+\], not F32 \[2, 2, 4, 1\]"),
    ("queries/vision", GONE, "the list of towers of queries is .* it must be language, vision"),
    ("queries/vision", [6], "a query of tower vision is 6; it must be a whole number from 0 to 5"),
    ("layers/language", [0, 2], "the layers of tower language is .* it must be .*as in its runs"),
    ("layers/cross", [], "the list of towers of layers"),
]  # fmt: skip


@pytest.mark.parametrize("path, value, words", INDEX, ids=[f"{path}-{i}" for i, (path, _, _) in enumerate(INDEX)])
def test_an_index_whose_parts_do_not_fit_is_refused(own, path, value, words):
    check_comparison(own)
    put(own.info, path, value)
    with pytest.raises(AttentionError, match=words):
        check_comparison(own)


RUNS = [
    ("tokens/2/id", 7, "token 2 of its run is .* as the base's is"),
    ("grids/0/box_px", [0, 0, 50, 40], "the list of grids of its run is"),
    ("towers/vision", GONE, "the list of towers of its run is"),
    ("towers/vision/keys", [None] * 6, None),
    ("adapter", None, "the adapter of adapter_1 is .* it must be that of its run, None"),
]


@pytest.mark.parametrize("path, value, words", RUNS, ids=[path for path, _, _ in RUNS])
def test_a_member_that_is_not_alike_is_refused(own, path, value, words):
    put(own.adapters[0].info, path, value)
    if path == "towers/vision":
        for run in own.runs.values():
            del run.info["grids"][1]
            run.info["towers"].get("vision", {})["keys"] = [None] * 6
    with pytest.raises(DamagedRun, match=f"^adapter_1.*{words or ''}" if path != "adapter" else words):
        check_comparison(own)


def test_runs_of_other_heads_and_layers_are_refused(own, tmp_path):
    for name, settings, words in (
        (
            "heads",
            {"heads": 2},
            "the number of heads of tower language of its run is 2; it must be 4, as the base's is",
        ),
        (
            "layers",
            {"layers": (0, 2)},
            r"the list of layers of tower language of its run is \[0, 2\]; it must be \[0, 1\]",
        ),
    ):
        other = write(tmp_path / name, **settings)
        shutil.rmtree(own.folder / "adapter_1")
        shutil.copytree(other / "adapter_1", own.folder / "adapter_1")
        with pytest.raises(DamagedRun, match=f"adapter_1 does not fit this comparison: {words}"):
            check_comparison(own.folder)


def test_tables_that_are_missing_or_of_another_kind_are_refused(own):
    whole = load_file(own.folder / TABLES)
    for name, change, words in (
        ("logprob", None, "it has no logprob"),
        ("language.tv_row", None, r"it has no language\.tv_row"),
        ("language.tv_row", lambda value: value[:1], r"language\.tv_row is F32 \[1, 2, 4, \d+\], not F32 \[2, 2, 4,"),
        ("vision.js_row", lambda value: value.astype(np.float16), r"vision\.js_row is F16 .* not F32"),
        ("logprob", lambda value: value[:, :1], r"logprob is F32 \[3, 1\], not F32 \[3, 3\]"),
    ):
        tables = {key: value for key, value in whole.items() if key != name}
        tables |= {name: np.ascontiguousarray(change(whole[name]))} if change else {}
        save_file(tables, own.folder / TABLES)
        with pytest.raises(DamagedRun, match=f"comparison.safetensors of this comparison is damaged: {words}"):
            check_comparison(own.folder)
    (own.folder / TABLES).unlink()
    with pytest.raises(DamagedRun, match="it cannot be read: No such file"):
        check_comparison(own.folder)


def test_more_than_a_page_can_show_is_refused_with_both_numbers(own, monkeypatch):
    for name, most in (("MAX_CHANGED_HEADS", 10), ("MAX_TABLE_VALUES", 20)):
        monkeypatch.setattr(comparison_check, name, most)
        with pytest.raises(LimitExceeded, match=f"has 2 adapters, 8 heads in all layers .* The limit is {most}"):
            check_comparison(own)
        monkeypatch.undo()
    monkeypatch.setattr(comparison_check, "MAX_PARTS", 0)
    with pytest.raises(DamagedRun, match="the changed parts of adapter_1 is '1 different ones'; it must be at most 0"):
        check_comparison(own)


ODD = [None, -1, 7, 10**30, 1.5, "x", [], {}, [None], True, GONE]


def places(value, at=""):
    """Places of all values in nested records and lists."""
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield f"{at}{name}"
        yield from places(value[name], f"{at}{name}/")


def answers_all(comparison, client):
    """Ask a comparison everything that the page, scripts and routes ask, once."""
    ask = f"{PREFIX}/a"
    for adapter in range(len(comparison.adapters)):
        for tower in comparison.base.towers():
            for measure in comparison.measures(tower):
                comparison.change(measure, adapter, "mean", tower)
            for query in (0, comparison.shared(tower) - 1):
                try:
                    comparison.change(measure, adapter, query, tower)
                except NotInRun as error:
                    assert "is known of the rows that were compared" in str(error)
            comparison.difference(comparison.base.layers(tower)[0], comparison.shared(tower) - 1, adapter, tower)
        comparison.moved(adapter)
    for path in ("comparison.json", "logprobs", "changes.csv", "change?measure=js_row"):
        answer = client.get(f"{ask}/{path}")
        assert answer.status_code == 200, answer.text


@pytest.fixture
def tiny(tmp_path):
    """The smallest comparison, with both towers; the base has a sink in what it may not share."""
    tokens = [{**token, "index": i} for i, token in enumerate(chat([(1, 2)], prompt=["?"], answer=["a"])[2:7])]
    tokens += [{"index": 5, "id": 0, "text": "a", "role": "answer", "grid": None, "row": None, "col": None}]
    return write_comparison(
        tmp_path / "tiny", [scene(9, 5)], [(1, 2)], [{"id": "one", "changes": CHANGES}], tokens=tokens, prompt="?",
        layers=(0,), heads=2, vision=True, groups={"language": [], "vision": []}, sinks={"language": {"0": [5]}},
    )  # fmt: skip


def assert_readable_or_refused(folder, index, values, share, names=("",)):
    """Replace this share of an index's values by odd ones: refused in words, or all questions have an answer."""
    whole, passed, found = json.loads(index.read_text()), 0, {}
    with TestClient(Starlette(routes=routes(found.__getitem__))) as client:
        every = [(at, odd) for at in places(whole) if at.startswith(names) for odd in values]
        for at, odd in random.Random(0).sample(every, round(share * len(every))):
            info = copy.deepcopy(whole)
            put(info, at, odd)
            index.write_text(json.dumps(info))
            try:
                found["a"] = open_comparison(folder)
                check_comparison(found["a"])
            except AttentionError:
                continue
            with found["a"] as comparison:
                answers_all(comparison, client)
            passed += 1
    assert passed > 12 * share


SHARES = [0.2, pytest.param(1, marks=pytest.mark.full)]


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
def test_whatever_passes_can_be_read(tiny, share):
    assert_readable_or_refused(tiny, tiny / "comparison.json", ODD, share)


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("member", ["base", "adapter_1"])
def test_whatever_passes_of_a_members_run_can_be_read(tiny, member, share):
    names = ("tokens/1", "grids/1", "towers", "sinks", "adapter")  # what has to fit the other's
    assert_readable_or_refused(tiny, tiny / member / "run.json", [1, 7, "x", [], GONE], share, names)


def test_a_very_long_answer_has_a_mean_over_the_rows_that_were_compared(own):
    """Only so many rows are compared beforehand: the first ones of an answer may not be among them."""
    first, last = own.info["answer_rows"]
    rows = own.queries()
    own.info["queries"]["language"] = [-1 if row == first else row for row in rows]  # as if it were another row
    expected = own.table("js_row")[0][:, :, [rows.index(row) for row in range(first + 1, last + 1)]].mean(axis=-1)
    assert np.allclose(own.change("js_row", 0), expected, atol=1e-6)


def test_a_measure_that_this_version_does_not_know_is_told_of_compared_rows_only(own):
    tables = load_file(own.folder / TABLES)
    save_file(
        tables | {f"{tower}.new": tables[f"{tower}.js_row"] for tower in ("language", "vision")}, own.folder / TABLES
    )
    own.info["measures"]["new"] = {"unit": ""}
    check_comparison(own)
    assert "new" not in differences.NAMES and np.array_equal(own.change("new", 0), own.change("js_row", 0))
    with pytest.raises(NotInRun, match="new is known of the rows that were compared, and row 0 was not"):
        own.change("new", 0, 0)

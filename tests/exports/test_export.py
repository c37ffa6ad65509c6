"""Exported files hold the reader's numbers, explain themselves, and appear whole or not at all."""

import asyncio
import contextlib
import csv
import gc
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made_runs import chat, scene, token, write_run
from PIL import Image
from safetensors import safe_open
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from attention import open_run
from attention.errors import InvalidRequest, LimitExceeded, NotInRun
from attention.exports import folder_zip, layers
from attention.exports import run as run_export
from attention.exports.export import export
from attention.exports.folder_zip import packed_files, zipped, zipped_bytes
from attention.folders import unpack_run
from attention.runs.selection import select
from attention.serving.exports import OTHERS
from attention.serving.few import Few
from attention.serving.responses import PREFIX
from attention.serving.routes import routes


@pytest.fixture
def run(tiny_run):
    with open_run(tiny_run) as run:
        yield run


@pytest.fixture
def made(tmp_path):
    """A made run with a picture whose cells are not whole pixels."""
    with open_run(write_run(tmp_path / "made", [scene(100, 61)], [(3, 7)], prompt="?", answer="red")) as run:
        yield run


def test_dense_layers_are_the_readers_rows_rounded_once(run, tmp_path, monkeypatch):
    monkeypatch.setattr("attention.runs.factors.CHUNK_BYTES", 4 * run.heads() * run.keys() * 7)  # many chunks
    folder = export(run, "dense", tmp_path / "new" / "dense")
    assert sorted(file.name for file in folder.iterdir()) == [f"layer_{i:02d}.safetensors" for i in run.layers()]
    for layer in run.layers():
        with safe_open(folder / f"layer_{layer:02d}.safetensors", "np") as file:
            rows = file.get_tensor("attention")
            about = file.metadata()
        assert rows.dtype == np.float16 and np.array_equal(rows, run.dense(layer).astype(np.float16))
        assert about["layer"] == str(layer) and about["tower"] == "language" and "softmax" in about["how_to_read"]
    one = export(run, "dense", tmp_path / "vision.safetensors", tower="vision", layer=1)
    with safe_open(one, "np") as file:
        assert np.array_equal(file.get_tensor("attention"), run.dense(1, "vision").astype(np.float16))


def test_bin_is_the_folder_that_the_original_viewer_reads(run, tmp_path):
    folder = export(run, "bin", tmp_path / "bin")
    layers = run.layers()
    assert sorted(file.name for file in folder.iterdir()) == [
        *(f"attn_layer_{i:02d}.bin" for i in range(len(layers))), "image.jpg", "meta.json",
    ]  # fmt: skip
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    n = len(run.info["tokens"])
    fixed = {
        "model": run.info["model"]["id"], "mode": "generate", "prompt": "what color is the star?",
        "image_path": "image.jpg", "image_size": [300, 200], "num_layers": len(layers), "num_heads": run.heads(),
        "seq_len": n, "dtype": "float16",
    }  # fmt: skip
    assert {name: meta[name] for name in fixed} == fixed
    assert set(meta) == {*fixed, "tokens", "image_grid"}
    for number, layer in enumerate(layers):
        values = np.fromfile(folder / f"attn_layer_{number:02d}.bin", "<f2").reshape(run.heads(), n, n)
        assert np.array_equal(values, run.dense(layer).astype(np.float16))
    # as that viewer reads it: ids are positions, the block of image tokens ends with end_idx, rows count from the top
    grid = meta["image_grid"]
    assert [token["id"] for token in meta["tokens"]] == list(range(n))
    assert {token["type"] for token in meta["tokens"]} == {"text", "image", "special"}
    block = range(grid["start_idx"], grid["end_idx"] + 1)
    assert [i for i, token in enumerate(meta["tokens"]) if token["type"] == "image"] == list(block)
    places = [(row, col) for row in range(grid["rows"]) for col in range(grid["cols"])]
    assert [tuple(meta["tokens"][i]["grid_pos"]) for i in block] == places
    with Image.open(folder / "image.jpg") as image:
        assert image.format == "JPEG" and image.size == (300, 200)


def test_bin_refuses_what_that_viewer_cannot_show(tmp_path):
    pictures = [scene(64, 48), scene(48, 64)]
    two = write_run(tmp_path / "two", pictures, [(2, 3), (3, 2)], prompt="?")
    text = write_run(tmp_path / "text", [], [], tokens=chat([]), prompt="?")
    with open_run(two) as run, pytest.raises(InvalidRequest, match=r"exactly one picture .* this run has 2 pictures"):
        export(run, "bin", tmp_path / "bin")
    with open_run(text) as run, pytest.raises(InvalidRequest, match="this run has no picture"):
        export(run, "bin", tmp_path / "bin")
    assert not (tmp_path / "bin").exists()


def test_npz_is_one_exact_map_with_all_that_finds_it_again(run, tmp_path):
    query = run.info["prompt_tokens"] - 1
    assert run.row_source(1, query) == "stored"
    with np.load(export(run, "npz", tmp_path / "map.npz", layer=1, head=2, query=query)) as data:
        assert np.array_equal(data["row"], run.row(1, query, source="factors")[2])  # though float16 is stored
        assert np.array_equal(data["map"], data["row"][run.cells(0)]) and data["map"].dtype == np.float32
        said = {name: data[name].tolist() for name in data.files if name not in ("row", "map")}
    assert said == {
        "run": run.info["id"], "model": run.info["model"]["id"], "revision": "", "model_dtype": "float32",
        "adapter": "", "tower": "language", "layer": 1, "head": 2, "query": query, "token": "\n", "predicts": "red",
        "grid": 0, "image": 0, "box_px": [0, 0, 300, 200], "source": "factors", "dtype": "float32",
        "forced": True,
    }  # fmt: skip


def test_npz_defaults_to_the_row_that_predicts_the_answer_and_takes_columns_and_reductions(run, tmp_path):
    query = run.info["prompt_tokens"] - 1
    with np.load(export(run, "npz", tmp_path / "a.npz")) as data:
        assert data["query"] == query and data["layer"] == data["head"] == "mean"
        rows = np.stack([run.row(layer, query, source="factors") for layer in run.layers()])
        assert np.allclose(data["row"], rows.mean(axis=1).mean(axis=0), atol=1e-7)
    key = int(run.cells(0)[2, 3])
    with np.load(export(run, "npz", tmp_path / "b.npz", layer="max", head=0, key=key)) as data:
        columns = np.stack([run.column(layer, key)[0] for layer in run.layers()])
        assert np.array_equal(data["column"], columns.max(axis=0)) and data["key"] == key
        assert np.array_equal(data["map"], data["column"][run.cells(0)])
    path = export(run, "npz", tmp_path / "c.npz", tower="vision", layer=0, head=1, query=5, grid=None)
    with np.load(path) as data:
        assert data["grid"] == 1 and data["map"].shape == run.cells(1).shape and "token" not in data.files


def test_npz_of_a_span_is_the_mean_of_its_rows_or_columns(run, tmp_path):
    path = export(run, "npz", tmp_path / "a.npz", layer=1, head=2, query=20, until=22)
    with np.load(path) as data:
        rows = np.stack([run.row(1, query, source="factors")[2] for query in (20, 21, 22)])
        assert np.allclose(data["row"], rows.mean(axis=0), atol=1e-7) and (data["query"], data["until"]) == (20, 22)
        texts = [token["text"] for token in run.info["tokens"]]
        assert data["token"] == "".join(texts[20:23]) and data["predicts"] == "".join(texts[21:24])
    path = export(run, "npz", tmp_path / "b.npz", layer=1, head="mean", key=20, until=22)
    with np.load(path) as data:
        columns = np.stack([run.column(1, key).mean(axis=0) for key in (20, 21, 22)])
        assert np.allclose(data["column"], columns.mean(axis=0), atol=1e-7) and "predicts" not in data.files
    about, _ = read_csv(export(run, "csv", tmp_path / "a.csv", layer=1, head=2, query=20, until=22))
    assert (about["query"], about["until"]) == (20, 22)


def test_npz_of_what_keys_receive(run, tmp_path):
    flags = {"tower": "vision", "received": True, "grid": None}
    with np.load(export(run, "npz", tmp_path / "a.npz", layer=1, head=0, **flags)) as data:
        assert np.array_equal(data["received"], run.received(1, "vision")[0])
        assert (
            np.array_equal(data["map"], data["received"][run.cells(1)]) and data["over"] == "the mean over all queries"
        )
        assert "query" not in data.files and "key" not in data.files
    with np.load(export(run, "npz", tmp_path / "b.npz", layer="max", **flags)) as data:
        every = [run.received(layer, "vision").mean(axis=0) for layer in run.layers("vision")]
        assert np.array_equal(data["received"], np.max(every, axis=0))


def test_files_are_named_by_what_they_hold(run):
    def name(*wanted, format="npz", **more):  # noqa: A002
        return run_export.file_name(run, format, select(run, *wanted, **more))

    run.info["id"] = "3f2a"
    assert name("language", 12, 3, 69, format="svg") == "3f2a_language_L12_H3_row69.svg"
    assert name("language", "mean", "max", key=5, until=9) == "3f2a_language_Lmean_Hmax_key5-9.npz"
    assert name("vision", 0, 1, received=True) == "3f2a_vision_L0_H1_received.npz"
    assert run_export.file_name(run, "zip") == "3f2a.zip"
    for hostile in ("../../x", 'a"; filename="b', "a\r\nSet-Cookie: b", "火\ud800", "." * 500, ""):
        run.info["id"] = hostile
        assert re.fullmatch(r"[A-Za-z0-9_.-]{5,140}", name("language", 1, 1, 5)) and not name().startswith(".")


def test_npz_of_a_run_without_pictures_has_the_row_alone(tmp_path):
    with open_run(write_run(tmp_path / "text", [], [], tokens=chat([]), prompt="?")) as run:
        with np.load(export(run, "npz", tmp_path / "row.npz")) as data:
            assert "map" not in data.files and len(data["row"]) == run.keys()
        for wanted in (*run_export.FIGURES, "card"):
            with pytest.raises(InvalidRequest, match=r"has no picture to draw on\. Use npz or csv"):
                export(run, wanted, tmp_path / "map")


def read_csv(path):
    """The settings and the table of a file, as another program reads them."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.readlines()
    about = dict(line[2:].rstrip("\n").split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)
    return {name: json.loads(value) for name, value in about.items()}, list(csv.DictReader(lines[len(about) + 1 :]))


def test_csv_is_the_map_as_a_table_of_cells_and_their_pixels(made, tmp_path):
    about, table = read_csv(export(made, "csv", tmp_path / "map.csv", layer=1, head=2, query=30))
    assert list(table[0]) == ["row", "col", "value", "x0", "y0", "x1", "y1"] and len(table) == 21
    expected = made.row(1, 30, source="factors")[2][made.cells(0)]
    assert about["query"] == 30 and about["source"] == "factors" and about["box_px"] == [0, 0, 100, 61]
    for line in table:
        row, col = int(line["row"]), int(line["col"])
        assert np.float32(line["value"]) == expected[row, col]  # to the last bit
        box = [col * 100 / 7, row * 61 / 3, (col + 1) * 100 / 7, (row + 1) * 61 / 3]
        assert np.allclose([float(line[side]) for side in ("x0", "y0", "x1", "y1")], box)
    about, table = read_csv(export(made, "csv", tmp_path / "key.csv", layer=1, head=2, key=3))
    values = [float(line["value"]) for line in table]
    assert about["key"] == 3 and np.allclose(values, made.column(1, 3)[2][made.cells(0)].reshape(-1))


def test_csv_of_a_run_without_pictures_is_the_row_with_its_texts_and_none_of_them_a_formula(tmp_path):
    words = ["=1+1", "+a", "-", "@b", "\t=c", ",=d", "a;=e", "a=b", '"', "#1", "\n", " x", "'", ""]
    safe = ["'=1+1", "'+a", "'-", "'@b", "'\t'=c", ",'=d", "a;'=e", "a=b", '"', "#1", "\n", " x", "'", ""]
    tokens = [{"index": index, **token(text, "prompt")} for index, text in enumerate(words)]
    with open_run(write_run(tmp_path / "text", [], [], tokens=tokens, prompt="?")) as run:
        about, table = read_csv(export(run, "csv", tmp_path / "row.csv", layer=0, head=0, query=13))
        assert [line["text"] for line in table] == safe and [int(line["key"]) for line in table] == list(range(14))
        assert [np.float32(line["value"]) for line in table] == run.row(0, 13, source="factors")[0].tolist()
        about, table = read_csv(export(run, "csv", tmp_path / "column.csv", key=5))
        assert about["token"] == ",'=d" and list(table[0]) == ["query", "text", "value"] and len(table) == 14


def test_zip_holds_a_run_that_opens(run, tmp_path):
    path = export(run, "zip", tmp_path / "run.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out")
    with open_run(tmp_path / "out" / run.folder.name) as copy:
        assert np.array_equal(copy.row(0, 5), run.row(0, 5)) and copy.info == run.info


def test_a_zip_comes_in_blocks_and_its_length_is_known_before(run, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_zip, "BLOCK_BYTES", 1000)
    files = packed_files(run)
    blocks = list(zipped(files))
    assert max(map(len, blocks)) < 1000 + 300 * len(files) and len(blocks) > 50
    assert sum(map(len, blocks)) == zipped_bytes(files)
    (tmp_path / "run.zip").write_bytes(b"".join(blocks))
    unpack_run(tmp_path / "run.zip", tmp_path / "back", 1 << 30)
    names = [each.path.relative_to(run.folder) for each in files]
    assert all((tmp_path / "back" / name).read_bytes() == (run.folder / name).read_bytes() for name in names)


REFUSED = {
    "format": (
        {"format": "docx"},
        InvalidRequest,
        "no format 'docx'. There is dense, bin, npz, csv, png, svg, pdf, card, html, zip",
    ),
    "head of dense": ({"format": "dense", "head": 1}, InvalidRequest, "every head, query and key: leave head out"),
    "mean of dense": ({"format": "dense", "layer": "mean"}, InvalidRequest, "not their mean"),
    "layer of dense": ({"format": "dense", "layer": 9}, NotInRun, "Layer 9 has no attention"),
    "layer of bin": ({"format": "bin", "layer": 0}, InvalidRequest, "leave layer and tower out"),
    "tower of zip": ({"format": "zip", "tower": "vision"}, InvalidRequest, "the whole run"),
    "query and key": ({"format": "csv", "query": 1, "key": 2}, InvalidRequest, "give one of the two"),
    "query of vision": ({"format": "npz", "tower": "vision"}, InvalidRequest, "Say which query or key of the vision"),
    "query": ({"format": "npz", "query": 10_000}, NotInRun, "no query 10000"),
    "head": ({"format": "png", "head": "median"}, NotInRun, "no head 'median'"),
    "layer": ({"format": "npz", "layer": 77}, NotInRun, "Layer 77 has no attention"),
    "tower": ({"format": "png", "tower": "cross", "query": 1}, NotInRun, "no tower 'cross'"),
    "grid": ({"format": "png", "grid": 1}, NotInRun, "Grid 1 belongs to the vision tower"),
    "received and key": ({"format": "npz", "received": True, "key": 1}, InvalidRequest, "received alone"),
    "received until": ({"format": "npz", "received": True, "until": 1}, InvalidRequest, "leave until=1 out"),
    "until": ({"format": "npz", "query": 5, "until": 3}, NotInRun, "no span from query 5 until 3"),
    "received head": ({"format": "npz", "received": True, "layer": 0, "head": 99}, NotInRun, "no head 99"),
    "received layer": ({"format": "npz", "received": True, "layer": 99}, NotInRun, "Layer 99 has no attention"),
    "look of npz": ({"format": "npz", "look": {"palette": "grey"}}, InvalidRequest, "draws nothing: leave look out"),
    "scale of csv": ({"format": "csv", "scale": 2.0}, InvalidRequest, "draws nothing: leave scale out"),
    "scale of svg": ({"format": "svg", "scale": 2.0}, InvalidRequest, "sharp in any size: leave scale out"),
    "caption of zip": ({"format": "zip", "caption": True}, InvalidRequest, "draws nothing: leave caption out"),
    "until of dense": ({"format": "dense", "until": 3}, InvalidRequest, "leave until out"),
}


@pytest.mark.parametrize("wanted, kind, words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_exported_is_refused_in_words_and_leaves_nothing(run, tmp_path, wanted, kind, words):
    with pytest.raises(kind, match=words):
        export(run, path=tmp_path / "out", **wanted)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", run_export.FORMATS)
def test_a_place_that_cannot_be_written_is_refused_in_words(run, tmp_path, format):  # noqa: A002
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidRequest, match=r"cannot be written: .*Name another place"):
        export(run, format, tmp_path / "file" / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(InvalidRequest, match=r"is a folder; name a file|is not empty"):
        export(run, format, tmp_path / "full")
    with pytest.raises(InvalidRequest, match="lies inside the run"):
        export(run, format, run.folder / "out")
    assert {path.name for path in tmp_path.rglob("*")} == {"file", "full", "mine"}


def test_a_failure_half_way_leaves_what_was_there(run, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    old = tmp_path / "map.npz"
    old.write_text("old")
    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(InvalidRequest, match=r"The disk is full: map\.npz could"):
        export(run, "npz", old)
    monkeypatch.setattr(layers, "picture_of", fail)  # after the layers
    with pytest.raises(InvalidRequest, match="The disk is full: bin could"):
        export(run, "bin", tmp_path / "bin")
    assert [path.name for path in tmp_path.iterdir()] == ["map.npz"] and old.read_text() == "old"
    monkeypatch.undo()
    export(run, "npz", old)
    with np.load(old) as data:
        assert "map" in data.files


def test_more_than_the_disk_holds_is_refused_with_both_numbers(run, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    for wanted in ("dense", "bin"):
        with pytest.raises(LimitExceeded, match=r"takes \d+\.\d GB and 0\.0 GB are free"):
            export(run, wanted, tmp_path / "out")


def test_exporting_needs_neither_torch_nor_gradio_nor_pyplot(tiny_run, tmp_path):
    code = (
        "import sys; from attention import open_run; from attention.exports.export import export; "
        f"run, place = open_run({str(tiny_run)!r}), {str(tmp_path)!r}; "
        f"[export(run, format, place + '/' + format) for format in {run_export.FORMATS[:-1]}]; "
        "print([name for name in ('torch', 'transformers', 'gradio', 'matplotlib.pyplot') if name in sys.modules], "
        "'matplotlib.figure' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] True"


# The route


@pytest.fixture
def client(run):
    with TestClient(Starlette(routes=routes({"ticket": run}.__getitem__)), raise_server_exceptions=False) as client:
        yield client


def get(client, fields, status=200):
    response = client.get(f"{PREFIX}/ticket/export?{fields}")
    assert response.status_code == status, response.text[:300]
    assert response.headers["Cache-Control"] == "no-store" and response.headers["X-Content-Type-Options"] == "nosniff"
    return response


ONE = "tower=language&layer=1&head=2&query=20"


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    "format, fields, wanted",
    [
        ("png", "&scale=2&palette=magma&smooth=1", {"scale": 2.0, "look": {"palette": "magma", "smooth": True}}),
        ("png", "&caption=1&width=500&low=0&high=0.5", {"width": 500, "caption": True, "look": {"high": 0.5}}),
        ("svg", "&curve=log&unit=uniform", {"look": {"curve": "log", "unit": "uniform"}}),
        ("pdf", "&until=22&sinks=raw&opacity=0.5", {"until": 22, "look": {"sinks": "raw", "opacity": 0.5}}),
        ("card", "&palette=magma&clip=99&places=1", {"look": {"palette": "magma", "clip": 99, "places": True}}),
        ("npz", "&grid=0", {}),
        ("csv", "&until=22", {"until": 22}),
    ],
)
def test_a_download_is_the_file_that_export_writes(client, run, tmp_path, format, fields, wanted):  # noqa: A002
    response = get(client, f"format={format}&{ONE}{fields}")
    path = export(run, format, tmp_path / "x", layer=1, head=2, query=20, **wanted)
    if format == "npz":  # a zip has the time in it
        with np.load(io.BytesIO(response.content)) as sent, np.load(path) as written:
            assert sent.files == written.files and all(np.array_equal(sent[name], written[name]) for name in sent.files)
    else:
        assert (response.content == path.read_bytes()) is True  # what differs is no text to be shown
    ending = {"card": "card.png"}.get(format, format)
    name = f"{run.info['id']}_language_L1_H2_row20{'-22' if 'until' in wanted else ''}.{ending}"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert response.headers["Content-Type"].startswith(
        {
            "png": "image/png",
            "card": "image/png",
            "svg": "image/svg+xml",
            "pdf": "application/pdf",
            "csv": "text/csv",
        }.get(format, "application")
    )


def test_the_run_is_downloaded_as_a_zip(client, run):
    response = get(client, "format=zip")
    assert response.headers["Content-Disposition"] == f'attachment; filename="{run.info["id"]}.zip"'
    assert int(response.headers["Content-Length"]) == len(response.content) == zipped_bytes(packed_files(run))
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == len(packed_files(run))


def test_columns_and_what_keys_receive_are_downloaded_too(client, run):
    with np.load(io.BytesIO(get(client, "format=npz&layer=1&head=max&key=9").content)) as data:
        assert np.array_equal(data["column"], run.column(1, 9).max(axis=0))
    with np.load(io.BytesIO(get(client, "format=npz&tower=vision&layer=1&head=0&received=1").content)) as data:
        assert np.array_equal(data["received"], run.received(1, "vision")[0])


@pytest.mark.parametrize(
    "fields, status, words",
    [
        ("", 400, "format is ''; it must be one of png, svg, pdf, card, npz, csv, html, zip"),
        ("format=dense", 400, "format is 'dense'"),
        (f"format=png&{ONE}&colour=red", 400, "no field 'colour' of an export"),
        (f"format=png&{ONE}&palette=jet", 400, "palette is 'jet'; it must be one of"),
        (f"format=png&{ONE}&opacity=2", 400, "opacity is 2.0; it must be a number"),
        (f"format=png&{ONE}&low=1&high=0.5", 400, "begin at low=1"),
        (f"format=png&{ONE}&scale=9", 400, "scale is 9.0; it must be a number from 0.25 to 4"),
        (f"format=png&{ONE}&scale=1e3", 400, "scale is '1e3'; it must be a number"),
        (f"format=png&{ONE}&width=99999", 400, "megapixels; the limit is 40"),
        (f"format=png&{ONE}&caption=yes", 400, "caption is 'yes'; it must be one of 0, 1"),
        (f"format=svg&{ONE}&scale=2", 400, "sharp in any size"),
        (f"format=card&{ONE}&scale=2", 400, "A card is 1200x630"),
        ("format=card&tower=vision&layer=1&head=0&received=1", 400, "there are none of what keys receive"),
        (f"format=npz&{ONE}&palette=magma", 400, "draws nothing: leave look out"),
        (f"format=npz&{ONE}&key=3", 400, "give one of the two"),
        ("format=npz&layer=one", 400, "layer is 'one'; it must be a whole number"),
        ("format=npz&layer=99", 404, "Layer 99 has no attention"),
        ("format=npz&query=9999", 404, "no query 9999"),
        ("format=npz&query=5&until=4", 404, "no span"),
        ("format=png&grid=7", 404, "no grid 7"),
        ("format=npz&tower=cross&query=1", 404, "no tower 'cross'"),
        ("format=npz&tower=vision", 400, "Say which query or key"),
    ],
)
def test_what_cannot_be_downloaded_is_refused_in_one_sentence(client, fields, status, words):
    response = get(client, fields, status)
    assert words in response.json()["error"] and list(response.json()) == ["error"]


def test_a_download_of_a_run_that_has_expired_says_so(client):
    response = client.get(f"{PREFIX}/other/export?format=png")
    assert response.status_code == 404 and response.json()["expired"]


@pytest.mark.sample(4)
@pytest.mark.parametrize("fields", [f"format=svg&{ONE}", "format=zip", "format=png&palette=jet"])
@pytest.mark.parametrize("leaves", [False, True])
def test_nothing_is_left_of_a_download(run, tmp_path, monkeypatch, fields, leaves):
    """Sent, refused, or left by the client after its first bytes: no file stays, and none is open."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("attention.serving.responses.STREAM_BYTES", 4096)
    opened, temporary = [], tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: opened.append(temporary()) or opened[-1])
    path, _, query = f"{PREFIX}/ticket/export?{fields}".partition("?")
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [], "http_version": "1.1", "asgi": {"spec_version": "2.4"}, "root_path": "",
    }  # fmt: skip
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)
        if leaves and message["type"] == "http.response.body" and message.get("body"):
            raise OSError("the client has left")

    app = Starlette(routes=routes({"ticket": run}.__getitem__))
    ends = pytest.raises(ClientDisconnect) if leaves and "jet" not in fields else contextlib.suppress(OSError)
    with ThreadPoolExecutor(1) as thread, ends:  # in its own, as this one may have a loop already
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    gc.collect()
    assert sent[0]["status"] == (400 if "jet" in fields else 200)
    assert all(file.closed for file in opened) and not list(tmp_path.iterdir())


def test_a_server_that_draws_enough_already_says_so(client, monkeypatch):
    few = Few(1, 1, 0.01, OTHERS)
    monkeypatch.setattr("attention.serving.exports.DRAWN", few)
    with few.place():
        assert "Try again in a moment" in get(client, f"format=png&{ONE}", 503).json()["error"]
    get(client, f"format=png&{ONE}")
    get(client, f"format=png&{ONE}&palette=jet", 400)
    get(client, f"format=png&{ONE}")  # what was refused has given its place back

"""A zipped run comes back as it was; what is no run, is damaged, too large or leads elsewhere is refused in words."""

import copy
import io
import json
import random
import stat
import subprocess
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_pictures import jpeg_of_scans
from made_runs import chat, scene, write_run
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from attention import open_run
from attention.errors import AttentionError, DamagedRun, InvalidRequest, LimitExceeded
from attention.exports.export import export
from attention.folders import unpack_run
from attention.runs.checks import zip_file as foreign_zip
from attention.runs.checks.run import check_run
from attention.visitors.store import RunCache

EXAMPLE = Path(__file__).parents[2] / "assets" / "examples" / "shapes"  # a captured run with both towers
LIMIT = 10_000_000
LAYER = "language/layer_01.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small run: one picture of 2 x 3 cells, a question and an answer. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "made"
    return write_run(folder, [scene(60, 40)], [(2, 3)], prompt="what?", answer="red.", layers=(0, 1))


@pytest.fixture
def files(made):
    """Its files by name: what a test changes before it zips them."""
    return {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path):
    """Folder that a zip is unpacked to; a refusal leaves nothing there."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "run"


def zipped(files, path, folder="made/", packed=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a name stands there twice
        for name, content in files.items() if isinstance(files, dict) else files:
            file.writestr(name if isinstance(name, zipfile.ZipInfo) else folder + name, content)
    return path


def refused(path, place, kind, words, limit=LIMIT):
    with pytest.raises(kind, match=words) as raised:
        unpack_run(path, place, limit)
    assert type(raised.value) is kind and str(place.parent) not in str(raised.value)
    assert not list(place.parent.iterdir())


def assert_same(run, other):
    assert run.info == other.info
    for tower in run.towers():
        last = run.queries(tower) - 1
        for layer in run.layers(tower):
            assert np.array_equal(run.row(layer, last, tower), other.row(layer, last, tower))
            assert np.array_equal(run.dense(layer, tower), other.dense(layer, tower))
        assert np.array_equal(run.masses(last, tower), other.masses(last, tower))
        assert np.array_equal(run.stored_positions(tower), other.stored_positions(tower))
    for grid in range(len(run.info["grids"])):
        assert np.array_equal(run.cells(grid), other.cells(grid))
    assert np.array_equal(run.score("image_mass"), other.score("image_mass"))
    for name in (path.relative_to(run.folder) for path in run.folder.rglob("*") if path.is_file()):
        if name.name != "run.json":
            assert (run.folder / name).read_bytes() == (other.folder / name).read_bytes(), name


def test_an_exported_run_comes_back_as_it_was(made, tmp_path, place):
    for source in (made, EXAMPLE):
        with open_run(source) as run:
            export(run, "zip", tmp_path / "run.zip")
            folder = unpack_run(tmp_path / "run.zip", place.with_name(source.name), LIMIT)
            with open_run(folder) as copied:
                check_run(copied)
                assert_same(run, copied)
    assert sorted(path.name for path in place.parent.iterdir()) == ["made", "shapes"]


def test_a_run_at_the_top_packed_and_among_other_files_is_taken_without_them(files, tmp_path, place):
    added = {"": b"", "notes.txt": b"mine", "language/layer_77.safetensors": b"x", "image_9.png": b"x"}
    path = zipped(files | added, tmp_path / "a.zip", folder="a run/", packed=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("__MACOSX/a run/._run.json", b"x")
    folder = unpack_run(path, place, sum(map(len, files.values())))
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(files)
    unpack_run(zipped(files, tmp_path / "b.zip", folder=""), place.with_name("other"), LIMIT)


def test_a_zip_becomes_a_run_of_the_library(made, tmp_path):
    with open_run(made) as run:
        export(run, "zip", tmp_path / "run.zip")
    cache = RunCache(tmp_path / "library", library=True, sweep_every=None)
    ticket = cache.add(unpack_run(tmp_path / "run.zip", cache.new_folder(), LIMIT))
    assert [row["answer"] for row in cache.listing()] == ["red."] and len(cache.run(ticket).cells(0)) == 2
    cache.close()


def test_unpacking_needs_neither_torch_nor_gradio():
    code = "import sys, attention.runs.checks.unpack; print({'torch', 'transformers', 'gradio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# The zip


def test_what_is_no_whole_zip_is_refused(files, tmp_path, place):
    path = tmp_path / "a.zip"
    refused(path, place, InvalidRequest, r"a\.zip cannot be read: No such file")
    path.write_bytes(b"")
    refused(path, place, InvalidRequest, r"a\.zip is no zip file")
    path.write_bytes(files["image_0.png"])
    refused(path, place, InvalidRequest, r"a\.zip is no zip file")
    whole = zipped(files, path).read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(path, place, DamagedRun, r"a\.zip is damaged: it is cut off")
    path.write_bytes(whole[5000:])
    refused(path, place, DamagedRun, "damaged")
    at = whole.index(files[LAYER]) + 3000
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(path, place, DamagedRun, r"layer_01\.safetensors' in a\.zip is damaged: Bad CRC-32")


def contents_patched(path, offset, value):
    """Write bytes at a place of every entry in a zip's list of contents."""
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + offset : at + offset + len(value)] = value
        at = data.find(b"PK\x01\x02", at + 4)
    path.write_bytes(data)
    return path


def test_other_ways_of_packing_are_refused(files, tmp_path, place):
    path = contents_patched(zipped(files, tmp_path / "a.zip"), 8, b"\x01\x00")
    refused(path, place, InvalidRequest, r"a\.zip is encrypted\. Give a zip without a password")
    path = zipped(files, tmp_path / "a.zip", packed=zipfile.ZIP_LZMA)
    refused(path, place, InvalidRequest, "packed by method 14")
    path = contents_patched(zipped(files, tmp_path / "a.zip", packed=zipfile.ZIP_DEFLATED), 24, b"\x40\x00\x00\x00")
    refused(path, place, DamagedRun, "is damaged")  # each entry says 64 bytes, and has more


def named(name, mode=0):
    entry = zipfile.ZipInfo("x")
    entry.filename, entry.external_attr = name, mode << 16  # as given: the constructor tidies names
    return entry


NAMES = {
    "up": "../run.json", "up in the middle": "made/../../evil", "absolute": "/etc/evil", "drive": "C:/evil",
    "backslash": "made\\..\\evil", "stream": "made/run.json:evil", "dot": "made/./evil", "empty part": "made//evil",
    "control": "made/\x1bevil", "folder": "made/../",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_leads_elsewhere_is_refused_with_the_whole_zip(files, tmp_path, place, name):
    path = zipped([*files.items(), (named(name), b"x")], tmp_path / "a.zip")
    refused(path, place, InvalidRequest, r"a\.zip was refused: its entry .* could lie outside of the run's folder")


def test_links_and_names_that_are_one_file_are_refused(files, tmp_path, place):
    for kind in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO):
        path = zipped([*files.items(), (named("made/link", kind | 0o777), b"/etc/passwd")], tmp_path / "a.zip")
        refused(path, place, InvalidRequest, "'made/link' is a link, not a file")
    for first, second in (("a", "a"), ("a", "A"), ("stra\u00dfe", "STRASSE"), ("\u00e9", "e\u0301"), ("a", "a/")):
        path = zipped([*files.items(), (first, b"1"), (second, b"")], tmp_path / "a.zip")
        refused(path, place, InvalidRequest, "are one file on some systems")


def test_what_holds_no_run_or_several_is_refused(files, tmp_path, place):
    path = tmp_path / "a.zip"
    refused(zipped({}, path), place, DamagedRun, "holds no run: there is no run.json")
    refused(zipped(files, path, folder="deep/down/"), place, DamagedRun, "holds no run")
    two = {folder + name: content for folder in ("a/", "b/") for name, content in files.items()}
    refused(zipped(two, path, ""), place, InvalidRequest, r"holds 2 runs: 'a/, b/'\. Give one of them alone")
    del files[LAYER]
    refused(zipped(files, path), place, DamagedRun, f"it lacks {LAYER}, which its run.json names")


def test_what_is_too_large_is_refused_with_both_numbers(files, tmp_path, place, monkeypatch):
    path = zipped(files, tmp_path / "a.zip")
    size = sum(map(len, files.values()))
    refused(path, place, LimitExceeded, r"The run in a\.zip has 0\.0 MB; the limit is 0\.0 MB", limit=size - 1)
    refused(path, place, LimitExceeded, r"run\.json in a\.zip has 0\.0 MB; the limit is 0\.0 MB", limit=100)
    many = [*files.items(), *((f"{i}", b"") for i in range(foreign_zip.MAX_ZIP_ENTRIES))]
    refused(zipped(many, path), place, LimitExceeded, r"a\.zip has 10,\d\d\d entries; the limit is 10,000")
    bomb = zipped(files | {"scores.safetensors": bytes(5_000_000)}, path, packed=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(foreign_zip, "ZIP_RATIO_FROM_BYTES", 1_000_000)
    refused(bomb, place, LimitExceeded, r"unpacks to \d+ times its size; no run does to more than 200")
    monkeypatch.setattr(foreign_zip, "MAX_ZIP_CONTENTS_BYTES", 300)
    refused(bomb, place, DamagedRun, "its list of contents is larger than 300 bytes")


def test_more_than_an_entry_says_is_never_written(files, tmp_path, place, monkeypatch):
    """A list of contents that says less than is packed, and has the checksum of that part: only that part comes out."""
    table = "scores.safetensors"
    path = zipped(files | {table: files[table] + bytes(9_000_000)}, tmp_path / "a.zip", packed=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(table.encode()))
    data[at + 16 : at + 20] = zlib.crc32(files[table]).to_bytes(4, "little")
    data[at + 24 : at + 28] = len(files[table]).to_bytes(4, "little")
    path.write_bytes(data)
    folder = unpack_run(path, place, 100_000)
    assert (folder / table).read_bytes() == files[table]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "has format None; runs have a number from 1 on"),
        (b'{"format": true}', "has format True"),
        (b'{"format": 3, "tokens": 5}', "has format 3; this version reads up to 2"),
        (b'{"format": 1}', "id is None; it must be letters and digits"),
        (b'{"format": NaN}', "NaN is no number in JSON"),
        (b'{"format": 1, "a": 1e999}', "1e999 is no number in JSON"),
        (b'{"format": 1, "a": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"format": 1, "a": "\\ud800"}', "it has half of one"),
        (b'{"format": 1, "a": ' + b"[" * 40 + b"]" * 40 + b"}", "nested too deeply"),
    ],
)
def test_a_run_json_that_is_none_is_refused(files, tmp_path, place, content, words):
    refused(zipped(files | {"run.json": content}, tmp_path / "a.zip"), place, DamagedRun, words)


def test_a_place_that_is_taken_is_left_as_it_is(files, tmp_path, place):
    path = zipped(files, tmp_path / "a.zip")
    place.mkdir()
    (place / "mine").write_text("x")
    with pytest.raises(InvalidRequest, match="is not empty"):
        unpack_run(path, place, LIMIT)
    assert [path.name for path in place.parent.rglob("*")] == ["run", "mine"]


def test_a_full_disk_leaves_nothing(files, tmp_path, place, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(foreign_zip.ForeignZip, "_unpack", fail)
    with pytest.raises(InvalidRequest, match="cannot be written: No space left on device"):
        unpack_run(zipped(files, tmp_path / "a.zip"), place, LIMIT)
    assert not list(place.parent.iterdir())


# The run


@pytest.fixture
def opened(made):
    """The small run with an index of its own to change."""
    with open_run(made) as run:
        run.info = copy.deepcopy(run.info)
        yield run


GONE = object()
INDEX = [
    ("created", "today", "created is 'today'; it must be a time"),
    ("created", "2026-01-31T12:00:00", "created is '2026-01-31T12:00:00'; it must be a time"),
    ("timings_ms", {"model": "long"}, "timings_ms of 'model' is 'long'; it must be a number"),
    ("max_new_tokens", 0, "max_new_tokens is 0; it must be a whole number from 1"),
    ("id", "../x", "id is '../x'; it must be letters and digits"),
    ("model/dtype", GONE, "the model's dtype is None; it must be a text"),
    ("mode", "x", "mode is 'x'; it must be prefill or generate"),
    ("prompt", "a" * 1_000_001, "it must be at most 1,000,000 characters long, and has 1,000,001"),
    ("tokens", [], r"tokens is \[\]; it must be at least one token"),
    ("tokens/22", GONE, "the number of keys of tower language is 23; it must be 22"),
    ("tokens/4/index", 5, "the index of token 4 is 5; it must be 4"),
    ("tokens/4/role", "x", "the role of token 4 is 'x'; it must be one of system"),
    ("tokens/4/text", "a" * 1001, "the text of token 4 is .* it must be at most 1,000 characters long"),
    ("tokens/4/part_of", 4, "part_of of token 4 is 4; it must be a whole number from 0 to 3"),
    ("tokens/4/grid", 1, "the grid of key 4 of tower language is 1; it must be 0"),
    ("tokens/4/row", -1, "the row of key 4 of tower language is -1; it must be a whole number from 0 to 1"),
    ("tokens/4/col", 3, "the col of key 4 of tower language is 3; it must be a whole number from 0 to 2"),
    ("tokens/4/col", 0, "grid 0 is '2x3'; it must be all there: 5 of its cells are"),
    ("grids/0/rows", 9, "the size of grid 0 is '9x3'; it must be at most 23 cells"),
    ("grids/0/box_px", [0, 0, 0, 40], "the box of grid 0 .* with x0 < x1"),
    ("grids/0/image", 1, "the image of grid 0 is 1; it must be 0"),
    ("grids/0/tower", "vision", "the tower of grid 0 is 'vision'; it must be language"),
    ("grids/0/row_edges_px", [0, 9, 9], "row_edges_px of grid 0 is .* it must be 3 ascending numbers"),
    ("images/0/file", "../x.png", r"the file of image 0 is '../x.png'; it must be image_0\.png"),
    ("images/0/preview", "run.json", r"the preview of image 0 is 'run\.json'; it must be preview_0\.jpg"),
    (
        "towers/nul",
        {"heads": 1, "keys": [None], "layers": []},
        "the list of towers is .* it must be language, and of vision, cross, encoder, resampler what there is",
    ),
    (
        "towers/language/heads",
        0,
        "the number of heads of tower language is 0; it must be a whole number from 1 to 1,024",
    ),
    ("towers/language/heads", 6, r"attention is F16 \[4, 4, 23\], not F16 \[4, 6, 23\]"),
    ("towers/language/queries", 7, "the number of queries of tower language is 7; it must be 23"),
    ("towers/language/layers/1/file", "/etc/passwd", "the file of layer 1 is '/etc/passwd'; it must be language/"),
    ("towers/language/layers/1/index", 0, "the index of a layer of tower language is 0; it must be .* from 1 to 999"),
    ("towers/language/layers/1/kv_heads", 4, r"layer_01.* key is F32 \[2, 23, 8\], not .* \[4, 23, 8\]"),
    ("towers/language/layers/1/head_dim", 4, r"layer_01.* key is F32 \[2, 23, 8\], not .* \[2, 23, 4\]"),
    ("groups/language", GONE, "the groups of tower language is None; it must be a list"),
    ("groups/language/0/spans", [[20, 24]], "the end of a span of .* is 24; it must be a whole number from 21 to 23"),
    ("sinks/language", {"0": [23]}, "a sink of layer '0' is 23; it must be a whole number from 0 to 22"),
    ("points", [{"image": 0, "x": 1}], "y of one of points is None; it must be a number"),
    ("points", [{"image": 0, "x": 1e9, "y": 1}], "x of one of points is 1000000000.0; it must be a number up to"),
    (
        "points",
        [{"image": 0, "x": 1, "y": 1, "ambiguous": 2}],
        "the ambiguous of one of points is 2; it must be a text",
    ),
    ("unplaced", [{"x": 1, "y": 1}], "the reason of one of unplaced is None; it must be a text"),
    ("unplaced", [{"x0": 1, "why": ""}], "y0 of one of unplaced is None; it must be a number"),
    (
        "unplaced",
        [{"x": 1, "y": 1, "why": "", "on": [{"image": 9, "x": 1, "y": 1}]}],
        "the image of a picture of one of unplaced is 9",
    ),
]


def put(record, path, value):
    """Replace one value in nested records and lists, or take it out."""
    *above, last = [int(name) if name.isdigit() else name for name in path.split("/")]
    for name in above:
        record = record[name]
    if value is GONE:
        del record[last]
    else:
        record[last] = copy.deepcopy(value)


@pytest.mark.parametrize("path, value, words", INDEX, ids=[path for path, _, _ in INDEX])
def test_an_index_whose_parts_do_not_fit_is_refused(opened, path, value, words):
    check_run(opened)
    put(opened.info, path, value)
    with pytest.raises(DamagedRun, match=words):
        check_run(opened)


def test_more_than_a_page_can_show_is_refused_with_both_numbers(opened):
    opened.info["towers"]["vision"] = {
        "heads": 1024,
        "keys": [None] * 200_000,
        "layers": [{"index": i, "file": f"vision/layer_{i:02}.safetensors"} for i in range(2)],
    }
    with pytest.raises(LimitExceeded, match=r"2 layers of 1024 heads and 200,000 keys: 409,600,000 numbers"):
        check_run(opened)
    opened.info["towers"].pop("vision")
    opened.info["images"][0].update(width=10_000, height=6_401)
    with pytest.raises(LimitExceeded, match=r"Image 0 of this run has 10000x6401 pixels; the limit is 64,000,000"):
        check_run(opened)


ODD = [None, -1, 7, 10**30, 1.5, "x", [], {}, [None], GONE]


def places(value, at=""):
    """Places of all values in nested records and lists."""
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield f"{at}{name}"
        yield from places(value[name], f"{at}{name}/")


def answers_all(run):
    """Ask a run everything that the routes ask, once."""
    json.dumps(run.info, allow_nan=False).encode()
    for tower in run.towers():
        last = run.queries(tower) - 1
        for index in run.layers(tower):
            run.column(index, run.keys(tower) - 1, tower)
            run.received(index, tower)
            run.dense(index, tower)
        run.masses(last, tower)
        run.reduced_row("mean", "max", last, tower)
        for i, grid in enumerate(run.info["grids"]):
            if grid["tower"] == tower:
                run.atlas(last, i, tower)
    run.score("image_mass")


@pytest.mark.parametrize("share", [0.2, pytest.param(1, marks=pytest.mark.full)])
def test_whatever_passes_can_be_read(tmp_path, share):
    """Every value of run.json, replaced by odd ones or left out: refused in words, or every question has an answer."""
    tokens = chat([(1, 2)], prompt=["?"], answer=["a"])[2:7]
    tokens = [{**token, "index": i} for i, token in enumerate(tokens)]
    folder = write_run(tmp_path / "run", [scene(9, 5)], [(1, 2)], tokens=tokens, prompt="?", layers=(0,), heads=2)
    with open_run(folder) as run:
        every = [(at, odd) for at in places(run.info) for odd in ODD]
    every = random.Random(0).sample(every, round(share * len(every)))
    passed = 0
    for at, odd in every:
        with open_run(folder) as run:
            put(run.info, at, odd)
            try:
                check_run(run)
            except AttentionError:
                continue
            answers_all(run)
            passed += 1
    assert passed > 50 * share


# Its files


def changed(folder, name, **changes):
    """Write a safetensors file again, with other tensors or metadata; None leaves one out."""
    path = folder / name
    tensors = load_file(path)
    with safe_open(path, "np") as file:
        metadata = file.metadata() or {}
    for key, value in changes.items():
        part = metadata if key in ("scaling", "softcap", "mask") else tensors
        if value is None:
            del part[key]
        else:
            part[key] = value(part[key]) if callable(value) else value
    save_file({key: np.asarray(value, order="C") for key, value in tensors.items()}, path, metadata)


@pytest.fixture
def own(tmp_path):
    """A small run of one's own to change."""
    return write_run(tmp_path / "own", [scene(60, 40)], [(2, 3)], prompt="?", answer="red", layers=(0, 1))


FILES = {
    "no scaling": ({"scaling": None}, "its scaling is 'missing', not a number above 0"),
    "scaling": ({"scaling": "nan"}, "its scaling is 'nan'"),
    "softcap": ({"softcap": "inf"}, "its softcap is 'inf'"),
    "no mask": ({"mask": None}, "it names no mask"),
    "unknown mask": ({"mask": "mask_0"}, r"its mask 'mask_0' is missing, not U8 \[23, 3\] in masks.safetensors"),
    "segments": ({"mask": "segments"}, "it has no segments"),
    "segments' end": ({"mask": "segments", "segments": np.array([9, 24], np.int32)}, "segments are not ascending"),
    "no query": ({"query": None}, "it has no query"),
    "no factors": ({"query": None, "key": None}, "it has no queries and keys, and 4 of 23 rows"),
    "nothing": ({"query": None, "key": None, "attention": None, "positions": None}, "no queries and keys, and 0 of 23"),
    "query": ({"query": lambda value: value[:, 1:]}, r"query is F32 \[4, 22, 8\], not .* \[4, 23, 8\]"),
    "numbers": ({"query": lambda value: value.astype(np.int32)}, r"query is I32 \[4, 23, 8\]"),
    "rows": ({"attention": lambda value: value[1:]}, r"attention is F16 \[3, 4, 23\], not F16 \[4, 4, 23\]"),
    "rows' type": ({"attention": lambda value: value.astype(np.float32)}, "attention is F32"),
    "no positions": ({"positions": None}, "it has no positions"),
    "positions": ({"positions": lambda value: value[::-1]}, "its positions are not ascending, from 0 to 22"),
    "far positions": ({"positions": lambda value: value + 1}, "its positions are not ascending, from 0 to 22"),
    "other positions": ({"positions": lambda value: value - 1}, "tower language of this run store different rows"),
    "sink logits": ({"sink_logits": np.zeros(3, np.float32)}, r"sink_logits is F32 \[3\], not F32 \[4\]"),
    "one for all": ({"sink_logits": np.float32(3)}, r"sink_logits is F32 \[\], not F32 \[4\]"),
    "each query's": ({"sink_logits": np.zeros((4, 3), np.float32)}, r"sink_logits is F32 \[4, 3\], not F32 \[4, 23\]"),
    "position bias": ({"position_bias": np.zeros((4, 23, 3), np.float32)}, r"\[4, 23, 3\], not .* \[4, 23, 23\]"),
    "received": ({"received": np.zeros((4, 2), np.float32)}, r"received is F32 \[4, 2\], not F32 \[4, 23\]"),
}  # fmt: skip


@pytest.mark.parametrize("changes, words", FILES.values(), ids=FILES)
def test_a_layer_that_does_not_fit_the_index_is_refused(own, changes, words):
    changed(own, LAYER, **changes)
    with open_run(own) as run, pytest.raises(DamagedRun, match=words):
        check_run(run)


def test_kv_heads_that_heads_cannot_share_are_refused(tmp_path):
    folder = write_run(tmp_path / "run", [], [], tokens=chat([]), prompt="?", layers=(0,))
    changed(folder, "language/layer_00.safetensors", key=lambda value: np.concatenate([value, value[:1]]))
    with open_run(folder) as run:
        del run.info["towers"]["language"]["layers"][0]["kv_heads"]
        with pytest.raises(DamagedRun, match="4 heads of queries cannot share 3 heads of 8 numbers each"):
            check_run(run)


def test_masks_and_scores_have_the_shapes_of_their_tower(own):
    n = 23
    for name in ("language/layer_00.safetensors", LAYER):
        changed(own, name, mask="mask_0")
    packed = np.packbits(np.tril(np.ones((n, n), bool)), axis=-1, bitorder="little")
    save_file({"mask_0": packed}, own / "masks.safetensors")
    with open_run(own) as run:
        check_run(run)
        answers_all(run)
    save_file({"mask_0": packed[:, :2]}, own / "masks.safetensors")
    with open_run(own) as run, pytest.raises(DamagedRun, match=r"mask 'mask_0' is U8 \[23, 2\], not U8 \[23, 3\]"):
        check_run(run)
    save_file({"mask_0": packed}, own / "masks.safetensors")
    changed(own, "scores.safetensors", **{"language.image_mass": lambda value: value[:1]})
    with open_run(own) as run, pytest.raises(DamagedRun, match=r"image_mass' is F32 \[1, 4, 4\], not F32 \[2, 4, 4\]"):
        check_run(run)


def header(tensors, data=b"", metadata=None):
    content = json.dumps({"__metadata__": metadata or {}, **tensors}).encode()
    return len(content).to_bytes(8, "little") + content + data


def tensor(shape, first, last, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


HEADERS = {
    "empty": (b"", "its header cannot be read"),
    "endless": ((1 << 60).to_bytes(8, "little") + b"{}", "its header cannot be read"),
    "nested": ((5000).to_bytes(8, "little") + b"[" * 5000, "nested too deeply"),
    "list": ((2).to_bytes(8, "little") + b"[]", "its header is no record"),
    "metadata": (header({}, metadata={"scaling": 1}), "its metadata are no texts"),
    "type": (header({"a": tensor([1], 0, 4, "F8")}, bytes(4)), "'a' has no type, shape and place"),
    "negative": (header({"a": tensor([-1, -1], 0, 4)}, bytes(4)), "'a' has no type, shape and place"),
    "shape": (header({"a": tensor([2], 0, 4)}, bytes(4)), r"'a' has bytes \[0, 4\] for the shape \[2\]"),
    "overlap": (header({"a": tensor([1], 0, 4), "b": tensor([1], 2, 6)}, bytes(6)), "overlap, or leave gaps"),
    "gap": (header({"a": tensor([1], 0, 4), "b": tensor([1], 6, 10)}, bytes(10)), "overlap, or leave gaps"),
    "cut off": (header({"a": tensor([2], 0, 8)}, bytes(6)), "it has 6 bytes of tensors where its header says 8"),
    "too long": (header({"a": tensor([1], 0, 4)}, bytes(6)), "it has 6 bytes of tensors where its header says 4"),
    "empty tensor": (header({"a": tensor([0, 1 << 60], 0, 0)}), "'a' has bytes"),
}  # fmt: skip


@pytest.mark.parametrize("content, words", HEADERS.values(), ids=HEADERS)
def test_a_header_that_lies_is_refused(own, content, words):
    (own / LAYER).write_bytes(content)
    with open_run(own) as run, pytest.raises(DamagedRun, match=f"{LAYER} of this run is damaged: .*{words}"):
        check_run(run)


def picture(size, kind, mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("image_0.png", b"<svg onload='x'/>", "no PNG picture"),
        ("image_0.png", picture((60, 40), "JPEG"), "no PNG picture"),
        ("image_0.png", picture((60, 40), "PNG")[:-30], "no PNG picture"),
        ("image_0.png", picture((6000, 4000), "PNG"), "it has 6000x4000 pixels where run.json says 60x40"),
        ("image_0.png", picture((60, 40), "PNG", "P"), "its colours are P, not RGB"),
        ("preview_0.jpg", picture((60, 40), "PNG"), "no JPEG picture"),
        ("preview_0.jpg", picture((60, 40), "JPEG")[:-200], "no JPEG picture"),
        ("preview_0.jpg", picture((61, 40), "JPEG"), "it has 61x40 pixels where run.json says 60x40"),
    ],
)
def test_a_picture_that_is_none_or_another_is_refused(own, name, content, words):
    (own / name).write_bytes(content)
    with open_run(own) as run, pytest.raises(DamagedRun, match=f"{name} of this run is damaged: .*{words}") as raised:
        check_run(run)
    assert str(own) not in str(raised.value)


def test_a_picture_of_a_run_is_counted_before_it_is_decoded(own, monkeypatch):
    (own / "preview_0.jpg").write_bytes(jpeg_of_scans(2000))
    monkeypatch.setattr(JpegImageFile, "load", lambda self: pytest.fail("it was decoded"))
    with open_run(own) as run, pytest.raises(LimitExceeded, match=r"^preview_0\.jpg has more than 100 scans"):
        check_run(run)


def test_a_file_that_is_missing_is_named(own):
    (own / LAYER).unlink()
    with open_run(own) as run, pytest.raises(DamagedRun, match=f"{LAYER} of this run is damaged: it cannot be read"):
        check_run(run)


def test_a_damaged_run_inside_a_sound_zip_leaves_nothing(own, tmp_path, place):
    changed(own, LAYER, positions=lambda value: value[::-1])
    with open_run(own) as run:
        export(run, "zip", tmp_path / "own.zip")
    refused(tmp_path / "own.zip", place, DamagedRun, "its positions are not ascending")

"""One schema of run.json and comparison.json: what is written is of it, what is foreign is held against it."""

import copy
import json
import re
from pathlib import Path

import pytest

from attention.errors import DamagedRun
from attention.runs.checks.run import check_index
from attention.runs.schema import COMPARISON, RUN
from attention.runs.schema_tables import PAGE, page

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "assets" / "examples").glob("**/run.json"))
VIEWER_NAMES = {"Picture": "Image"}  # whose other names are the schema's


def load(file):
    return json.loads(file.read_text(encoding="utf-8"))


def typedefs(file):
    """The fields of each `@typedef {object}` of a viewer's module."""
    text = (ROOT / "assets" / "viewer" / "data" / file).read_text(encoding="utf-8")
    found = re.findall(r"@typedef \{object\} (\w+)(.*?)(?=@typedef|\*/)", text, re.DOTALL)
    return {name: re.findall(r"@property \{.*\} \[?(\w+)\]?", body) for name, body in found}


def records(schema):
    return {schema["title"]: schema["properties"]} | {
        name: record["properties"] for name, record in schema["$defs"].items()
    }


def test_the_tables_of_the_format_page_are_those_of_the_schema():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "python -m attention.runs.schema_tables writes them anew"
    assert text.count("<!-- fields of") == 2


@pytest.mark.parametrize("file, schema", [("run_info.js", RUN), ("comparison_info.js", COMPARISON)])
def test_the_viewer_reads_fields_of_the_schema(file, schema):
    known, read = records(schema.json_schema()), typedefs(file)
    assert {"RunInfo", "Token"} <= set(read) or {"ComparisonInfo", "Member"} <= set(read)
    for name, fields in read.items():
        assert fields and set(fields) <= set(known[VIEWER_NAMES.get(name, name)]), name


@pytest.mark.parametrize("file", EXAMPLES, ids=[str(file.parent.relative_to(ROOT)) for file in EXAMPLES])
def test_runs_of_earlier_days_are_of_the_schema(file):
    info = load(file)
    assert RUN.validate_python(info) == info


def test_what_a_run_of_today_holds_is_in_the_schema_and_the_other_way_round(tiny_run):
    info = load(tiny_run / "run.json")
    assert RUN.validate_python(info) == info
    assert list(info) == list(RUN.json_schema()["properties"])


def test_a_comparison_is_of_the_schema():
    info = load(ROOT / "assets" / "examples" / "compared" / "comparison.json")
    assert COMPARISON.validate_python(info) == info


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("prompt_tokens", True, "prompt_tokens is True; it must be a whole number."),
        ("forced", 1, "forced is 1; it must be true or false."),
        ("answer", ["red"], r"answer is \['red'\]; it must be a text."),
        ("adapter", {"id": "a" * 501}, "the adapter's id is .*; it must be at most 500 characters long, and has 501."),
        ("timings_ms", {"0": "long"}, "timings_ms of '0' is 'long'; it must be a number from 0 to"),
        ("sinks", {"language": {"0": [0.5]}}, "a sink of layer '0' is 0.5; it must be a whole number."),
        ("notes", [""] * 300_000, "notes is '300,000 long'; it must be a list of at most 262,144."),
        ("unplaced", [{"x0": 1, "y0": 1, "x1": 2, "y1": 2, "why": "", "on": [{"image": 0, "x": "1", "y": 2}]}],
         "x of a picture of one of unplaced is '1'; it must be a number up to"),
        ("grids", [{"image": 0, "tower": "language", "kind": "whole", "box_px": [0, 0, "9", 9], "rows": 1, "cols": 1}],
         "the box of grid 0 is '9'; it must be a number up to 10,000,000."),
    ],
)  # fmt: skip
def test_a_field_of_another_kind_is_named_by_its_path(field, value, words):
    info = load(ROOT / "assets" / "examples" / "shapes" / "run.json")
    check_index(info)
    with pytest.raises(DamagedRun, match=f"^run.json of this run is damaged: {words}"):
        check_index(info | {field: value})


def test_a_cell_of_a_tower_is_named_by_its_key():
    info = load(ROOT / "assets" / "examples" / "shapes" / "run.json")
    wrong = copy.deepcopy(info)
    wrong["towers"]["vision"]["keys"][3] = {"grid": 1, "row": None, "col": 0}
    with pytest.raises(DamagedRun, match="the row of key 3 of tower vision is None; it must be a whole number"):
        check_index(wrong)


def test_fields_that_nobody_knows_are_ignored():
    info = load(ROOT / "assets" / "examples" / "shapes" / "run.json")
    check_index(info | {"seen": {"deep": [1, 2]}, "tokens": [token | {"colour": "red"} for token in info["tokens"]]})

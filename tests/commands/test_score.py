"""`score` and `heads`: what is printed, what is written, and how a stop is said."""

import json
import os
import shutil
import signal

import pytest
from shared import once

from attention.commands import main as command_line
from attention.commands import score as command
from attention.environment import EXAMPLES
from attention.scoring.item_rows import NAME

SET = ["--jsonl", str(EXAMPLES / "set.jsonl"), "--model", "pocket", "--device", "cpu"]


@pytest.fixture
def call(capsys):
    def run(*arguments):
        try:
            code = command_line.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def scored(tmp_path):
    """A folder of scores of the example set, of base and an adapter; may be changed."""

    def make(folder):
        assert command_line.main(["score", *SET, "--adapter", "largest", "--output-dir", str(folder), "--quiet"]) == 0

    return shutil.copytree(once("scores of the examples", make), tmp_path / "scores")


def test_a_table_of_models_with_chance_and_what_lies_between_them(call, scored):
    code, out, err = call("score", *SET, "--adapter", "largest", "--output-dir", scored)
    lines = out.splitlines()
    assert code == 0 and "Scoring largest" in err and f"In {scored}" in err
    assert lines[0] == "12 items on 6 pictures; scored: base 12, largest 12; with a reason why not: 0."
    head = next(number for number, line in enumerate(lines) if line.startswith("model"))
    assert [line.split()[0] for line in lines[head + 1 : head + 3]] == ["base", "largest"]
    assert any(line.startswith("largest less base, on 12 items") for line in lines)
    assert any("heads that moved: " in line and "of 20" in line for line in lines)


def test_one_object_for_programs(call, scored):
    code, out, err = call("score", *SET, "--adapter", "largest", "--output-dir", scored, "--json", "--quiet")
    said = json.loads(out)
    assert code == 0 and err == "" and said["folder"] == str(scored) and len(said["models"]) == 2
    assert said["pairs"][0]["least_p"] == 2 / 2**6 and "items" not in said


def test_found_heads_are_written_as_the_page_loads_them(call, scored, tmp_path):
    file = tmp_path / "heads.json"
    code, out, _ = call("heads", scored, "--top", 3, "--output", file)
    found = json.loads(file.read_text(encoding="utf-8"))
    assert code == 0 and out.splitlines()[-1] == str(file) and len(out.splitlines()) == 4
    assert (found["format"], found["kind"], found["model"]) == (1, "heads", {"id": "pocket", "revision": None})
    assert found["tower"] == "language" and found["found_on"] == found["scored_on"] == 3
    scores = [head["score"]["mean"] for head in found["heads"]]
    assert len(scores) == 3 and all(head["above_chance"] is None for head in found["heads"])
    _, out, _ = call("heads", scored, "--of", "largest", "--by", "region_peak", "--json")
    assert json.loads(out)["adapter"]["id"] == "largest" and json.loads(out)["by"] == "region_peak"
    for wrong, said in (["--of", "other"], "no model"), (["--by", "mass"], "found by"), (["--top", 0], "--top is 0"):
        code, _, err = call("heads", scored, *wrong)
        assert code == 2 and said in err
    assert call("heads", tmp_path)[0] == 1


def test_a_set_of_bad_lines_fails_with_every_reason(call, tmp_path):
    lines = ["{", {"image": "missing.png", "prompt": "where?", "box": [0, 0, 9, 9]}, {"prompt": "?", "click": [1, 2]}]
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    code, out, err = call("score", "--jsonl", path, "--model", "pocket", "--output-dir", tmp_path / "scores")
    assert code == 1 and "base: No item was scored." in out and "with a reason why not: 3" in out
    assert "line 1: It is not JSON" in err and "line 2: " in err and "missing.png" in err
    assert "line 3: It has no image" in err


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(call, tmp_path, monkeypatch):
    create, made = command._ItemRun.create.__func__, []

    def interrupted(cls, final):
        made.append(final)
        if len(made) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return create(cls, final)

    monkeypatch.setattr(command._ItemRun, "create", classmethod(interrupted))
    flags = ["score", *SET, "--output-dir", tmp_path / "scores"]
    code, out, err = call(*flags)
    assert (code, out) == (130, "") and "What is done is kept in" in err and "goes on from there" in err
    assert (tmp_path / "scores" / NAME).read_bytes().count(b"\n") == 2
    assert call(*flags)[0] == 0 and len(made) == 3 + 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rows", "last"], "The rows are 'last'"),
        (["--rows", "place"], "--mode generate"),
        (["--by", "iou"], "found by 'iou'"),
        (["--sample", "0"], "The sample is 0 items"),
        (["--form", "coco"], "The form 'coco' is not known"),
        (["--wording", "Click"], "The wording is 'Click'"),
        (["--adapter", "missing"], "missing"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_left(call, tmp_path, flags, said):
    code, out, err = call("score", *SET, "--output-dir", tmp_path / "scores", *flags)
    assert code == 2 and out == "" and said in err and not (tmp_path / "scores").exists()

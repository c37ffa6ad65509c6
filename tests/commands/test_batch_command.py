"""`batch`: what is printed, what the exit code says, and what the other commands make of its folder."""

import json

import pytest

from attention.batches.running import Counts
from attention.commands import main as command_line
from attention.commands.batch import BatchProgress
from attention.commands.progress import Progress
from attention.environment import EXAMPLES


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
def questions(tmp_path):
    lines = (EXAMPLES / "set.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join([lines[0], lines[2], '{"prompt": "what?"}']), encoding="utf-8")
    return ["--jsonl", path, "--images", EXAMPLES, "--model", "pocket", "--device", "cpu"]


def test_a_bad_line_is_said_and_is_the_exit_code_and_score_and_heads_read_the_rest(call, questions, tmp_path):
    settings = [*questions, "--mode", "generate", "--batch", 2, "--output-dir", tmp_path / "b"]
    code, out, err = call("batch", *settings)
    assert code == 1 and out.strip() == str(tmp_path / "b")
    assert "line 3: It has no image" in err and "2 items made, 0 there before or asked twice, 1 failed" in err
    assert "0 answers were other in a batch than alone" in err and "summary." in err
    code, out, err = call("batch", *settings, "--json", "--quiet")
    said = json.loads(out)
    assert code == 1 and err == "" and (said["made"], said["known"], said["failed"]) == (0, 2, 1)
    assert said["errors"] == [{"name": "line 3", "reason": "It has no image: name the picture's file."}]
    code, out, _ = call("heads", tmp_path / "b", "--json")
    assert code == 0 and json.loads(out)["items"] == 2 and json.loads(out)["kind"] == "heads"
    code, out, _ = call("score", "--from", tmp_path / "b", "--output-dir", tmp_path / "scores")
    assert code == 0 and out.startswith("3 items on 2 pictures; scored: base 2; with a reason why not: 1.")
    code, out, _ = call("batch", "--merge", tmp_path / "b", "--output-dir", tmp_path / "c", "--json")
    assert code == 1 and json.loads(out)["items"] == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--dataset", "x"], "Name the set: --jsonl FILE, or --dataset SET"),
        (["--shard", "two"], "The shard is 'two'"),
        (["--shard", "0/2"], "The shard is 0/2"),
        (["--batch", "0"], "The batch is 0 answers"),
        (["--form", "coco"], "The form 'coco' is not known"),
        (["--wording", "find it"], "The wording is 'find it'"),
        (["--keep", "none"], "What is kept is 'none'"),
        (["--rows", "last"], "The rows are 'last'"),
        (["--engine", "dask"], "The engine is 'dask'"),
        (["--split", "test"], "no data set of the Hub"),
        (["--readings", "cells"], "A batch makes no reading 'cells'"),
        (["--target", "first"], "--target is of a reading: add --readings forecast"),
        (["--readings", "lens", "--sides", "3"], "--sides is of a reading: add --readings agreement"),
    ],
)
def test_a_setting_that_is_none_is_refused_before_anything_is_run(call, questions, tmp_path, more, said):
    code, _, err = call("batch", *questions, "--output-dir", tmp_path / "b", *more)
    assert code == 2 and said in err


def test_a_dry_run_says_what_the_first_item_costs_with_its_readings_and_writes_nothing(call, questions, tmp_path):
    settings = [*questions, "--mode", "generate", "--max-new-tokens", 4, "--output-dir", tmp_path / "b", "--dry-run"]
    code, out, _ = call("batch", *settings, "--readings", "forecast", "agreement", "--sides", 2)
    assert code == 0 and not (tmp_path / "b").exists()
    assert out.startswith("line 1: its run is a pass over ") and "its readings 14 more" in out and "3 items" in out
    code, out, _ = call("batch", *settings, "--json")
    assert code == 0 and json.loads(out)["reading_passes"] == 0 and json.loads(out)["items"] == 3
    code, _, err = call("batch", *questions, "--readings", "forecast", *settings[-3:])
    assert code == 2 and "It has no answer, and its forecast is of one" in err


def test_progress_says_how_many_a_second_and_how_long_the_others_take(capsys):
    now = 0.0
    said = BatchProgress(Progress(), clock=lambda: now)
    said("items", Counts(), 100)
    for made in range(0, 100, 5):
        now += 10
        said("items", Counts(made=made, failed=3), 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Running items" and len(lines) == 4
    assert lines[2] == "Running items: item 58 of 100, 0.5 a second, 3 failed, about 85 s left"


def test_flags_that_would_be_passed_over_are_refused(call, tmp_path):
    to = ["--output-dir", tmp_path / "s"]
    for arguments, said in (
        (["score", *to], "--jsonl FILE, or --from FOLDER"),
        (["score", "--from", "b", "--adapter", "largest", *to], "--adapter says nothing beside --from"),
        (["score", "--from", "b", "--keep-runs", *to], "--keep-runs says nothing beside --from"),
        (["batch", "--merge", "b", "--mode", "generate", *to], "--mode says nothing beside --merge"),
        (["batch", "--jsonl", "b", "--workers", "2", *to], "add --engine ray"),
    ):
        code, _, err = call(*arguments)
        assert code == 2 and said in err

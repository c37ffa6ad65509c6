"""Words of a lens on the command line: made once, of tokens that are named, found, or stand for cells."""

import json
import shutil

import pytest

from attention.commands.main import main
from attention.environment import EXAMPLES
from attention.runs.run import open_run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "shapes"
    shutil.copytree(EXAMPLES / "shapes", place)
    return place


def test_words_of_the_row_that_answers_end_with_the_answer(place, capsys):
    assert main(["words", str(place), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    with open_run(place) as run:
        last = found["words"][len(run.layers()) - 1]
        assert last["token"] == run.info["prompt_tokens"] - 1 and last["layer"] == run.layers()[-1]
        assert last["words"][0]["text"] == run.info["answer"] and found["caution"] == ""
    assert main(["words", str(place), "--cells", "0", "--layer", "3", "--json"]) == 0
    with open_run(place) as run:
        assert len(json.loads(capsys.readouterr().out)["words"]) == run.cells(0).size


def test_words_are_printed_and_what_is_not_there_is_named(place, capsys):
    assert main(["words", str(place), "--find", " star", "--layer", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("  after layer 3: ")
    for arguments, words in (
        (["--find", "zebra"], "spells 'zebra'"), (["--layer", "99"], "no layer 99"),
        (["--token", "9999"], "token 9999"),
    ):  # fmt: skip
        assert main(["words", str(place), *arguments]) != 0
        assert words in capsys.readouterr().err

"""Tokens of a run as a table: rows that other programs take, and parts by position or by words."""

import warnings

import numpy as np
import pandas
import pytest
import torch

from attention.environment import EXAMPLES
from attention.errors import NotInRun
from attention.runs.run import open_run


@pytest.fixture(scope="module")
def run():
    with open_run(EXAMPLES / "shapes") as run:
        yield run


def test_a_row_is_what_run_json_says_of_a_token(run):
    table, records = run.tokens, run.info["tokens"]
    assert len(table) == len(records) and table[93].text == "red" and table[-1] == table[len(table) - 1]
    for row, record in zip(table, records, strict=True):
        assert (row.position, row.id, row.text, row.role) == tuple(record[k] for k in ("index", "id", "text", "role"))
        assert (row.grid, row.row, row.col) == (record["grid"], record["row"], record["col"])
    assert table.text == "".join(record["text"] for record in records)


def test_parts_are_taken_by_position_and_by_words(run):
    table = run.tokens
    (red,) = table["red"]
    assert red.role == "answer" and table["red"].positions == run.find("red") == [93]
    assert table[90:94].positions == [90, 91, 92, 93] and table[::-1][0] == table[-1]
    question = table["what":"star"]
    assert question.text == "what color is the star" and question["star"].positions == run.find("star", "prompt")
    assert table["color":][0].text.strip() == "color" and table[:"what"].positions[-1] == question.positions[0]
    assert question[-3:"star"].text == question[-3:].text == " is the star"
    with pytest.raises(NotInRun, match="No tokens here spell 'square'; they spell 'what color is the star'"):
        question["square"]


def test_pandas_makes_a_frame_of_it(run):
    frame = pandas.DataFrame(run.tokens)
    assert list(frame.columns) == ["position", "id", "text", "role", "grid", "row", "col"]
    assert frame[frame.role == "answer"].position.tolist() == [93]
    assert frame.groupby("role").size()["image"] == 7 * 11


def test_arrays_of_a_run_are_tensors_without_a_copy(run):
    given = [
        run.row(3, 92), run.map(3, 1, 92), run.column(3, 93), run.atlas(92), run.dense(0), run.stored_row(3, 92),
        run.score("image_mass"), run.exact_rows(92).copy(),
    ]  # fmt: skip
    for array in given:
        with warnings.catch_warnings(action="error", category=UserWarning):  # of one that may not be written into
            tensor = torch.from_numpy(array)
        assert np.asarray(array) is array and np.shares_memory(tensor.numpy(), array)
    (shared, *_) = run.rows(92, source="factors")
    assert not shared.flags.writeable and np.asarray(shared) is shared

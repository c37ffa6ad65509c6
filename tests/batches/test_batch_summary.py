"""Summaries: all items in one file, the same numbers in every form, and what is said of places."""

import numpy as np
import pytest
from made_batches import read_batch
from shared import once

from attention import Request, open_batch, run_batch
from attention.batches.summary import write_summaries
from attention.batches.tables import AT_A_PLACE, SCORES
from attention.environment import EXAMPLES
from attention.errors import InvalidRequest

QUESTION = {"image": str(EXAMPLES / "shapes.png"), "prompt": "what color is the circle?"}
PLACES = [[301, 459, 431, 588], [745, 362, 918, 534]]
GIVEN = [
    QUESTION | {"id": "two", "boxes": PLACES},
    QUESTION | {"id": "none", "prompt": "what color is the star?"},
    {"id": "chat", "messages": [{"role": "user", "content": [{"type": "image", "image": QUESTION["image"]},
                                                             {"type": "text", "text": "and this?"}]}]},
    QUESTION | {"id": "click", "click": [360, 520], "answer": "green"},
]  # fmt: skip


@pytest.fixture(scope="module")
def made():
    """A batch of an item with two places, two with none, and one with a given answer. Not to be changed."""
    return once("batch of places", lambda folder: run_batch(GIVEN, folder, Request(model="pocket", device="cpu")))


def test_a_summary_has_a_row_for_each_place_and_opens_in_three_lines(made):
    found = np.load(made / "summary.npz")
    batch = open_batch(made)
    assert found["name"].tolist() == ["two", "two", "none", "chat", "click"]
    assert found["place_number"].tolist() == [0, 1, -1, -1, 0]
    assert found["prompt"].tolist()[3] == "and this?" and found["answer"].tolist() == ["", "", "", "", "green"]
    assert np.isnan(found["logprob"]).tolist() == [True] * 4 + [False] and found["forced"].tolist()[4]
    assert found["place"][1].tolist() == PLACES[1] and np.isnan(found["place"][4]).tolist() == [False] * 2 + [True] * 2
    assert found["layers"].tolist() == batch.rows()[0]["layers"] and found["image_mass"].shape == (5, 5, 4)
    for name in SCORES:
        assert np.array_equal(found[name][[0, 2, 3, 4]], batch.table(name)) and np.isfinite(found[name]).all()
    for name in AT_A_PLACE:
        first = batch.table(name)
        assert np.array_equal(found[name][[0, 2, 3, 4]], first, equal_nan=True) and np.isnan(first[[1, 2]]).all()
    assert not np.array_equal(found["region_share"][0], found["region_share"][1])
    assert 0 < found["uniform"][0] < 1 and np.isnan(found["uniform"][2])


def test_a_batch_without_any_place_has_no_column_of_places(tmp_path):
    found, _ = run_batch([GIVEN[1]], tmp_path / "b", Request(model="pocket", device="cpu"))
    columns = np.load(found.folder / "summary.npz").files
    assert set(SCORES) < set(columns) and not {"place", "outcome", *AT_A_PLACE} & set(columns)
    with pytest.raises(InvalidRequest, match="parquet or npz"):
        write_summaries(found, "csv")


@pytest.mark.parametrize("which", ["places", "readings"])
def test_parquet_has_the_same_columns(made, tmp_path, which):
    pytest.importorskip("pyarrow", reason="Parquet needs the optional package pyarrow")
    import shutil

    from pyarrow import parquet

    folder = made if which == "places" else read_batch()
    batch = open_batch(shutil.copytree(folder, tmp_path / "b"))
    (path,) = write_summaries(batch, "parquet")
    table, arrays = parquet.read_table(path), np.load(folder / "summary.npz")
    assert path.name == "summary.parquet" and set(table.column_names) == set(arrays.files) - {"layers", "lens_layers"}
    assert table.schema.metadata[b"layers"] == b"[0, 1, 2, 3, 4]"
    for name in table.column_names:
        values = table[name].to_pylist()
        if arrays[name].dtype.kind == "U":
            assert values == arrays[name].tolist()
        else:
            assert np.array_equal(np.array(values, arrays[name].dtype), arrays[name], equal_nan=True), name

"""A batch as a data set: what its columns hold, which pictures go into it, and what the card says of them."""

import io
import json
import shutil

import numpy as np
import pytest
import yaml
from made_batches import read_batch
from PIL import Image
from shared import once

from adapters import choose
from adapters.comparing import members_of
from attention import Request, open_batch, run_batch
from attention.batches.tables import AT_A_PLACE
from attention.commands.main import main
from attention.environment import EXAMPLES
from attention.errors import NotInRun
from attention.exports.data_set import pictures as of_pictures
from attention.exports.data_set import writing
from attention.exports.data_set.card import card
from attention.exports.data_set.columns import columns_of, items_of, values_of
from attention.exports.data_set.pictures import Pictures, SetPictures
from attention.sets.reading import read_set

PLACES = [[301, 459, 431, 588], [745, 362, 918, 534]]
REQUEST = Request(model="pocket", device="cpu")


def photograph(path, **more):
    """A JPEG that says where it was taken."""
    said = Image.Exif()
    said[0x010F], said[0x0112] = "a camera at 48.8 N", 6  # maker; turned by a quarter
    with Image.open(EXAMPLES / "shapes.png") as picture:
        picture.convert("RGB").resize((240, 160)).save(path, exif=said, **more)


@pytest.fixture(scope="module")
def compared():
    """A batch with all kept: two models, an item with two places, and one with none. Not to be changed."""

    def make(folder):
        picture = str(EXAMPLES / "shapes.png")
        given = [
            {"id": "two", "image": picture, "prompt": "what color is the circle?", "boxes": PLACES, "answer": "green"},
            {"id": "none", "image": picture, "prompt": "what color is the star?"},
        ]
        run_batch(given, folder, REQUEST, members_of(choose(["largest"], "pocket"), REQUEST), keep="all")

    return open_batch(once("batch of two models, all kept", make))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A batch with rows kept, of a photograph that says where it was taken, and of a PNG. Not to be changed."""
    folder = tmp_path_factory.mktemp("set")
    photograph(folder / "photo.jpg")
    shutil.copyfile(EXAMPLES / "shapes.png", folder / "shapes.png")
    given = [{"image": str(folder / name), "prompt": "what color is the circle?", "click": [60, 60]}
             for name in ("photo.jpg", "shapes.png")]  # fmt: skip
    return run_batch(given, folder / "b", REQUEST, keep="rows")[0]


def opened(picture):
    return Image.open(io.BytesIO(picture["bytes"]))


def values(batch):
    pictures = Pictures(batch)
    found = [values_of(batch, each, pictures.of(each), kept=True) for each in items_of(batch)]
    return found, pictures


def test_every_column_of_an_item_is_what_the_batch_has(compared):
    found, pictures = values(compared)
    names = [column.name for column in columns_of(compared, "drawn")]
    assert len(names) == len(set(names)) and all(set(row) - {"messages", "other_images"} <= set(names) for row in found)
    assert {"image_mass", "adapter_1_image_mass", "adapter_1_js_image", "adapter_1_overlay"} < set(names)
    assert "js_image" not in names and "messages" not in names and not pictures.lacking
    for item, row in enumerate(found):
        for member, before in (("base", ""), ("adapter_1", "adapter_1_")):
            of = compared.rows(member)[item]
            for name in compared.names(member):
                own = np.array(row[before + name], np.float32)
                tables = compared.tables_of(of)
                truth = (
                    [tables[f"{n}.{name}"] for n in range(len(of["places"]))] if name in AT_A_PLACE else tables[name]
                )
                assert np.array_equal(own, np.array(truth, np.float32).reshape(own.shape), equal_nan=True), name
            assert row[f"{before}answer"] == of["answer"] and row[f"{before}kept"] == f"runs/{row['id']}"
        assert opened(row["image"]).size == (960, 640) and opened(row["overlay"]).size == (768, 512)
        assert row["overlay"]["bytes"] != row["adapter_1_overlay"]["bytes"]
    assert found[0]["places"] == PLACES and found[0]["logprob"] < 0 and found[1]["logprob"] is None
    assert [len(row["region_share"]) for row in found] == [2, 0]


def test_what_readings_say_is_in_columns_with_their_words_and_on_the_card():
    batch = open_batch(read_batch())
    (first, second), _ = values(batch)
    columns = columns_of(batch, "drawn")
    names = {column.name: column for column in columns}
    assert len(names) == len(columns) and set(first) - {"messages", "other_images"} <= set(names)
    row = batch.rows()[0]
    tables = batch.tables_of(row)
    assert first["silence_zero"] == tables["silence_zero"].tolist()
    assert first["forecast_region"] == [tables[f"{place}.forecast_region"].tolist() for place in (0, 1)]
    assert first["place_cells"] == [place["cells"] for place in row["places"]] and second["place_cells"] == []
    assert first["lens_word"] == row["readings"]["lens"]["words"] and len(first["lens_place_word"][0]) == 5
    assert first["painted_rank_hidden"] == row["readings"]["agreement"]["maps"]["hidden"]["painted"]["rank"]
    assert names["forecast_region"].words.endswith("in nats; [places][5 layers][4 heads]")
    text = card(batch, columns, "2 items", [], 2, "all")
    assert "readings of each item: forecast, relative, lens, agreement" in text and "none is an explanation" in text


def test_a_picture_goes_without_what_its_file_says_and_upright(rows):
    (photo, shapes), pictures = values(rows)
    assert not pictures.lacking and b"camera" not in photo["image"]["bytes"]
    assert opened(photo["image"]).size == (160, 240) and not opened(photo["image"]).getexif()
    assert opened(photo["image"]).format == "JPEG" and opened(shapes["image"]).format == "PNG"
    with Image.open(EXAMPLES / "shapes.png") as truth:
        assert np.array_equal(np.asarray(opened(shapes["image"])), np.asarray(truth.convert("RGB")))


def test_a_jpeg_that_says_nothing_more_goes_as_it_is(tmp_path):
    photograph(tmp_path / "said.jpg")
    with Image.open(tmp_path / "said.jpg") as picture:
        picture.save(tmp_path / "commented.jpg", comment="by somebody")
        picture.save(tmp_path / "bare.jpg")
        picture.convert("L").save(tmp_path / "grey.jpg")
    bare = {name for name in ("said", "commented", "bare", "grey")
            if of_pictures.says_only_its_picture((tmp_path / f"{name}.jpg").read_bytes())}  # fmt: skip
    assert bare == {"bare"}


def test_the_map_of_kept_rows_is_that_of_the_run(rows, compared):
    """Cells of a picture without sinks have the same colours, whether a run or its rows were kept."""
    row = next(items_of(rows))["base"]
    grid, found, is_sink = of_pictures.of_rows(rows.folder / row["kept"], row, None, None)
    assert found.shape == (grid["rows"], grid["cols"]) and not is_sink.any()
    assert found.sum() == pytest.approx(rows.table("image_mass")[0].mean(), rel=2e-3)
    _, one, _ = of_pictures.of_rows(rows.folder / row["kept"], row, 3, 1)
    assert one.sum() == pytest.approx(rows.table("image_mass")[0, 3, 1], rel=2e-3)


def test_a_picture_that_is_gone_or_another_is_none_and_counted(rows, tmp_path):
    batch = open_batch(shutil.copytree(rows.folder, tmp_path / "b"))
    both = list(items_of(batch))
    shutil.copyfile(EXAMPLES / "shapes.png", tmp_path / "other.png")
    both[0]["base"]["images"] = [str(tmp_path / "not there.jpg")]
    Image.new("RGB", (9, 9)).save(tmp_path / "other.png")
    both[1]["base"]["images"] = [str(tmp_path / "other.png")]
    pictures = Pictures(batch)
    found = [pictures.of(each) for each in both]
    assert [each["image"] for each in found] == [None, None] and found[0]["overlay"] is None
    assert pictures.lacking == {of_pictures.GONE: 1, of_pictures.OTHER: 1}
    both[0]["base"]["images"], both[1]["base"]["images"] = [None], ["https://there.example/a.png"]
    pictures = Pictures(batch)
    assert [pictures.of(each)["image"] for each in both] == [None, None]
    assert pictures.lacking == {of_pictures.WITHIN: 1, of_pictures.ADDRESS: 1}


def test_pictures_that_lay_within_the_set_are_taken_from_the_set(rows, tmp_path):
    lines = [{"image": row["images"][0], "prompt": "?"} for row in rows.rows()]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, [*lines, {"prompt": "no picture"}])), "utf-8")
    batch = open_batch(rows.folder)
    both = list(items_of(batch))
    for each in both:
        each["base"]["images"] = [None]
    pictures = Pictures(batch, given=SetPictures(read_set(tmp_path / "set.jsonl")))
    assert [opened(pictures.of(each)["image"]).size for each in both] == [(160, 240), (960, 640)]
    assert SetPictures(read_set(tmp_path / "set.jsonl")).of(2) == ()


def test_the_card_says_what_the_hub_reads_and_no_path_of_this_machine(compared, tmp_path):
    info = json.loads(json.dumps(compared.info))
    info["members"][0]["model"]["id"] = str(tmp_path / "mine" / "my-model")
    batch = open_batch(compared.folder)
    batch.info = info
    columns = columns_of(batch, "a map")
    text = card(batch, columns, "Two items.", ["1 items have no picture."], 2, "all")
    _, head, body = text.split("---\n", 2)
    said = yaml.safe_load(head)
    assert said["size_categories"] == ["n<1K"] and "license" not in said
    assert said["configs"][0]["data_files"] == [{"split": "train", "path": "data/*.parquet"}]
    assert str(tmp_path) not in text and "`my-model`" in body and "with the adapter largest" in body
    assert all(f"| `{column.name}` | {column.words} |" in body for column in columns) and "## Licence" in body


def test_without_pyarrow_and_for_what_is_not_there_it_says_so(compared, tmp_path, monkeypatch, capsys):
    with pytest.raises(NotInRun, match="Layer 9 is not there; base has"):
        writing.check_choice(compared, 9, None)
    with pytest.raises(NotInRun, match="Head 4 is not there; base has 0 to 3"):
        writing.check_choice(compared, None, 4)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for more, words in (
        ([], "pip install pyarrow"), (["--query", "3"], "--query says nothing of a data set"),
        (["--split", "test"], "--split and --form are of a set"),
    ):  # fmt: skip
        assert main(["publish", str(compared.folder), "--to", str(tmp_path / "d"), *more]) == 2
        assert words in capsys.readouterr().err
    assert main(["publish", str(compared.folder), "--to", "space:me/d"]) == 2
    assert "becomes a data set: name a folder, or dataset:OWNER/NAME" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_parquet_is_read_as_it_was_written_in_bounded_groups_and_files(compared, rows, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="Parquet needs the optional package pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(writing, "GROUP_ROWS", 1)
    assert main(["publish", str(compared.folder), "--to", str(tmp_path / "a"), "--quiet"]) == 0
    (path,) = (tmp_path / "a" / "data").iterdir()
    file = parquet.ParquetFile(path)
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == features["overlay"] == {"_type": "Image"} and file.num_row_groups == 2
    assert features["image_mass"]["length"] == 5 and features["image_mass"]["feature"]["length"] == 4
    (truth, _), read = values(compared), file.read().to_pylist()
    for row, own in zip(read, truth, strict=True):
        for name in ("id", "number", "prompt", "places", "image", "overlay", "answer", "logprob", "adapter_1_kept"):
            assert row[name] == own[name], name
        for name in ("image_mass", "region_share", "adapter_1_js_row"):
            assert np.array_equal(np.array(row[name]), np.array(own[name])), name
    for row in read:
        run = tmp_path / "a" / row["kept"] / "base" / "language" / "layer_00.safetensors"
        assert run.read_bytes() == (compared.folder / row["kept"] / "base/language/layer_00.safetensors").read_bytes()
    monkeypatch.setattr(writing, "FILE_BYTES", 1)
    written = writing.write_data_set(rows, tmp_path / "b", kept=False)
    assert [each.name for each in sorted((tmp_path / "b" / "data").iterdir())] == [
        "train-00000.parquet", "train-00001.parquet"]  # fmt: skip
    assert written.items == 2 and not (tmp_path / "b" / "rows").exists()

"""Sets as records: every form of file, nothing left out, and nothing unpacked onto the disk."""

import base64
import io
import json
import sys
import tarfile

import pytest
from pictures import noise

from attention.errors import InvalidRequest
from attention.scoring.reading import read_items
from attention.sets.reading import read_set
from attention.sets.record import plain
from attention.sets.tar import MAX_MEMBER_BYTES

LINES = [{"image": "a.png", "prompt": "one"}, {"image": "b.png", "prompt": "two"}, {"prompt": "three"}]


def png():
    file = io.BytesIO()
    noise((8, 6)).save(file, "PNG")
    return file.getvalue()


def write_lines(path, lines=LINES):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_lines_and_a_list_are_the_same_records_and_only_lines_are_counted(tmp_path):
    listed = tmp_path / "set.json"
    listed.write_text(json.dumps(LINES), encoding="utf-8")
    as_lines, as_list = read_set(write_lines(tmp_path / "set.jsonl")), read_set(listed)
    assert (as_lines.total, as_list.total) == (3, None)
    lines = list(as_lines)
    assert [each.fields for each in lines] == [each.fields for each in as_list] == LINES
    assert [each.name for each in lines] == ["line 1", "line 2", "line 3"]
    assert {each.folder for each in lines} == {tmp_path}


def test_a_folder_is_its_files_in_the_order_of_their_names(tmp_path):
    write_lines(tmp_path / "b" / "two.jsonl", LINES[1:])
    write_lines(tmp_path / "a" / "one.jsonl", LINES[:1])
    found = read_set(tmp_path)
    assert found.total == 3
    first, second, _ = found
    assert (first.name, first.folder.name) == ("one.jsonl line 1", "a") and second.name == "two.jsonl line 1"
    write_tar(tmp_path / "c.tar", [])
    with pytest.raises(InvalidRequest, match="several forms"):
        read_set(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match="no file"):
        read_set(tmp_path / "empty")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_samples_of_a_tar_have_their_picture_their_fields_and_their_prompt(tmp_path, mode):
    members = [
        ("train/001.jpg", png()), ("train/001.json", b'{"prompt": "what is it?", "answer": "red"}'),
        ("train/002.png", png()), ("train/002.txt", b" where is it?\n"), ("train/002.cls", b"7"),
        ("train/003.json", b"{"), ("train/004.png", None), ("train/005.png", png()), ("train/005.jpg", png()),
    ]  # fmt: skip
    found = list(read_set(write_tar(tmp_path / "set.tar", members, mode)))
    first, second, broken, twice = found
    assert first.fields["prompt"] == "what is it?" and first.fields["answer"] == "red"
    assert second.fields["prompt"] == "where is it?" and second.name == "train/002"
    assert base64.b64decode(first.fields["image"].partition(",")[2]) == png()
    assert "not JSON" in broken.reason and "2 pictures" in twice.reason
    assert [each.name for each in tmp_path.iterdir()] == ["set.tar"]


def test_a_member_that_is_too_large_is_not_read_and_a_broken_tar_says_so(tmp_path):
    large = tmp_path / "large.tar"
    info = tarfile.TarInfo("1.png")
    info.size = MAX_MEMBER_BYTES + 1
    with open(large, "wb") as file:
        file.write(info.tobuf())
        file.truncate(info.size + 10240)
    (only,) = read_set(large)
    assert "more than 64 MB" in only.reason
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"no tar at all")
    with pytest.raises(InvalidRequest, match="cannot be read as a tar"):
        list(read_set(broken))


def test_columns_have_pictures_as_bytes_or_as_bytes_and_path():
    url = plain(png())
    assert plain({"bytes": png(), "path": "a.png"}) == url and plain({"bytes": None, "path": "a.png"}) == "a.png"
    assert plain([{"image": {"bytes": png(), "path": None}, "n": 3}]) == [{"image": url, "n": 3}]


@pytest.mark.parametrize(("package", "source"), [("pyarrow", "set.parquet"), ("datasets", "owner/name")])
def test_what_needs_an_optional_package_says_how_to_install_it(tmp_path, monkeypatch, package, source):
    monkeypatch.setitem(sys.modules, package, None)
    path = source
    if package == "pyarrow":
        path = tmp_path / source
        path.write_bytes(b"PAR1")
    with pytest.raises(InvalidRequest, match=f"pip install {package}"):
        read_set(path)


def test_rows_of_parquet_are_records_with_their_pictures(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs the optional package pyarrow")
    from pyarrow import parquet

    rows = [{"image": {"bytes": png(), "path": "a.png"}, "prompt": "what?", "box": [1.0, 2.0, 3.0, 4.0]}] * 3
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "set.parquet")
    found = read_set(tmp_path / "set.parquet")
    assert found.total == 3
    first = next(iter(found))
    assert first.fields == {"image": plain(png()), "prompt": "what?", "box": [1.0, 2.0, 3.0, 4.0]}
    assert read_items(tmp_path / "set.parquet")[0].place == (1, 2, 3, 4)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_set(tmp_path / "bad.parquet")


def test_a_split_is_of_the_hub_alone(tmp_path):
    with pytest.raises(InvalidRequest, match="no data set of the Hub"):
        read_set(write_lines(tmp_path / "set.jsonl"), split="test")

"""Runs and zips by anybody, of any form: refused in words, or read without harm; nothing is left elsewhere."""

import io
import json
import shutil
import zipfile

import pytest
from any_input import ANY_JSON, any_of, counts, for_all
from made_runs import chat, scene, write_run

from attention.errors import AttentionError
from attention.folders import check as check_folder
from attention.folders import open_folder, unpack

NAMES = ("run.json", "image_0.png", "preview_0.jpg", "language/layer_00.safetensors", "scores.safetensors")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a run of few tokens. Not to be changed."""
    tokens = [{**token, "index": i} for i, token in enumerate(chat([(1, 2)], prompt=["?"], answer=["a"])[2:7])]
    place = tmp_path_factory.mktemp("runs") / "made"
    return write_run(place, [scene(9, 5)], [(1, 2)], tokens=tokens, prompt="?", layers=(0,), heads=2)


def read_all(folder):
    """Open a folder as a stranger's, and ask it what the page asks first."""
    with open_folder(folder) as run:
        check_folder(run)
        json.dumps(run.info, allow_nan=False).encode()
        for layer in run.layers():
            run.column(layer, run.keys() - 1)
        run.masses(run.queries() - 1)
        run.atlas(run.queries() - 1)


def leaves(value, at=()):
    """Places of all values of a JSON file, the outer ones too."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from leaves(each, (*at, name))


@counts(30, 10_000)
def test_any_value_in_a_runs_index_is_refused_in_words_or_does_no_harm(made, tmp_path, count):
    index = json.loads((made / "run.json").read_text(encoding="utf-8"))
    folder = shutil.copytree(made, tmp_path / "run")
    seen = []

    def check(at, value):
        changed = json.loads(json.dumps(index))
        if at:
            *way, last = at
            inner = changed
            for name in way:
                inner = inner[name]
            inner[last] = value
        else:
            changed = value
        text = json.dumps(changed)
        (folder / "run.json").write_text(text, encoding="utf-8")
        try:
            read_all(folder)
            seen.append("read")
        except AttentionError as error:
            assert len(str(error)) < 500 and str(error).endswith(".")
            seen.append("refused")

    for_all(check, count, any_of.sampled_from(list(leaves(index))), ANY_JSON)
    assert seen.count("refused") > count / 2


@counts(30, 10_000)
def test_any_bytes_in_a_runs_files_are_refused_in_words_or_do_no_harm(made, tmp_path, count):
    folder = tmp_path / "run"

    def check(name, at, new, length):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
        content = (folder / name).read_bytes()
        at = round(at * len(content))
        (folder / name).write_bytes(content[:at] + new + content[at + length :])
        try:
            read_all(folder)
        except AttentionError as error:
            assert len(str(error)) < 500 and str(error).endswith(".")

    files = [name for name in NAMES if (made / name).is_file()]
    for_all(
        check, count, any_of.sampled_from(files), any_of.floats(0, 1), any_of.binary(max_size=9), any_of.integers(0, 9)
    )


@counts(30, 10_000)
def test_any_zip_is_refused_in_words_or_opens_and_writes_nothing_else(made, tmp_path, count):
    files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    place = tmp_path / "place"
    place.mkdir()
    seen = []

    def check(names, packed, at, new, top):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", packed) as archive:
            for name, content in files.items():
                archive.writestr(f"{top}{names.get(name, name)}", content)
        content = bytearray(file.getvalue())
        begin = round(at * len(content))
        content[begin : begin + len(new)] = new
        (tmp_path / "run.zip").write_bytes(content)
        try:
            read_all(unpack(tmp_path / "run.zip", place / "run", 10_000_000))
            seen.append("read")
        except AttentionError as error:
            assert len(str(error)) < 500 and str(tmp_path) not in str(error)
            seen.append("refused")
        assert {path.name for path in tmp_path.iterdir()} == {"place", "run.zip"}
        assert {path.name for path in place.iterdir()} <= {"run"}
        shutil.rmtree(place / "run", ignore_errors=True)

    odd = any_of.sampled_from(
        ["../run.json", "/run.json", "a\\b", "C:x", "run.json/", "con", "a" * 300, "é", "RUN.JSON"]
    )
    names = any_of.dictionaries(
        any_of.sampled_from(list(files)),
        odd | any_of.text(any_of.characters(exclude_characters="\0"), min_size=1, max_size=9),
        max_size=1,
    )
    packings = any_of.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    tops = any_of.sampled_from(["run/", "", "a/b/", "../"])
    for_all(check, count, names, packings, any_of.floats(0, 1), any_of.binary(max_size=6), tops)
    assert set(seen) == {"read", "refused"}

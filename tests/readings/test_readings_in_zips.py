"""Readings travel in a zip of their run: they come back as they were, and a stranger's are held against the run."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from made_readings import write_forecast, write_with_four

from attention.environment import EXAMPLES
from attention.errors import AttentionError, DamagedRun, InvalidRequest, LimitExceeded
from attention.exports.export import export
from attention.exports.folder_zip import packed_files, zipped_bytes
from attention.folders import open_folder, unpack
from attention.kinds.kept import kept_readings, names_of, run_as_read
from attention.limits import MAX_BROUGHT_READINGS
from attention.readings.reading import INDEX, readings_beside
from attention.runs.run import open_run
from attention.visitors.store import RunCache

LIMIT = 10_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with a forecast, an agreement, a lens and relative attention beside it. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "made"
    write_with_four(folder).close()
    return folder


@pytest.fixture(scope="module")
def files(made):
    """The content of its zip by names."""
    with open_run(made) as run:
        return {each.name: each.path.read_bytes() for each in packed_files(run)}


@pytest.fixture
def place(tmp_path):
    """Folder that a zip is unpacked to; a refusal leaves nothing there."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "run"


def zip_of(files, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_they_come_back_as_they_were_in_the_same_places(made, tmp_path, place):
    with open_run(made) as run:
        path = export(run, "zip", tmp_path / "a.zip")
        assert path.stat().st_size == zipped_bytes(packed_files(run))
        with open_run(unpack(path, place, LIMIT)) as back:
            assert kept_readings(back) == kept_readings(run) and len(names_of(back)) == 4
            (name,) = {reading["name"] for reading in kept_readings(back)["readings"] if reading["kind"] == "forecast"}
            assert np.array_equal(run_as_read(back, name).row(1, 5), run_as_read(run, name).row(1, 5))
        for file in readings_beside(made).rglob("*.safetensors"):
            own = readings_beside(place) / file.relative_to(readings_beside(made))
            assert own.read_bytes() == file.read_bytes()
        bare = export(run, "zip", tmp_path / "b.zip", without_readings=True)
        with open_run(unpack(bare, place.with_name("bare"), LIMIT)) as back:
            assert not names_of(back)
        with pytest.raises(InvalidRequest, match="without_readings is of a zip file: leave it out"):
            export(run, "npz", tmp_path / "c.npz", without_readings=True)
        with pytest.raises(InvalidRequest, match=r"run\.readings exists"):
            unpack(shutil.move(path, tmp_path / "again.zip"), shutil.rmtree(place) or place, LIMIT)
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        archive.extractall(tmp_path / "by hand")
    with open_run(tmp_path / "by hand" / "made") as run:
        assert len(names_of(run)) == 4


def test_of_a_comparison_they_are_its_runs_own(tmp_path, place):
    folder = shutil.copytree(EXAMPLES / "compared", tmp_path / "both")
    name = write_forecast(folder / "base").folder.name
    with open_folder(folder) as both:
        path = export(both, "zip", tmp_path / "a.zip")
        with open_folder(unpack(path, place, LIMIT)) as back:
            assert names_of(back.base) == [name] and not any(map(names_of, [*back.runs.values()][1:]))
            assert np.array_equal(run_as_read(back.base, name).row(0, None), run_as_read(both.base, name).row(0, None))


def test_a_library_keeps_them_and_a_server_too(made, tmp_path):
    with open_run(made) as run:
        path = export(run, "zip", tmp_path / "a.zip")
    for is_library in (True, False):
        cache = RunCache(tmp_path / str(is_library), library=is_library, sweep_every=None)
        ticket = cache.add(unpack(path, cache.new_folder(), LIMIT))
        assert len(names_of(cache.run(ticket))) == 4
        cache.close()


def test_what_is_not_known_is_left_out(files, tmp_path, place):
    other = "made.readings/" + "0" * 16
    later = {f"{other}/{INDEX}": b'{"format": 1, "kind": "dream"}', f"{other}/dream.safetensors": b"x",
             "made.readings/lens/notes.txt": b"mine", "made.readings/lens/more.safetensors": b"x",
             "made.readings/half/lens.safetensors": b"x", "other.readings/lens/reading.json": b"x",
             "made.readings/UP/reading.json": b"x"}  # fmt: skip
    with open_run(unpack(zip_of(files | later, tmp_path / "a.zip"), place, LIMIT)) as run:
        assert len(names_of(run)) == 4 and not kept_readings(run)["unread"]
    found = {path.relative_to(place.parent).as_posix() for path in place.parent.rglob("*") if path.is_file()}
    assert found == {name.replace("made", "run", 1) for name in files}


def changed(files, kind, **fields):
    """The files with other fields in the index of one reading."""
    name = next(name for name, content in files.items() if name.endswith(INDEX) and json.loads(content)["kind"] == kind)
    return files | {name: json.dumps(json.loads(files[name]) | fields).encode()}


HOSTILE = {
    "of another run": ("forecast", {"run": "another"}, "made of another run"),
    "a value in words": ("forecast", {"value": "nan"}, "which is no number"),
    "a value beyond all": ("forecast", {"value": 1e300}, "finite and at most"),
    "another token in a list": ("forecast", {"other": ["blue"]}, "other must be a text"),
    "half a sign": ("forecast", {"created": "\ud800"}, "half of one"),
    "a time that is none": ("forecast", {"created": ["now"]}, "a text"),
    "bytes below none": ("agreement", {"bytes": -5}, "bytes is -5"),
    "another target": ("forecast", {"target": {"tokens": [99], "against": None}}, "is no token of the answer"),
    "a target in words": ("forecast", {"target": {"tokens": "all", "against": None}}, "damaged"),
    "of another question": ("agreement", {"sides": 3}, "another question than its name says"),
    "a path as a file": (
        "forecast", {"towers": {"language": {"layers": [{"index": i, "file": "../../run.json"} for i in (0, 1)]}}},
        "damaged",
    ),
    "another tower": ("forecast", {"towers": {"../x": {"layers": []}}}, "the run has no tower"),
    "no towers": ("forecast", {"towers": None}, "damaged"),
    "a region of text": ("agreement", {"regions": [{"image": 0, "box": "a,b,c,d", "keys": []}]}, "no number"),
    "layers twice": ("lens", {"layers": [0, 0]}, "not ascending"),
    "texts that are none": ("lens", {"texts": {"1": 5}}, "a text is none"),
    "a question that is none": ("relative", {"prompt": 5}, "prompt must be a text"),
    "another question": ("relative", {"prompt": "what else?"}, "another question than its name says"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_index_that_lies_is_refused_in_words(files, tmp_path, place, name):
    kind, fields, words = HOSTILE[name]
    with pytest.raises(DamagedRun, match=words) as raised:
        unpack(zip_of(changed(files, kind, **fields), tmp_path / "a.zip"), place, LIMIT)
    assert str(tmp_path) not in str(raised.value) and len(str(raised.value)) < 500
    assert not list(place.parent.iterdir())


def test_files_that_lie_and_names_that_lead_elsewhere_are_refused(files, tmp_path, place):
    layer = next(name for name in files if name.startswith("made.readings") and name.endswith("layer_00.safetensors"))
    table = next(name for name in files if name.endswith("lens.safetensors"))
    index = next(name for name in files if name.endswith(INDEX))
    for more, words in (
        ({layer: files[layer][:-4]}, "damaged"),
        ({layer: files[layer].replace(b'"value"', b'"valve"')}, "value is not there"),
        ({layer: b"\xff" * 64}, "damaged"),
        ({table: files[table].replace(b'"I32"', b'"F32"')}, "does not fit"),
        ({index: b"[" * 100_000}, "cannot be read"),
        ({index: b'{"format": NaN}'}, "cannot be read"),
        ({index: b"[]"}, "is no object"),
        ({"made.readings/../../evil": b"x"}, "could lie outside"),
        ({"made.readings/lens/../../../evil": b"x"}, "could lie outside"),
        ({"MADE.readings/lens/reading.json": b"x"}, "are one file on some systems"),
        ({f"made.readings/{i:016}/{INDEX}": b"{}" for i in range(MAX_BROUGHT_READINGS + 1)}, r"1,0\d\d readings"),
    ):  # fmt: skip
        with pytest.raises(AttentionError, match=words) as raised:
            unpack(zip_of(files | more, tmp_path / "a.zip"), place, LIMIT)
        assert str(tmp_path) not in str(raised.value), words
        assert not list(place.parent.iterdir())
    without = {name: content for name, content in files.items() if name != layer}
    with pytest.raises(DamagedRun, match="cannot be read"):
        unpack(zip_of(without, tmp_path / "a.zip"), place, LIMIT)
    assert not list(place.parent.iterdir())


def test_where_they_are_too_much_with_their_run_both_numbers_are_said(files, tmp_path, place):
    own = sum(len(content) for name, content in files.items() if name.startswith("made/"))
    for limit, words in (
        (own + 1, "its readings .* without readings"),
        (own - 1, r"The run in a.zip has [\d.]+ MB; the"),
    ):
        with pytest.raises(LimitExceeded, match=words):
            unpack(zip_of(files, tmp_path / "a.zip"), place, limit)
    assert not list(place.parent.iterdir())

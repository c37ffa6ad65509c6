"""A library's folders: found at any depth, kept in an index beside, searched, deleted and brought back; and its key."""

import json
import os
import threading
import time
from types import SimpleNamespace

import pytest
from hostile_pictures import jpeg_of_scans
from PIL import Image

from attention.errors import InvalidRequest
from attention.visitors import library as library_module
from attention.visitors.deleted import KEPT_SECONDS, purge, put_back, set_aside
from attention.visitors.key import HEADER, Key, kept_key
from attention.visitors.library import Library
from attention.visitors.store import RunCache


def write_run(folder, **changes):
    folder.mkdir(parents=True)
    info = {"id": folder.name, "created": "2026-01-01T00:00:00Z", "model": {"id": "org/Pocket"}, "prompt": "what?",
            "answer": "a star", "tokens": [], "adapter": None}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(info | changes), encoding="utf-8")
    return folder


def ids(lines):
    return [line.row["id"] for line in lines]


@pytest.fixture
def root(tmp_path):
    write_run(tmp_path / "a" / "star", created="2026-01-03T00:00:00Z", prompt="Where is the STAR?")
    write_run(tmp_path / "a" / "job1" / "deep" / "circle", created="2026-01-02T00:00:00Z", model={"id": "other"},
              adapter={"id": "largest", "scale": 0.5})  # fmt: skip
    write_run(tmp_path / "b" / "single", created="2026-01-01T00:00:00Z")
    write_run(tmp_path / "a" / ".deleted" / "1-x" / "gone")
    write_run(tmp_path / "a" / "123-0123abcd" / "unfinished")
    write_run(tmp_path / "a" / "star" / "language" / "inside")
    return tmp_path


def test_runs_are_found_below_every_root_and_a_root_may_be_a_run(root):
    library = Library([root / "a", root / "b" / "single", root / "nothing"])
    assert library.look() is None
    assert ids(library.lines()) == ["star", "circle", "single"]
    assert [line.place for line in library.lines()] == ["star", "job1/deep/circle", "single"]
    assert len(library.notes) == 1 and "nothing cannot be looked into" in library.notes[0]
    (root / "a" / "again").symlink_to(root / "a")
    library.look()
    assert len(library.lines()) == 3, "a circle of links is not followed"


def test_words_are_looked_for_in_question_answer_model_adapter_and_folder(root):
    library = Library([root / "a", root / "b"])
    library.look()
    for search, found in (
        ("where star", ["star"]), ("LARGEST", ["circle"]), ("job1", ["circle"]), ("pocket a star", ["star", "single"]),
        ("star nowhere", []), ("", ["star", "circle", "single"]),
    ):  # fmt: skip
        assert ids(library.matching("run", search)) == found, search
    assert ids(library.matching("run", order="oldest")) == ["single", "circle", "star"]
    assert ids(library.matching("run", order="model")) == ["star", "single", "circle"]
    assert ids(library.matching("run", order="folder")) == ["circle", "single", "star"]
    assert library.matching("comparison") == []


def test_the_index_spares_reading_runs_again_and_notices_what_has_changed(root, monkeypatch):
    index = root / "index"
    Library([root / "a"], index).look()
    assert not [path for path in (root / "a").rglob("*") if path.suffix == ".jsonl"], "never inside the folders"
    read = []
    monkeypatch.setattr("attention.visitors.library._summary", lambda folder, kind: read.append(folder.name) or {
        "kind": kind, "id": "new", "created": "2026-02-01T00:00:00Z", "model": "m", "adapter": None, "prompt": None,
        "answer": None, "tokens": 0, "bytes": None, "error": None,
    })  # fmt: skip
    library = Library([root / "a"], index)
    library.look()
    assert read == [] and ids(library.lines()) == ["star", "circle"]
    os.utime(root / "a" / "star" / "run.json", (1, 1))
    write_run(root / "a" / "copied")
    library.look()
    assert sorted(read) == ["copied", "star"]
    for file in index.glob("*.jsonl"):
        file.write_text("{}\n[1]", encoding="utf-8")
    library = Library([root / "a"], index)
    library.look()
    assert len(read) == 5 and len(library.lines()) == 3, "a damaged index is made again"


def test_a_run_is_found_by_its_id_also_when_it_came_just_now(root):
    library = Library([root / "a"])
    assert library.find("run", "circle") == root / "a" / "job1" / "deep" / "circle"
    assert library.find("run", "late") is None and library.find("comparison", "circle") is None
    write_run(root / "a" / "late")
    assert library.find("run", "late") == root / "a" / "late"


def test_what_comes_while_somebody_looks_is_found_by_who_asks_then(root, monkeypatch):
    library, has_passed, goes_on = Library([root / "a"]), threading.Event(), threading.Event()
    find, passes = library_module._finished_below, []

    def finding(*given):
        found = [*find(*given)]
        passes.append(len(found))
        has_passed.set()
        assert goes_on.wait(60)
        return found

    monkeypatch.setattr(library_module, "_finished_below", finding)
    assert library.look(0) == (0, 0) and has_passed.wait(60)
    write_run(root / "a" / "late")
    assert library.look(0) is not None
    goes_on.set()
    library._looking.join(60)
    assert "late" in ids(library.lines()) and passes == [2, 3]
    assert library.look() is None and passes == [2, 3, 3]


def test_what_is_deleted_comes_back_under_its_ticket_or_is_gone_after_an_hour(root, monkeypatch):
    cache = RunCache(root / "new", library=True, more_roots=[root / "a"], sweep_every=None)
    ticket = cache.find("run", "circle")
    folder = cache.folder(ticket)
    cache.remove(ticket)
    assert not folder.exists() and "circle" not in [row["id"] for row in cache.listing()]
    with pytest.raises(KeyError):
        cache.folder(ticket)
    folder.mkdir()
    with pytest.raises(InvalidRequest, match="another folder"):
        cache.restore(ticket)
    folder.rmdir()
    cache.restore(ticket)
    assert cache.folder(ticket) == folder and (folder / "run.json").is_file()
    cache.remove(ticket)
    cache.sweep()
    (aside,) = (root / "a" / ".deleted").glob("*/circle")
    later = time.time() + KEPT_SECONDS + 1
    monkeypatch.setattr("attention.visitors.deleted.time.time", lambda: later)
    purge(root / "a")
    assert not aside.exists() and (root / "a" / ".deleted" / "1-x" / "gone").exists(), "only what it put there"
    with pytest.raises(InvalidRequest, match="an hour ago"):
        cache.restore(ticket)
    cache.close()


def test_a_folder_that_cannot_be_moved_stays(tmp_path):
    folder = write_run(tmp_path / "run")
    aside = set_aside(folder, tmp_path)
    with pytest.raises(OSError, match="No such file"):
        set_aside(folder, tmp_path)
    put_back(aside, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"] or not any((tmp_path / ".deleted").iterdir())


def test_a_thumbnail_is_made_once_and_beside(root):
    cache = RunCache(root / "new", library=True, more_roots=[root / "a"], index=root / "index", sweep_every=None)
    ticket, bare = cache.find("run", "star"), cache.find("run", "circle")
    folder = cache.folder(ticket)
    Image.new("RGB", (2000, 1000), "red").save(folder / "preview_0.jpg")
    first = cache.thumbnail(ticket)
    assert first is not None and first[:3] == b"\xff\xd8\xff" and len(first) < 5000
    (kept,) = (root / "index" / "thumbnails").iterdir()
    kept.write_bytes(b"kept")
    assert cache.thumbnail(ticket) == b"kept"
    for content in (b"no picture any more", jpeg_of_scans(2000)):
        (folder / "preview_0.jpg").write_bytes(content)
        assert cache.thumbnail(ticket) is None and cache.thumbnail(bare) is None
    cache.close()


def request(cookies=None, headers=None):
    return SimpleNamespace(cookies=cookies or {}, headers=headers or {})


def test_the_key_is_kept_for_its_owner_alone_and_stays_the_same(tmp_path):
    key = kept_key(tmp_path / "cache")
    file = tmp_path / "cache" / "key"
    assert key.value == kept_key(tmp_path / "cache").value == file.read_text()
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
        assert kept_key(tmp_path / "cache").value != key.value, "others may have read it"
    file.write_text("short")
    assert len(kept_key(tmp_path / "cache").value) == 32
    assert [path.name for path in file.parent.iterdir()] == ["key"]


def test_a_request_shows_the_key_by_cookie_or_header():
    key = Key("k" * 32)
    assert key.is_in(request({key.cookie: key.value})) and key.is_in(request(headers={HEADER.lower(): key.value}))
    for wrong in (request(), request({key.cookie: "x"}), request({"attention": key.value}), request({key.cookie: "ü"})):
        assert not key.is_in(wrong)
        with pytest.raises(InvalidRequest, match="X-Attention-Key"):
            key.check(wrong)
    assert Key().is_in(request()) and Key("l" * 32).cookie != key.cookie

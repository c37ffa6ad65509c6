"""Readings by anybody, and fields of readings of any form: refused in words, or read without harm."""

import json
import shutil

import pytest
from any_input import ANY_JSON, any_of, counts, for_all
from made_readings import write_forecast, write_with_four
from made_runs import scene, write_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.errors import AttentionError
from attention.kinds.table import KINDS
from attention.readings.reading import INDEX, readings_beside
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.visitors.asked_readings import read_asked
from attention.visitors.asked_trials import read_trial

ASKED = (
    "readings.json", "reading/{}", "row?layer=0&query=5&reading={}", "atlas?reading={}", "words?layer=0&reading={}",
    "export?format=npz&layer=0&head=0&reading={}",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with a reading of four kinds. Its readings are changed, and laid back."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with write_with_four(folder) as run:
        yield run


@pytest.fixture(scope="module")
def places(made):
    """The folders of its readings."""
    return sorted(readings_beside(made.folder).iterdir())


@pytest.fixture
def asked_of(made):
    """Ask all that there is of a reading: each answer is numbers, or a refusal in a sentence, and never a fault."""
    with TestClient(Starlette(routes=routes({"t": made}.__getitem__)), raise_server_exceptions=False) as client:

        def ask(name):
            statuses = []
            for path in ASKED:
                answer = client.get(f"{PREFIX}/t/{path.format(name)}")
                assert answer.status_code in (200, 400, 404, 422), (path, answer.text)
                if answer.status_code != 200:
                    words = answer.json()["error"]
                    assert words.endswith(".") and len(words) < 500 and "/tmp" not in words and "Internal" not in words
                statuses.append(answer.status_code)
            return statuses

        yield ask


def leaves(value, at=()):
    """Places of all values of a JSON file, the outer ones too."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from leaves(each, (*at, name))


@counts(16, 10_000)
def test_any_value_in_a_readings_index_is_refused_in_words_or_does_no_harm(places, asked_of, count):
    kept = {place: (place / INDEX).read_bytes() for place in places}
    spots = [(place, at) for place in places for at in leaves(json.loads(kept[place]))]
    seen = []

    def check(spot, value):
        place, at = spot
        info = json.loads(kept[place])
        if at:
            *way, last = at
            inner = info
            for name in way:
                inner = inner[name]
            inner[last] = value
        else:
            info = value
        (place / INDEX).write_text(json.dumps(info), encoding="utf-8")
        try:
            seen.append(422 in asked_of(place.name))
        finally:
            (place / INDEX).write_bytes(kept[place])

    for_all(check, count, any_of.sampled_from(spots), ANY_JSON)
    assert seen.count(True) > count / 3
    assert all(asked_of(place.name)[0] == 200 for place in places)


@counts(10, 10_000)
def test_any_bytes_in_a_readings_files_are_refused_in_words_or_do_no_harm(places, asked_of, count):
    files = [file for place in places for file in place.rglob("*.safetensors")]
    kept = {file: file.read_bytes() for file in files}

    def check(file, at, new, length):
        content = kept[file]
        at = round(at * min(len(content), 900))  # the header, mostly
        file.write_bytes(content[:at] + new + content[at + length :])
        try:
            asked_of(file.relative_to(places[0].parent).parts[0])
        finally:
            file.write_bytes(content)

    for_all(
        check, count, any_of.sampled_from(files), any_of.floats(0, 1), any_of.binary(max_size=9), any_of.integers(0, 9)
    )


def test_a_reading_of_another_run_and_folders_that_are_none_are_refused(made, places, asked_of, tmp_path):
    write_run(tmp_path / "other", [scene(60, 40)], [(2, 3)], prompt="who?", answer="me.", layers=(0, 1))
    theirs = write_forecast(tmp_path / "other", seed=1).folder
    index = json.loads((theirs / INDEX).read_text()) | {"run": "another"}
    (theirs / INDEX).write_text(json.dumps(index))
    strange = places[0].with_name("0" * 16)
    shutil.copytree(theirs, strange)
    assert asked_of(strange.name)[2] == 422
    shutil.rmtree(strange)
    strange.mkdir()
    assert asked_of(strange.name)[2] == 404
    (strange / INDEX).mkdir()
    assert asked_of(strange.name)[2] == 404
    shutil.rmtree(strange)


FIELDS = [*dict.fromkeys(name for kind in KINDS.values() for name in kind.fields), "reading", "member"]
TRIED = ("box", "point", "image", "answer", "heads", "top_heads", "paint", "silence", "label", "tower", "target", "n")


@counts(60, 20_000)
def test_any_fields_of_a_reading_or_a_trial_are_read_or_refused_in_words(made, count):
    near = any_of.sampled_from([0, 17, [17], "17", "17,18", [2, 2], {"17": 1}, "\ud800", "mean", "language", [[0, 0]]])
    values = ANY_JSON | near

    def check(kind, given, tried):
        for read in (lambda: read_asked(made, given | {"reading": kind}), lambda: read_trial(made, tried)):
            try:
                found = read()
            except AttentionError as error:
                assert len(str(error)) < 600 and str(error).endswith("."), str(error)
            else:
                json.dumps(found if isinstance(found, dict) else [each.asked for each in found], allow_nan=False)
                assert isinstance(found, dict) or all(each.place.name.isalnum() for each in found)

    given = any_of.dictionaries(any_of.sampled_from(FIELDS), values, max_size=4)
    tried = any_of.dictionaries(any_of.sampled_from(TRIED), values, max_size=3)
    for_all(check, count, any_of.sampled_from([*KINDS]) | ANY_JSON, given, tried)

"""Routes are asked for anything: each answers with numbers of the run, or refuses in one sentence."""

from urllib.parse import quote

import pytest
from any_input import ANY_TEXT, any_of, counts, for_all
from made_readings import write_agreement, write_forecast, write_lens, write_relative
from made_runs import scene, write_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.runs.run import open_run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

NAMES = ("tower", "layer", "head", "query", "key", "until", "grid", "source", "max_cells", "name", "dense", "received",
         "format", "scale", "look", "space", "measure", "member", "adapter", "x", "reading", "box", "point", "image",
         "reduced", "target", "against")  # fmt: skip
READINGS = ("forecast", "relative", "lens", "agreement", "91d9c244d2473695", "../run.readings/lens")
OF_READINGS = ("row", "column", "atlas", "masses", "scores", "region", "words", "received", "export")
LIKELY = any_of.sampled_from(
    [
        "language",
        "vision",
        "mean",
        "max",
        "all",
        "stored",
        "factors",
        "auto",
        "entropy",
        "image_mass",
        "csv",
        "npz",
        "png",
    ]
)
BOXES = any_of.sampled_from(["0,0,30,40", "0,0,1,1", "9,9", "-1,2,3,1e9", "nan,0,1,1", ",,,"])
VALUES = any_of.integers(-2, 40).map(str) | LIKELY | any_of.integers().map(str) | any_of.floats().map(str)
VALUES |= BOXES | ANY_TEXT
QUERIES = any_of.lists(any_of.tuples(any_of.sampled_from(NAMES), VALUES), max_size=5)
KINDS = ("row", "column", "atlas", "masses", "received", "scores", "run.json", "comparison.json", "change", "places",
         "image/0", "preview/0", "layer/language/0", "layer/vision/1", "export", "rows", "spans", "zip", "figure",
         "thumbnail", "region", "words", "readings.json", "reading/lens", "reading/forecast/language/0")  # fmt: skip
PATHS = any_of.sampled_from(KINDS) | any_of.builds(
    "/".join, any_of.lists(any_of.sampled_from([*KINDS, "..", ".", "%2e%2e", "0", ""]) | ANY_TEXT, max_size=4)
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = write_run(
        tmp_path_factory.mktemp("runs") / "run", [scene(60, 40)], [(2, 3)], layers=(0, 1), vision=True,
        prompt="what?", answer="red.",
    )  # fmt: skip
    write_forecast(folder).run.close()
    with open_run(folder) as run:
        for write in (write_lens, write_relative, write_agreement):
            write(run)
        app = Starlette(routes=routes({"ticket": run}.__getitem__))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


@counts(150, 20_000)
def test_any_request_is_answered_or_refused_in_a_sentence(client, count):
    answered = set()

    def check(path, query, ticket):
        asked = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query)
        answer = client.get(f"{PREFIX}/{ticket}/{quote(path, safe='/%', errors='surrogatepass')}?{asked}")
        assert answer.status_code in (200, 202, 400, 404), (answer.status_code, answer.text)
        if "\n" in path or not answer.request.url.path.startswith(f"{PREFIX}/"):  # an address that is none of ours
            assert answer.status_code == 404
            return
        if answer.status_code >= 400:
            words = answer.json()["error"]
            assert set(answer.json()) <= {"error", "expired"} and words.endswith(".") and len(words) < 400
            assert "Traceback" not in words and "/tmp" not in words and "Internal" not in words
            assert answer.headers["Cache-Control"] == "no-store"
        else:
            answered.add(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    for_all(check, count, PATHS, QUERIES, any_of.sampled_from(["ticket"] * 5 + ["other"]))
    assert len(answered) > 1


@counts(120, 20_000)
def test_any_request_with_a_reading_is_of_that_reading_or_refused(client, count):
    """Fields that mostly fit: what is answered says that it is of the reading, and of no other numbers."""
    listed = client.get(f"{PREFIX}/ticket/readings.json").json()["readings"]
    names = any_of.sampled_from([each["name"] for each in listed] * 3 + [*READINGS]) | ANY_TEXT
    numbers = any_of.integers(-1, 24).map(str) | any_of.sampled_from(["mean", "max", "99999999999", "1e3", "\ud800"])
    wanted = {"reading": names, "layer": any_of.sampled_from(["0", "1", "mean"]) | numbers}
    more = dict.fromkeys(("head", "query", "key", "until", "grid", "max_cells", "image"), numbers)
    more |= {
        "tower": any_of.sampled_from(["language", "vision", "../x"]), "box": BOXES, "reduced": any_of.just("1"),
        "name": any_of.sampled_from(["value", "silence_zero", "size", "knock_out", "entropy", "region_share"]),
        "source": any_of.sampled_from(["factors", "stored"]), "format": any_of.sampled_from(["npz", "csv", "zip"]),
    }  # fmt: skip
    some = any_of.lists(any_of.sampled_from(sorted(more)), max_size=3, unique=True)
    query = some.flatmap(lambda chosen: any_of.fixed_dictionaries(wanted | {name: more[name] for name in chosen}))
    answered = set()

    def check(path, query, twice):
        asked = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query.items())
        answer = client.get(f"{PREFIX}/ticket/{path}?{asked}{'&reading=forecast' * twice}")
        assert answer.status_code in (200, 400, 404), (asked, answer.status_code, answer.text)
        if answer.status_code == 200:
            assert not twice and (path == "export" or path == "words" or answer.headers["X-Attention-Source"] in (
                "forecast", "relative")), (path, asked)  # fmt: skip
            answered.add(path)
        else:
            words = answer.json()["error"]
            assert words.endswith(".") and len(words) < 400 and "/tmp" not in words and "Internal" not in words

    for_all(check, count, any_of.sampled_from(OF_READINGS), query, any_of.sampled_from([False] * 9 + [True]))
    assert len(answered) > 2

"""Routes are asked for anything: each answers with numbers of the run, or refuses in one sentence."""

from urllib.parse import quote

import pytest
from any_input import ANY_TEXT, any_of, counts, for_all
from made_runs import scene, write_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.runs.run import open_run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

NAMES = ("tower", "layer", "head", "query", "key", "until", "grid", "source", "max_cells", "name", "dense", "received",
         "format", "scale", "look", "space", "measure", "member", "adapter", "x")  # fmt: skip
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
VALUES = any_of.integers(-2, 40).map(str) | LIKELY | any_of.integers().map(str) | any_of.floats().map(str) | ANY_TEXT
QUERIES = any_of.lists(any_of.tuples(any_of.sampled_from(NAMES), VALUES), max_size=5)
KINDS = ("row", "column", "atlas", "masses", "received", "scores", "run.json", "comparison.json", "change", "places",
         "image/0", "preview/0", "layer/language/0", "layer/vision/1", "export", "rows", "spans", "zip", "figure",
         "thumbnail")  # fmt: skip
PATHS = any_of.sampled_from(KINDS) | any_of.builds(
    "/".join, any_of.lists(any_of.sampled_from([*KINDS, "..", ".", "%2e%2e", "0", ""]) | ANY_TEXT, max_size=4)
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = write_run(
        tmp_path_factory.mktemp("runs") / "run", [scene(60, 40)], [(2, 3)], layers=(0, 1), vision=True,
        prompt="what?", answer="red.",
    )  # fmt: skip
    with open_run(folder) as run:
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

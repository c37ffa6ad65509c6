"""Names and origins that are answered, the key, and the routes of a person's library."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from made_runs import scene, write_run
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from attention.serving.access import Access, Hosts
from attention.serving.library import library_routes
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.visitors.key import HEADER, Key
from attention.visitors.service import Service
from attention.visitors.store import RunCache

KEY = "k" * 32
LIBRARY = f"{PREFIX}/library"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for number, name in enumerate(("first", "second", "third")):
        write_run(folder / "more" / "job" / name, [scene(30, 20)], [(2, 3)], prompt=f"the {name}?", answer="x" * 999,
                  created=f"2026-01-0{number + 1}T00:00:00Z")  # fmt: skip
    cache = RunCache(folder / "runs", library=True, more_roots=[folder / "more"], sweep_every=None)
    service = Service(cache, lambda job, _: {}, is_hosted=False, key=Key(KEY))
    yield service
    service.close()


def app_of(service, hosts):
    library = library_routes(service, lambda ticket: {"ticket": ticket, "id": service.run(ticket).info["id"]})
    return Starlette(
        routes=routes(service.cache.run, library), middleware=[Middleware(Access, hosts=hosts, key=service.key)]
    )


@pytest.fixture
def client(service):
    """A browser without the key."""
    with TestClient(app_of(service, Hosts()), base_url="http://127.0.0.1:7860") as client:
        yield client


@pytest.fixture
def keyed(client):
    answer = client.get(f"/?a=1&key={KEY}", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["Location"] == "./?a=1"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    return client


def test_nothing_of_the_library_is_told_without_the_key(client):
    for path in ("list", "find?id=first", "find?id=nothing", "beside", "thumbnail/x"):
        answer = client.get(f"{LIBRARY}/{path}")
        assert answer.status_code == 403 and "Open the link that the app printed" in answer.json()["error"], path
        assert "second" not in answer.text
    assert client.post(f"{LIBRARY}/delete?ticket=x").status_code == 403
    wrong = client.get("/?key=nonsense", follow_redirects=False)
    assert wrong.status_code == 403 and "Set-Cookie" not in wrong.headers
    assert client.get(f"{LIBRARY}/list", headers={HEADER: KEY}).status_code == 200


def test_rows_come_page_by_page_and_a_run_by_its_id(keyed):
    page = keyed.get(f"{LIBRARY}/list?limit=2").json()
    assert [row["prompt"] for row in page["rows"]] == ["the third?", "the second?"]
    assert (page["total"], page["all"], page["notes"], page["looking"]) == (3, 3, [], None)
    assert page["rows"][0]["folder"] == "more/job/third" and len(page["rows"][0]["answer"]) == 300
    ticket = page["rows"][1]["ticket"]
    assert keyed.get(f"{LIBRARY}/list?limit=1&around={ticket}").json()["offset"] == 1
    found = keyed.get(f"{LIBRARY}/list?search=FIRST%20job&order=folder").json()
    assert [row["id"] for row in found["rows"]] == ["first"] and (found["total"], found["all"]) == (1, 3)
    assert keyed.get(f"{LIBRARY}/find?id=second").json() == {"ticket": ticket, "id": "second"}
    assert keyed.get(f"{PREFIX}/{ticket}/run.json").json()["prompt"] == "the second?"
    assert keyed.get(f"{LIBRARY}/beside?ticket={ticket}&by=1").json()["id"] == "first"
    assert keyed.get(f"{LIBRARY}/beside?ticket={ticket}&by=-1").json()["id"] == "third"
    picture = keyed.get(f"{LIBRARY}/thumbnail/{ticket}")
    assert picture.headers["Content-Type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
    for path, said in {
        "find?id=nothing": "Run nothing is not among your kept runs.", "find?id=second&kind=comparison": "not among",
        f"beside?ticket={keyed.get(f'{LIBRARY}/find?id=first').json()['ticket']}&by=1": "no other kept run",
        "thumbnail/nothing": "no picture",
    }.items():  # fmt: skip
        answer = keyed.get(f"{LIBRARY}/{path}")
        assert answer.status_code == 404 and said in answer.json()["error"], path
    assert keyed.get(f"{LIBRARY}/list?order=sideways").status_code == 400


def test_a_damaged_run_is_named_by_its_address_and_stepped_over(keyed, service):
    tickets = [keyed.get(f"{LIBRARY}/find?id={name}").json()["ticket"] for name in ("third", "second", "first")]
    layer = service.cache.folder(tickets[1]) / "language" / "layer_00.safetensors"
    content = layer.read_bytes()
    layer.write_bytes(b"x")
    answer = keyed.get(f"{LIBRARY}/find?id=second")
    assert answer.status_code == 500 and "Run second cannot be shown: " in answer.json()["error"]
    assert keyed.get(f"{LIBRARY}/beside?ticket={tickets[0]}&by=1").json()["id"] == "first"
    layer.write_bytes(content)
    assert keyed.get(f"{LIBRARY}/beside?ticket={tickets[0]}&by=1").json()["id"] == "second"


def test_a_run_is_deleted_and_brought_back(keyed, service):
    ticket = keyed.get(f"{LIBRARY}/find?id=third").json()["ticket"]
    assert keyed.get(f"{LIBRARY}/delete?ticket={ticket}").status_code in (404, 405), "a look deletes nothing"
    assert keyed.post(f"{LIBRARY}/delete?ticket={ticket}").json() == {}
    assert keyed.get(f"{PREFIX}/{ticket}/run.json").status_code == 404
    assert keyed.get(f"{LIBRARY}/list").json()["total"] == 2
    again = keyed.post(f"{LIBRARY}/delete?ticket={ticket}")
    assert again.status_code == 400 and "not here any more" in again.json()["error"]
    assert keyed.post(f"{LIBRARY}/restore?ticket={ticket}").json() == {}
    assert keyed.get(f"{PREFIX}/{ticket}/run.json").json()["id"] == "third"
    assert "not among" in keyed.post(f"{LIBRARY}/restore?ticket={ticket}").json()["error"]


def test_pages_of_others_are_refused_whatever_they_have(keyed):
    find = f"{LIBRARY}/find?id=second"
    refused = (
        {"Host": "evil.example:7860"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""}, {"Host": "192.168.1.9:7860"},
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8888"},
        {"Origin": "http://127.0.0.1:7860.evil.example"}, {"Host": "[", "Origin": "http://["},
    )  # fmt: skip
    for headers in refused:
        for path in (find, "/", f"/?key={KEY}"):
            answer = keyed.get(path, headers=headers, follow_redirects=False)
            assert answer.status_code == 403 and "does not answer" in answer.json()["error"], headers
            assert "Set-Cookie" not in answer.headers
    for headers in (
        {"Host": "localhost:9000"}, {"Host": "[::1]:7860"}, {"Host": "LOCALHOST:7860", "Origin": "http://localhost:7860"},
        {"Origin": "http://127.0.0.1:7860"},
    ):  # fmt: skip
        assert keyed.get(f"{LIBRARY}/list", headers={**headers, HEADER: KEY}).status_code == 200, headers


def test_names_are_those_that_a_person_listens_on_and_allows():
    here = Hosts("gpu.lab", ["proxy.example"])
    assert here.has("gpu.lab:7860") and here.has("proxy.example") and not here.has("10.0.0.7")
    everywhere = Hosts("0.0.0.0")
    assert everywhere.has("10.0.0.7:80") and everywhere.has("[fe80::1]") and not everywhere.has("evil.example")
    headers = {"host": "127.0.0.1:7860", "origin": "https://proxy.example"}
    assert here.refusal(headers) is None and everywhere.refusal(headers)
    everywhere.allow("proxy.example")
    assert everywhere.refusal(headers) is None


def test_a_server_for_strangers_has_no_library():
    cache = SimpleNamespace(shelves=None)
    assert library_routes(SimpleNamespace(is_hosted=True, cache=cache, key=Key()), dict) == []

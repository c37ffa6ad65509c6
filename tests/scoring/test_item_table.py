"""Scores as the page gets them: the numbers of scores.json, item by item, and the runs that were kept."""

import json

import pytest
from made_scores import COMPARED, STAR, made_scores
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention import open_scores
from attention.errors import DamagedRun, InvalidRequest, NotInRun
from attention.scoring.item_table import item_table
from attention.serving.responses import PREFIX
from attention.serving.scores import scores_routes
from attention.visitors.key import HEADER, Key
from attention.visitors.service import Service
from attention.visitors.store import RunCache


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    return made_scores(tmp_path_factory.mktemp("scores") / "made", n=9)


@pytest.fixture(scope="module")
def service(scores, tmp_path_factory):
    cache = RunCache(tmp_path_factory.mktemp("runs"), library=True, more_roots=[scores.folder], sweep_every=None)
    service = Service(cache, lambda job, _: {}, is_hosted=False, key=Key("k" * 32), scores=[scores.folder])
    yield service
    service.close()


def mean(values):
    return sum(values) / len(values)


def test_means_over_the_items_are_those_of_the_models_and_of_the_pair(scores):
    table = item_table(scores.folder)
    info = open_scores(scores.folder).info
    assert [item["name"] for item in table["items"]] == [item["name"] for item in info["items"]]
    for number, model in enumerate(info["models"]):
        own = [item["models"][number] for item in table["items"][:-1]]
        for name in ("share", "peak", "touch"):
            assert mean([each[name] for each in own]) == pytest.approx(
                model["found"]["measures"][f"region_{name}"]["mean"], abs=1e-5
            )
        for item, each in enumerate(own):  # by a head that was found, and as the row has it
            assert [each["layer"], each["head"]] in [
                [head[k] for k in ("layer", "head")] for head in model["found"]["heads"]
            ]
            assert each["share"] == scores.table("region_share", model["member"])[item, each["layer"], each["head"]]
    changes = [item["models"][1]["change"] for item in table["items"][:-1]]
    assert mean(changes) == pytest.approx(info["pairs"][0]["found_head"]["mean"], abs=1e-5)
    assert table["items"][-1]["models"] == [{"error": "There is no file <i>x.png</i>."}] * 2
    assert table["rows"] == "first" and "bad" not in table and len(json.dumps(table)) < 20_000


def test_a_kept_run_opens_at_the_place_by_the_found_head(service, scores):
    ticket, view = service.scores.run(0, 0, 1)
    said = service.scores.row(0, 0)["models"][1]
    assert service.open_kept(ticket).info["adapter"]["id"] == "largest"
    assert view == {"layer": said["layer"], "head": said["head"], "query": 92, "image": 0,
                    "region": {"image": 0, "place": STAR}}  # fmt: skip
    assert service.scores.run(0, 0, 1)[0] == ticket, "one ticket for one folder"
    tickets, names, view = service.scores.pair(0, 0, 1)
    other = service.scores.row(0, 0)["models"][1]
    assert view["heads"] == f"{other['layer']}.{other['head']}"
    made = service.compare_kept(tickets, "me", names)
    assert [member["name"] for member in service.comparison(made).info["members"]] == ["base", "largest"]
    assert service.compare_kept(tickets, "me", names) == made, "made once"
    with pytest.raises(InvalidRequest, match="--keep-runs"):
        service.scores.run(0, 1, 0)
    with pytest.raises(InvalidRequest, match="was not scored: There is no file"):
        service.scores.run(0, 8, 0)
    with pytest.raises(NotInRun, match="no item 9"):
        service.scores.run(0, 9, 0)


def test_a_row_that_names_another_folder_opens_nothing(tmp_path):
    scores = made_scores(tmp_path / "made")
    lines = (scores.folder / "items.jsonl").read_text().replace("runs/base-0", str(COMPARED / "base"))
    (scores.folder / "items.jsonl").write_text(lines)
    cache = RunCache(tmp_path / "runs", library=True, sweep_every=None)
    service = Service(cache, lambda job, _: {}, is_hosted=False, scores=[scores.folder])
    with pytest.raises(InvalidRequest, match="not kept"):
        service.scores.run(0, 0, 0)
    lines = lines.replace('"layers":[0,1,2,3,4]', '"layers":[0]', 1)
    (scores.folder / "items.jsonl").write_text(lines)
    with pytest.raises(DamagedRun, match="not whole"):
        service.scores.table(0)
    service.close()


def test_the_table_and_pictures_need_the_key_and_a_server_shows_none(service, scores, tmp_path):
    app = Starlette(routes=scores_routes(service))
    with TestClient(app) as client:
        for path in ("0", "0/picture/0"):
            assert client.get(f"{PREFIX}/scores/{path}").status_code == 403
        client.headers[HEADER] = "k" * 32
        assert client.get(f"{PREFIX}/scores/0").json() == json.loads(json.dumps(item_table(scores.folder)))
        assert client.get(f"{PREFIX}/scores/0/picture/0").headers["content-type"] == "image/jpeg"
        assert client.get(f"{PREFIX}/scores/0/picture/1").status_code == 204, "its file has gone"
        assert client.get(f"{PREFIX}/scores/1").status_code == 404
    hosted = Service(RunCache(tmp_path, library=False, sweep_every=None), lambda job, _: {}, is_hosted=True,
                     scores=[scores.folder])  # fmt: skip
    assert not hosted.scores.folders and not scores_routes(hosted)
    hosted.close()

"""The Hub's side of `publish` and `view`: data sets of ours that are made or written anew, and runs fetched of them."""

import shutil

import pytest
from fake_hub import fake_hub
from made_readings import write_lens

from attention.commands import sending, view
from attention.commands.fetching import fetch_run
from attention.commands.main import main
from attention.environment import EXAMPLES
from attention.errors import AttentionError, DamagedRun, InvalidRequest, LimitExceeded
from attention.kinds.kept import kept_readings
from attention.runs.run import open_run

ID = "0123456789abcdef0123456789abcdef"


class Hub:
    """The part of the Hub's library that sends; `holds` are the files of the repository, None where there is none."""

    def __init__(self, holds=None, fails=None):
        self.holds, self.fails, self.made, self.sent = holds, fails, None, None

    def repo_exists(self, repo_id, repo_type):
        if self.fails is not None:
            raise self.fails
        return self.holds is not None

    def file_exists(self, repo_id, name, repo_type):
        return name in self.holds

    def create_repo(self, repo_id, **settings):
        self.made = settings

    def upload_folder(self, folder_path, **settings):
        self.sent = settings | {"files": sorted(path.name for path in folder_path.rglob("*"))}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set" / "data").mkdir(parents=True)
    (tmp_path / "set" / "attention.json").write_text("{}")
    return tmp_path / "set"


@pytest.mark.parametrize("holds", [None, ["attention.json"], ["data.csv"]])
def test_a_data_set_is_made_private_or_written_anew_and_no_other_is_touched(folder, monkeypatch, holds):
    hub = Hub(holds)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    if holds == ["data.csv"]:
        with pytest.raises(InvalidRequest, match="The data set me/d holds something else"):
            sending.send(folder, "dataset:me/d", "")
        assert hub.sent is None and hub.made is None
        return
    assert sending.send(folder, "dataset:me/d", "items") == "https://huggingface.co/datasets/me/d"
    assert hub.made == ({"private": True, "repo_type": "dataset"} if holds is None else None)
    assert hub.sent["files"] == ["attention.json", "data"] and hub.sent["repo_type"] == "dataset"
    assert "data/*" in hub.sent["delete_patterns"]


def test_what_the_hub_refuses_is_said_and_a_name_that_is_none_is_refused(folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: Hub(fails=ConnectionError("no route")))
    with pytest.raises(AttentionError, match=r"could not be sent to me/d \(ConnectionError: no route\)"):
        sending.send(folder, "dataset:me/d", "")
    for name in ("dataset:me", "dataset:/d", "space:me/d/more"):
        with pytest.raises(InvalidRequest, match="Name it"):
            sending.kind_of(name)
    assert sending.kind_of("my-folder") is None


def test_a_folder_for_the_hub_lies_on_the_batch_s_disk_and_goes(tmp_path):
    with sending.folder_for("dataset:me/d", tmp_path / "b") as place:
        place.mkdir()
        assert place.stat().st_dev == tmp_path.stat().st_dev
    assert not list(tmp_path.iterdir())


def test_more_files_than_the_hub_takes_are_refused_with_the_numbers(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    sending.check_files(tmp_path, ["runs"])
    monkeypatch.setattr(sending, "MOST_IN_A_FOLDER", 2)
    with pytest.raises(LimitExceeded, match=r"3 entries and 0 files.*--without-kept"):
        sending.check_files(tmp_path, ["runs"])


def test_a_run_of_a_data_set_is_fetched_by_its_id_alone_and_opens(tmp_path, monkeypatch):
    kept = shutil.copytree(EXAMPLES / "shapes", tmp_path / "d" / "runs" / ID)
    with open_run(kept) as run:
        write_lens(run)
    shutil.copytree(EXAMPLES / "shapes", tmp_path / "d" / "runs" / ID[::-1])
    (tmp_path / "d" / "runs" / ID[::-1] / "run.json").write_text("[]")
    with fake_hub({"me/d": tmp_path / "d"}, tmp_path / "cache", monkeypatch) as hub:
        with open_run(fetch_run(f"dataset:me/d/{ID}")) as run, open_run(EXAMPLES / "shapes") as truth:
            assert (run.map(3, 1, 20) == truth.map(3, 1, 20)).all()
            assert [each["kind"] for each in kept_readings(run)["readings"]] == ["lens"]  # it comes with its readings
        assert hub.downloaded() and all(name.startswith((f"runs/{ID}/", f"runs/{ID}.r")) for name in hub.downloaded())
        monkeypatch.setattr(view, "_started", lambda command: command[-1].endswith(f"runs/{ID}"))
        assert main(["view", f"dataset:me/d/{ID}"]) is True
        with pytest.raises(DamagedRun):
            fetch_run(f"dataset:me/d/{ID[::-1]}")
        with pytest.raises(InvalidRequest, match="has no run ffff"):
            fetch_run(f"dataset:me/d/{'f' * 32}")
        with pytest.raises(AttentionError, match="could not be fetched"):
            fetch_run(f"dataset:me/other/{ID}")
    for name in ("dataset:me/d", f"dataset:me/d/{ID}/..", "dataset:me/d/*"):
        with pytest.raises(InvalidRequest, match="names no run"):
            fetch_run(name)

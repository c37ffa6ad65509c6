"""An adapter of the Hub is looked at before its weights come, at one commit; what the Hub refuses is said in words."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from adapter_folders import BASE, write_adapter
from fake_hub import COMMIT, Hold, fake_hub
from huggingface_hub import hf_hub_download
from made_adapters import saved_adapter
from safetensors.torch import save_file

from adapters import hub as adapter_hub
from adapters.choosing import choose, choose_members
from adapters.files import CONFIG, WEIGHTS, read_folder
from attention.errors import AdapterRefused, AdapterUnavailable, Cancelled, InvalidRequest

ID = "someone/stars"
NEXT = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def repository(tmp_path):
    """An adapter whose weights are a hundred times as large as its header, with much beside it."""
    folder = write_adapter(tmp_path / "repository", width=4096, value=1.0)
    for name in ("README.md", "adapter_model.bin", "modeling_evil.py", "checkpoint-5/adapter_model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("unwanted")
    return folder


@pytest.fixture
def hub(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(adapter_hub, "HEADER_GUESS_BYTES", 1024)
    monkeypatch.setattr(adapter_hub, "_listings", {})
    with fake_hub({ID: repository}, tmp_path / "cache", monkeypatch) as hub:
        yield hub


@pytest.fixture
def clock(monkeypatch):
    """The time by which lists are kept, in seconds; the test moves it."""
    now = [0.0]
    monkeypatch.setattr(adapter_hub, "_now", lambda: now[0])
    return now


def on_main(hub, folder: Path) -> None:
    """Somebody pushes another commit."""
    hub.revisions[ID] = {"main": (NEXT, folder)}


# Looking and fetching


def test_an_adapter_is_read_without_its_weights(hub, repository):
    found, here = adapter_hub.find(ID), read_folder(repository)
    assert (found.config, found.header, found.size_bytes) == (here.config, here.header, here.size_bytes)
    assert (found.id, found.revision, found.folder, found.sha256) == (ID, COMMIT, None, None)
    assert hub.downloaded() == [CONFIG, WEIGHTS] and hub.ranges[1] == "bytes=0-1023"
    assert hub.sent[WEIGHTS] == 1024 < here.size_bytes / 50
    assert all(f"/{COMMIT}/" in path for _, path in hub.requests if "/resolve/" in path)


def test_a_header_that_is_longer_than_expected_is_asked_for_once_more(hub, repository):
    write_adapter(repository, layers=40)
    found = adapter_hub.find(ID)
    assert found.header == read_folder(repository).header and len(found.header) == 80
    assert len(hub.ranges) == 3 and hub.sent[WEIGHTS] < found.size_bytes


def test_a_server_that_sends_everything_is_not_listened_to(hub):
    """The rest of the weights is still on its way when the adapter has been read."""
    hub.ignores_ranges, hub.held[WEIGHTS] = True, Hold()
    found = adapter_hub.find(ID)
    assert found.header and hub.sent[WEIGHTS] == found.size_bytes // 2


def test_an_adapter_is_fetched_by_its_two_files_and_found_here_from_then_on(hub, repository):
    told = []
    fetched = adapter_hub.fetch(adapter_hub.find(ID), lambda *line: told.append(line))
    assert sorted(file.name for file in fetched.folder.iterdir()) == [CONFIG, WEIGHTS]
    assert (fetched.id, fetched.revision) == (ID, COMMIT) and fetched.sha256 == read_folder(repository).sha256
    assert told[-1] == (sum((repository / name).stat().st_size for name in (CONFIG, WEIGHTS)),) * 2
    hub.requests.clear()
    assert adapter_hub.find(ID) == fetched and hub.downloaded() == []
    hub.requests.clear()
    assert adapter_hub.find(f"{ID}@{COMMIT}").folder == fetched.folder and hub.requests == []


def test_what_is_fetched_is_the_commit_that_was_looked_at(hub, tmp_path):
    """A push between the two changes nothing: the commit is pinned."""
    found = adapter_hub.find(ID)
    on_main(hub, write_adapter(tmp_path / "next", layers=2))
    fetched = adapter_hub.fetch(found)
    assert fetched.revision == COMMIT and fetched.header == found.header
    assert adapter_hub.find(ID).revision == NEXT


@pytest.mark.parametrize("change", [{"layers": 2}, {"base": "other/base", "width": 4096, "value": 1.0}])
def test_what_is_not_what_was_looked_at_is_refused(hub, repository, change):
    found = adapter_hub.find(ID)
    write_adapter(repository, **change)
    with pytest.raises(AdapterRefused, match=f"{ID} changed while it was downloaded"):
        adapter_hub.fetch(found)


def test_a_revision_is_a_branch_a_tag_or_a_commit(hub, tmp_path):
    on_main(hub, write_adapter(tmp_path / "next", layers=2))
    hub.revisions[ID]["refs/pr/3"] = ("a" * 40, write_adapter(tmp_path / "third", layers=3))
    for name, commit, layers in (
        (ID, NEXT, 2), (f"{ID}@main", NEXT, 2), (f"{ID}@{COMMIT}", COMMIT, 1), (f"{ID}@refs/pr/3", "a" * 40, 3),
    ):  # fmt: skip
        found = adapter_hub.find(name)
        assert (found.id, found.revision, len(found.header)) == (name, commit, 2 * layers)
        assert adapter_hub.fetch(found).revision == commit
    with pytest.raises(AdapterUnavailable, match=f"{ID} has no revision 'v9' on the Hub"):
        adapter_hub.find(f"{ID}@v9")


def test_without_the_hub_what_was_fetched_is_used(hub, tmp_path, monkeypatch):
    on_main(hub, write_adapter(tmp_path / "next", layers=2))
    hub.revisions[ID]["v1"] = (COMMIT, hub.repositories[ID])
    fetched = [adapter_hub.fetch(adapter_hub.find(name)) for name in (ID, f"{ID}@v1")]
    hub.failing = 429
    assert [adapter_hub.find(files.id) for files in fetched] == fetched
    hub.failing = None
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert [adapter_hub.find(files.id) for files in fetched] == fetched


def test_a_hub_that_went_away_is_said_in_words(hub):
    fetched = adapter_hub.fetch(adapter_hub.find(ID))
    hub.go_away()
    assert adapter_hub.find(ID) == fetched
    with pytest.raises(AdapterUnavailable, match=r"someone/moons is not on this machine and the Hub cannot be reached"):
        adapter_hub.find("someone/moons")


def test_a_stop_is_heard_while_an_adapter_is_looked_at_and_fetched(hub):
    def stop(*_):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        adapter_hub.find(ID, watch=stop)
    found, hold, is_stopped = adapter_hub.find(ID), hub.held.setdefault(WEIGHTS, Hold()), []
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(adapter_hub.fetch, found, lambda *_: stop() if is_stopped else None)
        assert hold.reached.wait(120)
        is_stopped.append(True)
        with pytest.raises(Cancelled):
            job.result(timeout=60)  # the Hub is silent all the while


def test_a_download_that_cannot_end_is_said_in_words(hub, monkeypatch):
    found = adapter_hub.find(ID)
    hub.failing = 503
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    with pytest.raises(AdapterUnavailable, match=f"The download of {ID} did not come to its end"):
        adapter_hub.fetch(found)


# Refusals


@pytest.mark.parametrize(
    "text",
    [
        "someone/..", "someone/a..b", "someone/a--b", "someone/name.git", "someone/name-", f"someone/{'n' * 97}",
        "someone/näme", f"{ID}@", f"{ID}@../../main", f"{ID}@a..b", f"{ID}@-x", f"{ID}@a b", f"{ID}@/etc", f"{ID}@a\\b",
        f"{ID}@{'n' * 256}", f"{ID}@main@main", f"{ID}@main/",
    ],
)  # fmt: skip
def test_an_id_that_the_hub_cannot_have_is_never_asked_for(hub, text):
    with pytest.raises(InvalidRequest, match=r"not an id of the Hub|not a revision"):
        adapter_hub.find(text)
    assert hub.requests == []


@pytest.mark.parametrize(
    "text", ["../someone/stars", "a/b/c", "/etc/passwd", "stars", "", "C:\\stars", "~/stars", "%2e/x"]
)
def test_what_does_not_look_like_an_id_is_none(hub, text):
    assert adapter_hub.parse_id(text) is None
    with pytest.raises(InvalidRequest, match="not an id of the Hub"):
        adapter_hub.find(text)
    assert hub.requests == []


def test_what_the_hub_refuses_is_said_in_words(hub):
    with pytest.raises(AdapterUnavailable, match="no adapter someone/moons on the Hub, or it is private"):
        adapter_hub.find("someone/moons")
    hub.gated.add(ID)
    with pytest.raises(AdapterUnavailable, match=rf"{ID} is gated\. .*hf auth login"):
        adapter_hub.find(ID)
    with pytest.raises(AdapterUnavailable, match=rf"{ID} is gated\. Choose one that is open"):
        adapter_hub.find(ID, is_hosted=True)
    hub.disabled.add(ID)
    with pytest.raises(AdapterUnavailable, match=f"{ID} was disabled"):
        adapter_hub.find(ID)
    hub.failing = 429
    with pytest.raises(AdapterUnavailable, match="asked too often"):
        adapter_hub.find(ID)
    hub.failing = 503
    with pytest.raises(AdapterUnavailable, match="it answered 503"):
        adapter_hub.find(ID)


def test_an_adapter_that_the_hub_refuses_now_is_not_taken_from_here(hub):
    adapter_hub.fetch(adapter_hub.find(ID))
    hub.disabled.add(ID)
    with pytest.raises(AdapterUnavailable, match="disabled"):
        adapter_hub.find(ID)


def test_a_repository_without_safetensors_weights_is_refused_unread(hub, repository):
    (repository / WEIGHTS).unlink()
    with pytest.raises(AdapterRefused, match=r"someone/stars are a pickle \(adapter_model\.bin\)"):
        adapter_hub.find(ID)
    (repository / "adapter_model.bin").unlink()
    with pytest.raises(AdapterUnavailable, match=f"{ID} has no {WEIGHTS}"):
        adapter_hub.find(ID)
    shutil.copy(repository / CONFIG, repository / "checkpoint-5")
    (repository / CONFIG).unlink()
    with pytest.raises(AdapterUnavailable, match=r"adapters only in folders .*\(checkpoint-5\)"):
        adapter_hub.find(ID)
    shutil.rmtree(repository / "checkpoint-5")
    with pytest.raises(AdapterUnavailable, match=f"{ID} is not an adapter: it has no {CONFIG}"):
        adapter_hub.find(ID)
    assert hub.downloaded() == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (CONFIG, b"{", "is not JSON"),
        (CONFIG, b"[]", "holds a list"),
        (CONFIG, b'{"a": "' + b"x" * (1 << 20) + b'"}', "too large"),
        (WEIGHTS, b"short", "not a safetensors file"),
        (WEIGHTS, b"\xff" * 4000, "not a safetensors file"),
        (WEIGHTS, (1 << 30).to_bytes(8, "little") + bytes(4000), "not a safetensors file"),
        (WEIGHTS, (2).to_bytes(8, "little") + b"{}" + bytes(4000), "cut off or added to"),
        (WEIGHTS, (2).to_bytes(8, "little") + b"[]", "cannot be used"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_refused(hub, repository, name, content, words):
    (repository / name).write_bytes(content)
    with pytest.raises(AdapterRefused, match=f"{name} of {ID}.*{words}"):
        adapter_hub.find(ID)
    assert hub.sent[name] <= max(len(content), 1024) and hub.sent[CONFIG] <= (256 << 10) + 1


def test_a_server_takes_only_what_everybody_may_read_and_it_can_keep(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = adapter_hub.find(ID, is_hosted=True)
    assert set(hub.logins) == {None}
    hub.logins.clear()
    adapter_hub.find(ID)
    assert set(hub.logins) == {"Bearer hf_secret"}
    monkeypatch.setattr(adapter_hub, "HOSTED_ADAPTER_BYTES", 10_000)
    with pytest.raises(AdapterRefused, match="this server takes"):
        adapter_hub.find(ID, is_hosted=True)
    hub.logins.clear()
    adapter_hub.fetch(found, is_hosted=True)
    assert set(hub.logins) == {None}


def test_a_server_gives_nobody_what_its_own_login_has_fetched(hub):
    fetched = adapter_hub.fetch(adapter_hub.find(ID))  # while it was open, or by whoever runs the server
    assert adapter_hub.find(ID, is_hosted=True).folder == fetched.folder
    hub.gated.add(ID)
    for name in (ID, f"{ID}@{COMMIT}"):
        with pytest.raises(AdapterUnavailable, match=f"{ID} is gated. Choose one that is open"):
            adapter_hub.find(name, is_hosted=True)
    del hub.repositories[ID]
    for name in (ID, f"{ID}@{COMMIT}"):
        with pytest.raises(AdapterUnavailable, match="or it is private"):
            adapter_hub.find(name, is_hosted=True)
    hub.failing = 503
    with pytest.raises(AdapterUnavailable, match="cannot be reached"):
        adapter_hub.find(f"{ID}@{COMMIT}", is_hosted=True)
    assert adapter_hub.find(f"{ID}@{COMMIT}").folder == fetched.folder


def test_an_adapter_that_a_stranger_chooses_is_fetched_by_nobodys_login(tiny_folder, tmp_path, monkeypatch):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter")
    with fake_hub({ID: folder}, tmp_path / "cache", monkeypatch) as hub:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        for wanted in (choose, choose_members):
            (choice,) = wanted([ID], tiny_folder, is_hosted=True)
            assert choice.files.folder is not None and choice.files.revision == COMMIT
        assert WEIGHTS in hub.sent and set(hub.logins) == {None}


# The Hub's list


def listed(name, downloads, base=BASE, gated=False, files=(CONFIG, WEIGHTS)):
    return {
        "id": name,
        "downloads": downloads,
        "gated": gated,
        "tags": ["peft", f"base_model:{base}", f"base_model:adapter:{base}"],
        "siblings": [{"rfilename": name} for name in files],
    }


def test_adapters_of_a_base_and_of_its_copies_are_listed_the_most_used_first(hub):
    copy = "unsloth/Qwen3-VL-2B-Instruct-unsloth-bnb-4bit"
    hub.listed = [
        listed("a/few", 1),
        listed("b/many", 900),
        listed("c/copy", 50, copy),
        listed("d/gated", 20, gated="manual"),
        listed("e/other-base", 999, "Qwen/Qwen3-VL-4B-Instruct"),
        listed("f/pickle", 999, files=(CONFIG, "adapter_model.bin")),
        listed("g/merged", 999, files=("model.safetensors",)),
        listed("../../h", 999),
        {**listed("i/mirror", 5), "siblings": None},
    ]
    adapters, sentence = adapter_hub.listed_adapters(BASE)
    assert [(each.id, each.base, each.is_gated) for each in adapters] == [
        ("b/many", BASE, False), ("c/copy", copy, False), ("d/gated", BASE, True), ("i/mirror", BASE, False),
        ("a/few", BASE, False),
    ]  # fmt: skip
    assert sentence is None
    assert {query["filter"][0] for query in hub.queries} >= {f"base_model:adapter:{BASE}", f"base_model:adapter:{copy}"}
    assert "d/gated" not in [each.id for each in adapter_hub.listed_adapters(BASE, is_hosted=True)[0]]


def test_a_list_is_kept_for_ten_minutes(hub, clock):
    hub.listed = [listed("a/first", 1)]
    first = adapter_hub.listed_adapters(BASE)
    hub.listed, asked, clock[0] = [listed("b/second", 1)], len(hub.queries), 599
    assert adapter_hub.listed_adapters(BASE) == first and len(hub.queries) == asked
    clock[0] = 601
    assert [each.id for each in adapter_hub.listed_adapters(BASE)[0]] == ["b/second"]


def test_a_list_that_does_not_come_is_a_sentence_and_the_old_one_stays(hub, clock, monkeypatch):
    hub.failing = 429
    adapters, sentence = adapter_hub.listed_adapters(BASE)
    assert adapters == [] and "asked too often" in sentence and BASE in sentence
    requests = len(hub.requests)
    assert adapter_hub.listed_adapters(BASE) == (adapters, sentence) and len(hub.requests) == requests
    assert requests == len(adapter_hub.copies(BASE)), "a refusal is not answered with more requests"
    hub.failing, hub.listed, clock[0] = None, [listed("a/first", 1)], 61
    first, sentence = adapter_hub.listed_adapters(BASE)
    assert [each.id for each in first] == ["a/first"] and sentence is None
    clock[0], hub.failing = 1000, 503
    assert adapter_hub.listed_adapters(BASE) == (first, adapter_hub.listed_adapters(BASE)[1])
    assert "it answered 503" in adapter_hub.listed_adapters(BASE)[1]
    clock[0] = 2000
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert adapter_hub.listed_adapters(BASE)[0] == first
    assert "set to work offline" in adapter_hub.listed_adapters(BASE)[1]


def test_a_silent_hub_is_not_waited_for(hub, monkeypatch):
    monkeypatch.setattr(adapter_hub, "LISTING_TIMEOUT_S", 0.05)
    hub.held["list"] = Hold()
    adapters, sentence = adapter_hub.listed_adapters(BASE)
    assert adapters == [] and "Timeout" in sentence


def test_an_answer_that_is_no_list_is_a_sentence(hub):
    hub.listed = [{"downloads": 1, "tags": [f"base_model:adapter:{BASE}"]}]
    adapters, sentence = adapter_hub.listed_adapters(BASE)
    assert adapters == [] and "did not list all" in sentence
    assert json.dumps(sentence)


# Weights that were trained together with it


def test_what_lies_beside_it_is_known_loaded_or_left_there(hub, repository, monkeypatch):
    torch.save({"merger.weight": torch.ones(8)}, repository / "non_lora_state_dict.bin")
    save_file({"visual.weight": torch.ones(4)}, repository / "vit.safetensors")
    save_file({"pruned.weight": torch.ones(2)}, repository / "checkpoint-5/vit.safetensors")
    found = adapter_hub.find(ID)
    assert [file.name for file in found.beside] == ["vit.safetensors", "non_lora_state_dict.bin"]
    assert [list(file.tensors) for file in found.beside] == [["visual.weight"], ["merger.weight"]]
    assert found.beside == read_folder(repository).beside
    fetched = adapter_hub.fetch(found)
    assert sorted(file.name for file in fetched.folder.iterdir()) == [CONFIG, WEIGHTS, "vit.safetensors"]
    assert fetched.sha256 == read_folder(repository).sha256 and fetched.beside == found.beside
    hub.requests.clear()
    assert adapter_hub.find(ID) == fetched and hub.downloaded() == []
    assert adapter_hub.find(f"{ID}@{COMMIT}").beside == found.beside
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert adapter_hub.find(ID) == fetched


def test_of_one_that_another_program_downloaded_the_rest_is_asked_for(hub, repository, tmp_path, monkeypatch):
    save_file({"visual.weight": torch.ones(4)}, repository / "vit.safetensors")
    for name in (CONFIG, WEIGHTS):  # as PEFT does
        hf_hub_download(ID, name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert not adapter_hub.find(ID).knows_all
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    found = adapter_hub.find(ID)
    assert found.knows_all and found.folder is None
    assert (adapter_hub.fetch(found).folder / "vit.safetensors").is_file()

"""A private or gated adapter is read by the login of the visitor who asks for it, into a folder of theirs, and by
nobody else's; what a login may not do is said in words, and its token is shown nowhere."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from adapter_folders import write_adapter
from fake_hub import COMMIT, Hold, fake_hub
from made_adapters import saved_adapter

from adapters import hub as adapter_hub
from adapters.attach import adapted, adapters_of, from_job, to_job
from adapters.choosing import AdapterChoice, choose
from adapters.files import CONFIG, WEIGHTS, read_folder
from attention.errors import AdapterRefused, AdapterUnavailable, Cancelled, InvalidRequest
from attention.models.hub_login import HubLogin

OPEN, PRIVATE, GATED = "someone/open", "someone/private", "someone/gated"
ADA, BOB = "hf_oauth_of-ada", "hf_oauth_of-bob"


@pytest.fixture
def repository(tmp_path):
    return write_adapter(tmp_path / "repository", width=4096, value=1.0)


@pytest.fixture
def hub(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(adapter_hub, "HEADER_GUESS_BYTES", 1024)
    with fake_hub(dict.fromkeys((OPEN, PRIVATE, GATED), repository), tmp_path / "cache", monkeypatch) as hub:
        hub.private, hub.gated = {PRIVATE}, {GATED}
        hub.readers = {ADA: {PRIVATE, GATED}, BOB: set()}
        # as where the server itself is logged in, and may read all
        hub.readers["hf_of-the-server"] = {PRIVATE, GATED}
        monkeypatch.setenv("HF_TOKEN", "hf_of-the-server")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
        yield hub


@pytest.fixture
def login(tmp_path):
    """A login by a token, with a folder for what it fetches."""

    def of(token: str) -> HubLogin:
        @contextmanager
        def folder(repository, commit, n_bytes):
            place = tmp_path / "fetched" / token / repository.replace("/", "-")
            place.mkdir(parents=True, exist_ok=True)
            assert commit == COMMIT and n_bytes > 1000
            yield place

        return HubLogin(token, folder)

    return of


def fetched(name: str, login: HubLogin):
    return adapter_hub.fetch(adapter_hub.find(name, True, login=login), is_hosted=True, login=login)


@pytest.mark.parametrize("name", [PRIVATE, GATED])
def test_what_not_everybody_may_read_is_read_by_the_visitors_login_and_lies_with_them(
    hub, login, repository, tmp_path, name
):
    found = adapter_hub.find(name, True, login=login(ADA))
    assert found.is_private and found.folder is None and found.header == read_folder(repository).header
    here = adapter_hub.fetch(found, is_hosted=True, login=login(ADA))
    assert here.is_private and here.folder.is_relative_to(tmp_path / "fetched" / ADA)
    assert sorted(file.name for file in here.folder.iterdir()) == [CONFIG, WEIGHTS]
    assert here.sha256 == read_folder(repository).sha256
    assert set(hub.logins) == {None, f"Bearer {ADA}"} and not (tmp_path / "cache").exists()
    assert not hub.cookies, "nobody else's requests have what the Hub answers to a login"
    sent = hub.sent[WEIGHTS]
    again = fetched(f"{name}@{COMMIT}", login(ADA))
    assert again.folder == here.folder and hub.sent[WEIGHTS] - sent < sent / 2, "its weights are not fetched again"


def test_what_everybody_may_read_is_read_by_nobodys_login(hub, login, tmp_path):
    here = fetched(OPEN, login(ADA))
    assert not here.is_private and here.folder.is_relative_to(tmp_path / "cache") and set(hub.logins) == {None}


@pytest.mark.parametrize("name", [PRIVATE, GATED, f"{PRIVATE}@{COMMIT}"])
def test_what_one_login_has_fetched_is_no_other_ones(hub, login, name):
    fetched(name, login(ADA))
    for own, words in ((HubLogin(), r"[Ll]og in with an account that may read it, by the button .*oauth_token=\.\.\."),
                       (login(BOB), "your account (has no access|may read)")):  # fmt: skip
        with pytest.raises(AdapterUnavailable, match=words):
            adapter_hub.find(name, True, login=own)
    with pytest.raises(AdapterUnavailable, match=r"is gated\. Choose one that is open|or it is private\. Check"):
        adapter_hub.find(name, True)
    assert "Bearer hf_of-the-server" not in hub.logins


def test_a_login_that_ends_is_said_wherever_it_ends(hub, login):
    found = adapter_hub.find(PRIVATE, True, login=login(ADA))
    kept = dict(hub.readers)
    del hub.readers[ADA]
    with pytest.raises(AdapterUnavailable, match=r"Hub does not take your login any more\. Log in again, by the but"):
        adapter_hub.fetch(found, is_hosted=True, login=login(ADA))
    with pytest.raises(AdapterUnavailable, match="does not take your login any more"):
        adapter_hub.find(GATED, True, login=login(ADA))
    hub.readers = kept | {ADA: set()}  # as where it was given for less
    with pytest.raises(AdapterUnavailable, match="no adapter someone/private on the Hub that your account may read"):
        adapter_hub.fetch(found, is_hosted=True, login=login(ADA))
    hub.failing = 403
    with pytest.raises(AdapterUnavailable, match="Your login does not let this app read someone/private"):
        adapter_hub.fetch(found, is_hosted=True, login=login(ADA))
    hub.failing = 503
    with pytest.raises(AdapterUnavailable, match=r"did not come to its end \(it answered 503\)"):
        adapter_hub.fetch(found, is_hosted=True, login=login(ADA))


def test_half_a_download_is_none_and_no_more_is_taken_than_was_said(hub, login, repository, tmp_path):
    found = adapter_hub.find(PRIVATE, True, login=login(ADA))
    hub.cut[WEIGHTS] = 1
    with pytest.raises(AdapterUnavailable, match="did not come to its end"):
        adapter_hub.fetch(found, is_hosted=True, login=login(ADA))
    folder = tmp_path / "fetched" / ADA / "someone-private"
    assert [file.name for file in folder.iterdir()] == [CONFIG]
    told, is_stopped, hold = [], [], hub.held.setdefault(WEIGHTS, Hold())
    hold.release.set()

    def watch(*line):
        told.append(line)
        if is_stopped:
            raise Cancelled("stopped")

    is_stopped.append(True)
    with pytest.raises(Cancelled):
        adapter_hub.fetch(found, watch, is_hosted=True, login=login(ADA))
    is_stopped.clear()
    whole = (repository / WEIGHTS).read_bytes()
    (repository / WEIGHTS).write_bytes(whole + bytes(5000))
    with pytest.raises(AdapterUnavailable, match="longer than it was said to be"):
        adapter_hub.fetch(found, watch, is_hosted=True, login=login(ADA))
    assert [file.name for file in folder.iterdir()] == [CONFIG]
    (repository / WEIGHTS).write_bytes(whole)
    assert adapter_hub.fetch(found, watch, is_hosted=True, login=login(ADA)).sha256 == read_folder(repository).sha256
    assert all(done < total for done, total in told if total)


def test_a_storage_to_which_the_hub_leads_is_not_told_the_login(hub, login, repository, tmp_path, monkeypatch):
    with fake_hub({PRIVATE: repository}, tmp_path / "other", monkeypatch) as storage, monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        patch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            hub.address + "/{repo_id}/resolve/{revision}/{filename}",
        )
        hub.elsewhere = {WEIGHTS: storage.address}
        assert fetched(PRIVATE, login(ADA)).is_private
        assert storage.downloaded() == [WEIGHTS, WEIGHTS] and set(storage.logins) == {None}


def test_no_token_is_shown(hub, login):
    secret = "hf_oauth_secret"
    assert secret not in repr(HubLogin(secret))
    for broken in (f"{secret}\r\nX-Other: 1", f"{secret}ä", f"{secret} ", "", secret * 1000):
        with pytest.raises(InvalidRequest, match="The login is no token of the Hub") as refused:
            HubLogin(broken)
        assert secret not in str(refused.value)


def test_no_private_adapter_stays_on_the_model(tmp_path, tiny_folder, loaded, hub, login):
    """Its job is plain data without the login, and its weights are off the base once it is done."""
    hub.repositories[PRIVATE] = saved_adapter(tiny_folder, tmp_path / "adapter")
    (choice,) = choose([PRIVATE], tiny_folder, is_hosted=True, login=login(ADA))
    record = to_job(choice)
    assert record["private"] and ADA not in str({**record, "folder": ""}) and from_job(record) == choice
    own = AdapterChoice(read_folder(hub.repositories[PRIVATE]))
    with adapted(choice)(loaded) as said:
        assert len(adapters_of(loaded)) == 1 and said["id"] == PRIVATE and ADA not in str(said)
    assert len(adapters_of(loaded)) == 0
    with pytest.raises(ZeroDivisionError), adapted(choice)(loaded):
        raise ZeroDivisionError
    assert len(adapters_of(loaded)) == 0
    with adapted(own)(loaded):
        pass
    assert len(adapters_of(loaded)) == 1, "another one stays, for the next run with it"
    Path(choice.files.folder, WEIGHTS).write_bytes(b"another")
    with pytest.raises(AdapterRefused):
        from_job(record)

"""On a Space where people can log in, each reads private adapters with their own account, and nobody with another's."""

import json
import os
import time
from base64 import b64encode
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import gradio as gr
import httpx
import pytest
from fake_hub import COMMIT, fake_hub
from gradio.utils import oauth_token_requirement
from gradio_client import Client, handle_file
from itsdangerous import TimestampSigner
from made_adapters import saved_adapter
from pictures import noise
from served import seconds_until, served

import app
from attention.environment import offers_login
from attention.page.logins import login_of
from attention.page.whole import build
from attention.visitors.store import RunCache

pytestmark = pytest.mark.slow

ADAPTER = "ada/private"
ADA, BOB = "hf_oauth_of-ada", "hf_oauth_of-bob"
ASKED = {"images": None, "prompt": "what?", "answer": "red"}
SPACE = {
    "SYSTEM": "spaces", "SPACE_ID": "someone/space", "SPACE_HOST": "someone-space.hf.space",
    "OAUTH_CLIENT_ID": "client", "OAUTH_CLIENT_SECRET": "not told", "OAUTH_SCOPES": "openid profile read-repos",
    "OPENID_PROVIDER_URL": "https://huggingface.example",
}  # fmt: skip


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("space")


@pytest.fixture(scope="module")
def running(place, patch):
    """The service, its address, and the Hub that it asks."""
    for name, value in SPACE.items():
        patch.setenv(name, value)
        patch.setattr(f"gradio.oauth.{name}", value, raising=False)  # read when it was imported
    with served(place, is_hosted=True) as (service, address):
        folder = saved_adapter(place / "model", place / "adapter")
        with fake_hub({ADAPTER: folder}, place / "cache", patch) as hub:
            hub.private, hub.readers = {ADAPTER}, {ADA: {ADAPTER}, BOB: set()}
            yield service, address, hub


def cookie(token, secret="not told", lasts=3600):
    """The cookie in which Gradio keeps a login."""
    info = {"access_token": token, "scope": "openid", "expires_at": int(time.time()) + lasts}
    info["userinfo"] = {"preferred_username": "ada", "name": "Ada", "profile": "", "picture": ""}
    signer = TimestampSigner(sha256(f"{secret}-v4".encode()).hexdigest())
    return "session=" + signer.sign(b64encode(json.dumps({"oauth_info": info}).encode())).decode()


@contextmanager
def visitor(address, token=None):
    """A page's client, whose browser is logged in with a token."""
    client = Client(address, verbose=False, headers={"Cookie": cookie(token)} if token is not None else None)
    try:
        yield client
    finally:
        client.close()


def refusals(client, name, ticket=None):
    """Words of everything that takes an adapter's name, or a run that was made with one, as a visitor is told."""
    calls = [
        lambda: client.predict(name, api_name="/layers"),
        lambda: client.predict(**ASKED, adapter=name, api_name="/analyze"),
        lambda: client.predict(**ASKED, adapters=[name], api_name="/compare"),
        lambda: client.predict(name, api_name="/inspect"),
    ]
    if ticket is not None:
        calls.append(lambda: client.predict(ticket=ticket, heads=[[0, 0]], api_name="/try"))
        calls.append(lambda: client.predict(ticket=ticket, kind="lens", api_name="/reading"))
    said = []
    for call in calls:
        with pytest.raises(Exception) as refused:
            call()
        said.append(str(refused.value))
    return said


def files_with(text, *places):
    return [
        file for place in places for file in Path(place).rglob("*")
        if file.is_file() and (text in file.name or text.encode() in content(file))
    ]  # fmt: skip


def content(file):
    """The bytes of a file, none of one that has gone meanwhile."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def test_a_visitor_reads_with_their_own_account_and_nobody_else_does(running, place, patch, capfd, caplog):
    service, address, hub = running
    jobs, run_job = [], service.work.run_job

    def watched(job, prepared):
        jobs.append(json.dumps(job))
        assert ADA not in jobs[-1] and not files_with(ADA, place, os.environ["GRADIO_TEMP_DIR"])
        assert ADA not in str(dict(os.environ))
        return run_job(job, prepared)

    patch.setattr(service.work, "run_job", watched)
    fetched = service.cache.new_folder().parent / "by_login"
    with visitor(address, ADA) as ada:
        noise().save(place / "picture.png")
        seen = {**ASKED, "images": handle_file(place / "picture.png")}  # without a picture there is no trial
        done = ada.predict(**seen, adapter=ADAPTER, api_name="/analyze")
        assert done["run"]["adapter"]["id"] == ADAPTER and done["run"]["adapter"]["revision"] == COMMIT
        compared = ada.predict(**ASKED, adapters=[f"{ADAPTER}=0.5"], api_name="/compare")
        assert compared["comparison"]["members"][1]["adapter"]["scale"] == 0.5
        assert ada.predict(ADAPTER, api_name="/inspect")["rank"] == [4, 4]
        assert ada.predict(ticket=done["ticket"], heads=[[0, 0]], api_name="/try")["heads"] == [[0, 0]]
        (folder,) = fetched.iterdir()
        assert len(jobs) == 3 and all(str(folder) in job for job in jobs) and service.files.n_bytes("127.0.0.1")
        with visitor(address) as nobody, visitor(address, BOB) as bob:
            offered, *said = refusals(nobody, f"{ADAPTER}@{COMMIT}")
            assert "is not offered here" in offered
            assert all("log in with an account that may read it, by the button" in words for words in said)
            offered, *said = refusals(bob, ADAPTER, done["ticket"])
            assert all("on the Hub that your account may read" in words for words in said) and len(said) == 5
            assert ADAPTER not in json.dumps(bob.predict(api_name="/adapters"))
            assert httpx.get(f"{address}gradio_api/file={folder}/adapter_config.json").status_code in (403, 404)
        assert len(jobs) == 3, "none of them came to a model"
    seconds_until(lambda: not list(fetched.iterdir()))
    with visitor(address) as nobody, pytest.raises(Exception, match="log in with an account"):
        nobody.predict(ADAPTER, api_name="/inspect")
    assert set(hub.logins) == {None, f"Bearer {ADA}", f"Bearer {BOB}"}
    assert not (place / "cache").exists() and not files_with(ADA, place, os.environ["GRADIO_TEMP_DIR"])
    assert not any(ADA in text for text in (*capfd.readouterr(), caplog.text))


def test_a_script_gives_its_own_token(running):
    _, address, _ = running
    client = Client(address, verbose=False, oauth_token=ADA)
    assert client.predict(ADAPTER, api_name="/inspect")["rank"] == [4, 4]
    client.oauth_token = f"{ADA}\n"
    with pytest.raises(Exception, match="The login is no token of the Hub") as refused:
        client.predict(ADAPTER, api_name="/inspect")
    assert ADA not in str(refused.value)
    client.close()
    own = Client(address, verbose=False, token=ADA)  # by which the Hub lets a client reach a Space: it is not the app's
    with pytest.raises(Exception, match="log in with an account"):
        own.predict(ADAPTER, api_name="/inspect")
    own.close()


def test_a_login_counts_as_long_as_it_is_one_and_for_this_apps_own_page(running):
    _, address, hub = running

    def said(**headers):
        call = f"{address}gradio_api/call"
        event = httpx.post(f"{call}/v2/inspect", json={"adapter": ADAPTER}, headers=headers).json()["event_id"]
        return httpx.get(f"{call}/inspect/{event}", headers=headers).text

    own = cookie(ADA)
    for headers in ({}, {"Origin": "https://someone-space.hf.space"}):
        assert '"rank": [4, 4]' in said(Cookie=own, **headers)
    for elsewhere in ("https://evil.example", "null"):
        assert "log in with an account" in said(Cookie=own, Origin=elsewhere)
    assert "log in with an account" in said(Cookie=cookie(ADA, lasts=-1)), "it has expired"
    assert "log in with an account" in said(Cookie=cookie(ADA, secret="of another start"))
    readers = hub.readers.pop(ADA)
    assert "does not take your login any more. Log in again" in said(Cookie=own)
    hub.readers[ADA] = readers


def test_the_button_logs_in_and_out_and_the_cookie_may_be_in_a_frame(running, patch):
    _, address, _ = running
    config = httpx.get(f"{address}config").json()
    (button,) = [each for each in config["components"] if "Log in for" in str(each["props"].get("value"))]
    assert button["type"] == "button"
    info = httpx.get(f"{address}gradio_api/info").json()["named_endpoints"]
    assert {name for name, endpoint in info.items() if "oauth_token" in endpoint} == {
        "/analyze", "/compare", "/inspect", "/reading", "/try",
    }  # fmt: skip
    assert not any("login" in name for name in info)
    metadata = {"authorization_endpoint": "https://huggingface.example/oauth/authorize", "issuer": "x"}

    async def load(self):
        return metadata

    patch.setattr("authlib.integrations.starlette_client.apps.StarletteOAuth2App.load_server_metadata", load)
    sent = httpx.get(f"{address}login/huggingface", headers={"Host": "someone-space.hf.space"})
    assert sent.status_code == 302 and sent.headers["location"].startswith(metadata["authorization_endpoint"])
    assert "someone-space.hf.space%2Flogin%2Fcallback" in sent.headers["location"]
    assert {"httponly", "samesite=none", "secure"} <= set(sent.headers["set-cookie"].lower().split("; "))
    out = httpx.get(f"{address}logout", headers={"Cookie": cookie(ADA)})
    assert out.status_code == 307 and "session=null" in out.headers["set-cookie"]
    seen = httpx.get(
        f"{address}gradio_api/attention/example-shapes/row?layer=0&query=5", headers={"Cookie": cookie(ADA)}
    )
    assert seen.status_code == 200 and "set-cookie" not in seen.headers


def test_whatever_runs_a_model_or_reads_an_adapter_is_told_of_the_login(running):
    demo = build(running[0], {}, {})
    told = {fn.fn.__name__ for fn in demo.fns.values() if oauth_token_requirement(fn.fn) == "optional"}
    page = {"explore", "run_both", "examined", "begin"}  # the last asks for trials and readings
    endpoints = {"analyze", "compare", "try_without", "reading"}
    assert demo.expects_oauth and told == {*page, *endpoints, "inspect_by_login"}
    jobs = {fn.fn.__name__ for fn in demo.fns.values() if fn.concurrency_id == "jobs"}
    assert jobs == told - {"examined", "inspect_by_login"}


def test_elsewhere_there_is_nothing_of_it(tmp_path, monkeypatch):
    """Without the Space's settings nothing is asked, offered or taken, whatever a caller sends along."""
    for name, value in SPACE.items():
        monkeypatch.setenv(name, value)
    for name in ("SYSTEM", "SPACE_ID", "OAUTH_CLIENT_ID"):
        with pytest.MonkeyPatch.context() as elsewhere:
            elsewhere.delenv(name)
            assert not offers_login()
            hosted = new_service(tmp_path / name, is_hosted=True)
    for service in (hosted, new_service(tmp_path / "own", is_hosted=False)):
        demo = build(service, {}, {})
        service.close()
        assert not demo.expects_oauth and login_of(service, gr.OAuthToken("hf_x", "", 0)) is None
        info = demo.get_api_info()["named_endpoints"]
        assert not any("oauth_token" in endpoint for endpoint in info.values()) and "/inspect" in info


def new_service(folder, is_hosted):
    return app.new_service(
        RunCache(folder, library=not is_hosted, sweep_every=None), is_hosted=is_hosted, model="pocket"
    )

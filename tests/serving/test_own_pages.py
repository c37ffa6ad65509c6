"""A login in a cookie counts for this app's own page, whatever page makes a browser send it."""

import pytest
from coroutines import finish

from attention.serving.own_pages import OwnPages

HOST = "someone-space.hf.space"


def seen(monkeypatch, **headers) -> bool:
    """True if the app is told of the session that a request has."""
    monkeypatch.setenv("SPACE_HOST", f"{HOST}, lens.example")
    told = []

    async def app(scope, receive, send):
        told.append(scope["session"])
        scope["session"].pop("oauth_info", None)

    named = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    session = {"oauth_info": {"access_token": "hf_oauth_x"}}
    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in named.items()]}
    finish(OwnPages(app)({**scope, "session": session}, None, None))
    assert bool(session) is not bool(told[0] is session), "the cookie stays as it is where the app is not told"
    return told[0] is session


@pytest.mark.parametrize(
    ("headers", "is_told"),
    [
        ({}, True),  # a script, or a page that is only looked at
        ({"origin": f"https://{HOST}", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://lens.example"}, True),  # a domain of the Space's own, whatever a proxy calls it
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, True),  # on the way back from the login
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        ({"origin": "https://evil.example", "sec_fetch_site": "cross-site"}, False),
        ({"origin": "https://huggingface.co"}, False),
        ({"origin": f"https://{HOST}.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://[broken"}, False),
        ({"origin": ""}, False),
    ],
)
def test_pages_of_other_sites_have_no_login(monkeypatch, headers, is_told):
    assert seen(monkeypatch, **headers) is is_told

"""Every answer says what a page may do and who may frame it; an answer's own words on it stay."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from attention.serving.policy import Policy, frames


def plain(_):
    return PlainTextResponse("x")


def own(_):
    return PlainTextResponse("x", headers={"Referrer-Policy": "no-referrer"})


def headers_of(path, *given):
    routes = [Route("/plain", plain), Route("/own", own)]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(Policy, frames=frames(*given))]))
    return client.get(path).headers


@pytest.mark.parametrize("path", ["/plain", "/missing"])
def test_answers_and_refusals_have_the_headers(path):
    headers = headers_of(path, False)
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
    assert rules["connect-src"] == "'self' data: blob:", "nothing is sent elsewhere"
    assert "https:" not in rules["script-src"] and rules["object-src"] == "'none'"


def test_an_answer_keeps_its_own():
    assert headers_of("/own", False)["referrer-policy"] == "no-referrer"


def test_a_space_is_framed_by_its_site_and_an_own_app_by_notebooks_and_allowed_names():
    def framed(*given):
        return headers_of("/plain", *given)["content-security-policy"].partition("frame-ancestors ")[2].split()

    assert framed(True) == ["'self'", "https://huggingface.co", "https://*.huggingface.co", "https://*.hf.space"]
    own_app = framed(False, ["lab.example"])
    assert {"'self'", "http://localhost:*", "https://lab.example:*"} <= set(own_app) and "*" not in own_app
    assert not any("hf.space" in origin for origin in own_app)

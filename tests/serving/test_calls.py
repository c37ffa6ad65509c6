"""Calls of one address fill the line only so far."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from attention.serving.calls import Calls

WAITING = {"8.8.8.8": 100, "9.9.9.9": 99}


@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/call/heatmap", "/gradio_api/call/v2/export"])
def test_who_has_many_calls_in_the_line_is_told_to_wait_and_another_is_not(path):
    async def taken(request):
        return JSONResponse({})

    routes = [Route("/{rest:path}", taken, methods=["GET", "POST"])]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(Calls, waiting=WAITING.__getitem__)]))
    answer = client.post(path, headers={"X-Forwarded-For": "8.8.8.8"})
    assert answer.status_code == 503 and "100 calls from your network address wait" in answer.json()["detail"]
    assert client.post(path, headers={"X-Forwarded-For": "9.9.9.9"}).status_code == 200
    assert client.get(path, headers={"X-Forwarded-For": "8.8.8.8"}).status_code == 200
    assert client.get("/gradio_api/deep_link?session_hash=a").status_code == 404

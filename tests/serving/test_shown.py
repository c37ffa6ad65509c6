"""Runs as a notebook shows them while an app runs in its process: by the app, as long as it is there."""

import json
import re
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.environment import EXAMPLES
from attention.exports.html import notebook
from attention.folders import open_folder
from attention.serving.shown import Shown


@dataclass
class App:
    """Questions to a launched app."""

    local_url: str = "http://testserver/"
    is_running: bool = True


@pytest.mark.parametrize("name", ["shapes", "largest"])
def test_a_notebook_frames_the_apps_page_until_the_app_is_closed(monkeypatch, name):
    monkeypatch.setattr(notebook, "_apps", [])
    for elsewhere in notebook.ELSEWHERE:
        monkeypatch.delenv(elsewhere, raising=False)
    shown, app = Shown(), App()
    notebook.shown_by(lambda found: shown.address(app, found))
    with TestClient(Starlette(routes=[shown.route()])) as client, open_folder(EXAMPLES / name) as found:
        frame = found._repr_html_()
        address = frame.partition('src="')[2].partition('"')[0]
        assert frame.startswith("<iframe sandbox") and len(frame) < 1_500 and address in found._repr_html_()
        near = json.loads(re.search(r"words } = ({.*});", frame)[1])["near"]
        assert client.get(near).status_code == 404, "cheap, where the page itself is made for every question"
        page = client.get(address)
        assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
        assert page.headers["Content-Security-Policy"] == "sandbox allow-scripts allow-downloads"
        assert found.info["id"] in page.text and "<!doctype html>" in page.text[:20].lower()
        assert client.get(address[:-1]).status_code == 404
        for elsewhere in notebook.ELSEWHERE:
            with monkeypatch.context() as environment:
                environment.setenv(elsewhere, "set")
                assert 'srcdoc="' in found._repr_html_() and "<script>" not in found._repr_html_()
        assert 'srcdoc="' in notebook.notebook_html(found, alone=True)
        app.is_running = False
        assert 'srcdoc="' in found._repr_html_()


def test_a_folder_that_has_gone_is_said(tmp_path):
    shown = Shown()

    class Gone:
        folder = tmp_path / "gone"

    address = shown.address(App(), Gone())
    with TestClient(Starlette(routes=[shown.route()])) as client:
        answer = client.get(address)
    assert answer.status_code == 404 and answer.json()["expired"]

"""The app below a path of a real nginx, set up as the document says, with a login: page, viewer, client, uploads."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.utils import Status
from playwright.sync_api import expect
from programs import require
from served import hold_at, seconds_until

import app
from attention.visitors.key import Key
from attention.visitors.store import RunCache

pytestmark = [pytest.mark.nginx, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "assets" / "examples"
NAME, ACCOUNT, KEY = "lab.localhost", ("ada", "love lace"), "k" * 32
DOCUMENT = (ROOT / "attention" / "serving" / "README.md").read_text(encoding="utf-8")
FRAME = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/a;
  uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
  server {{ listen 127.0.0.1:{port}; server_name {name};
{document}
  }}
}}
"""


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """The address of an app with the finished window as its library, below the path that the document has."""
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copytree(EXAMPLES / "window", folder / "runs" / "save")
    service = app.new_service(RunCache(folder / "runs", library=True), is_hosted=False, model="pocket", key=Key(KEY))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://{NAME}:{port}/lens"
    demo = app.launch(service, quiet=True, root_path=address, auth=[ACCOUNT])
    document = re.search(r"^```nginx\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)[1]
    document = document.replace("http://127.0.0.1:7860/", demo.local_url)
    assert demo.local_url in document
    (folder / "conf").write_text(FRAME.format(folder=folder, port=port, name=NAME, document=document))
    nginx = subprocess.Popen([require("nginx"), "-c", folder / "conf", "-p", folder, "-e", folder / "errors"])
    try:
        seconds_until((folder / "pid").exists)
        service.wait_until_loaded()
        yield address
    finally:
        nginx.terminate()
        nginx.wait(60)
        demo.close()
        service.close()


@pytest.fixture
def named(monkeypatch):
    """This process finds the proxy's name, as a browser does every name below localhost."""
    found = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **how: found("127.0.0.1" if host == NAME else host, *more, **how)
    )


@pytest.mark.usefixtures("named")
def test_nothing_is_told_to_who_is_not_logged_in(behind):
    routes = (
        "attention/example-shapes/run.json",
        "attention/example-shapes/export?format=zip",
        "attention/library/list",
    )
    for path in (*routes, "attention/assets/x/run.js", "heartbeat/x", "queue/data?session_hash=x", "info"):
        for cookie in ("", "access-token-unsecure-x=None", f"attention-x={KEY}"):
            answer = httpx.get(f"{behind}/gradio_api/{path}", headers={"X-Attention-Key": KEY, "Cookie": cookie})
            assert answer.status_code == 401, path
    upload = httpx.post(f"{behind}/gradio_api/upload", files={"files": ("a.png", b"x")})
    assert upload.status_code == 401
    assert httpx.get(f"{behind}/config").status_code == 401
    page = httpx.get(f"{behind}/")
    assert page.status_code == 200 and "click Save" not in page.text and "auth_required" in page.text
    with pytest.raises(ValueError, match="Could not login"):
        Client(f"{behind}/", auth=("ada", "lace"), verbose=False)


@pytest.mark.usefixtures("named")
def test_a_client_uploads_runs_and_hears_of_it_while_it_runs(behind, monkeypatch):
    client = Client(f"{behind}/", auth=ACCOUNT, verbose=False)
    picture = handle_file(EXAMPLES / "shapes.png")
    made = client.predict(images=picture, prompt="what color is the star?", mode="generate", api_name="/analyze")
    assert made["answer"] == "red"
    png, values = client.predict(ticket=made["ticket"], layer=3, head=1, api_name="/heatmap")
    assert Path(png).read_bytes()[:4] == b"\x89PNG" and len(values) == 7
    reached = hold_at(monkeypatch, "inputs")
    job = client.submit(images=picture, prompt="what color is the star?", api_name="/analyze")
    assert reached.wait(120)
    seconds_until(lambda: job.status().code in (Status.PROCESSING, Status.PROGRESS))  # while it is held
    job.cancel()
    client.close()


def test_names_that_are_not_allowed_are_refused_through_the_proxy_too(behind):
    through = behind.replace(NAME, "127.0.0.1")
    for headers in ({"Host": "evil.example"}, {"Host": NAME, "Origin": "http://evil.example"}):
        assert httpx.get(f"{through}/", headers=headers).status_code == 403
    answer = httpx.get(f"{through}/", headers={"Host": NAME})
    assert answer.status_code == 200 and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert f"http://{NAME}:*" in answer.headers["Content-Security-Policy"]


@pytest.mark.browser
def test_the_page_and_its_library_below_a_path(behind, pages, tools):
    page = pages.lend()
    asked, failed = set(), []
    page.on("request", lambda request: asked.add(request.url))
    page.on("response", lambda answer: answer.status >= 400 and failed.append(answer.url))
    page.goto(f"{behind}/?key={KEY}")
    page.get_by_label("username").fill(ACCOUNT[0])
    page.get_by_label("password").fill(ACCOUNT[1])
    page.get_by_role("button", name="Login").click()
    tools.wait(page)
    page.locator("input[type=file]").first.set_input_files(EXAMPLES / "window.png")
    expect(page.locator(".av-tray-thumb img").first).to_be_visible()
    page.locator("#explore-chip").click()
    expect(page.locator(".av-lib-title").filter(has_text="click Save")).to_be_visible()
    page.wait_for_function("document.querySelector('.av-tray-thumb img').naturalWidth === 512")
    assert [address for address in asked if address.startswith("http") and not address.startswith(f"{behind}/")] == []
    assert failed == []

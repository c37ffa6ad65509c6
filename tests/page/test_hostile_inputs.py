"""Every hostile input is answered in words by each way in, writes nothing anywhere, and the next good call works."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from hostile_inputs import OWN, PROMPT, ROWS, write_files
from pictures import noise
from served import served

from attention.commands.main import main
from attention.page.ask import StatusLine
from attention.page.controls import Controls
from attention.page.inputs import fields_of

pytestmark = pytest.mark.slow

PAGE = {
    "videos": False, "fps": 0, "max_frames": 0, "prompt": PROMPT, "model": None, "mode": "generate",
    "system": "", "max_new_tokens": 8, "max_visual_tokens": 0, "dtype": "auto", "vision": "default",
    "pan_and_scan": False, "coordinates": "auto", "answer": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def server(place):
    with served(place / "app", is_hosted=True, adapters_dir=place / "adapters") as running:
        noise((96, 64)).save(place / "picture.png")
        yield running


@pytest.fixture(scope="module")
def own(server, place):
    """Ticket of a run of the sender's own."""
    client = Client(server[1], verbose=False)
    made = client.predict(images=handle_file(place / "picture.png"), prompt=PROMPT, api_name="/analyze")
    yield made["ticket"]
    client.close()


def by_endpoint(address, endpoint, data) -> str | None:
    """Words of an endpoint on values that need not be what it takes; None where it takes them."""
    place = f"{address}gradio_api/call/v2/{endpoint}"
    body = json.dumps(data).encode("utf-8", "surrogatepass")  # NaN and Infinity stand there as they are
    answer = httpx.post(place, content=body, headers={"Content-Type": "application/json"}, timeout=60)
    if answer.status_code != 200:
        return answer.text
    told = httpx.get(f"{address}gradio_api/call/{endpoint}/{answer.json()['event_id']}", timeout=120).text
    event, data = (line.partition(": ")[2] for line in told.strip().splitlines()[-2:])
    return None if event == "complete" else str(json.loads(data)["error"])


def uploaded(address, path):
    with open(path, "rb") as file:
        answer = httpx.post(f"{address}gradio_api/upload", files={"files": (path.name, file)})
    return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}


def by_command(capsys, place, row, files) -> str | None:
    flags = [str(files.get(flag, flag)) for flag in row.flags]
    given = {"--image": str(place / "picture.png"), "--prompt": PROMPT, "--model": str(place / "app" / "model")}
    named = [word for name, value in given.items() if name not in flags for word in (name, value)]
    out = place / "made"
    options = ["--device", "cpu", "--output-dir", str(out / str(len(list(out.iterdir()))))]
    try:
        code = main(["extract", *named, *flags, *options])
    except SystemExit as ended:  # a flag that is none, as argparse says it
        code = ended.code
    told = capsys.readouterr().err
    assert code in ((1, 2) if row.said else (0,)), told
    return told if code else None


def by_page(service, place, row, files) -> str | None:
    with gr.Blocks():
        controls = Controls(service, gr.Button(), gr.Button(), StatusLine(), {})
    values = PAGE | {"images": [place / "picture.png"]} | row.page
    values["images"] = [str(files.get(name, name)) for name in values["images"]]

    async def click():
        visitor = SimpleNamespace(session_hash="visitor", client=None, headers={})
        return [each async for each in controls.changes(visitor, lambda: fields_of(values), lambda ticket: {})]

    with ThreadPoolExecutor(1) as pool:  # Playwright, in other tests, keeps an event loop running in this thread
        try:
            pool.submit(asyncio.run, click()).result(300)
        except gr.Error as error:
            return error.message
    return None


def judged(row, told, place) -> None:
    """Assert that a refusal is a sentence about this input, and no more than that."""
    if row.said is None:
        assert told is None, f"{row.name}: {told}"
        return
    assert told is not None, f"{row.name} was taken"
    assert any(part in told for part in row.said.split("|")), f"{row.name}: {told}"
    for never in ("Traceback", "Internal error", "line ", 'File "', str(place / "app" / "runs")):
        assert never not in told, f"{row.name}: {told}"
    assert 20 < len(told) < 900, f"{row.name}: {told}"


@pytest.mark.sample(8)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_hostile_input_is_answered_in_words_by_each_way_in(server, own, place, tmp_path, capsys, row):
    service, address = server
    (place / "made").mkdir(exist_ok=True)
    files = write_files(row, tmp_path)
    picture = uploaded(address, place / "picture.png")
    data = {name: uploaded(address, files[value]) if isinstance(value, str) and value in files else value
            for name, value in row.sent.items()}  # fmt: skip
    if row.endpoint == "analyze":
        data = {"images": picture, "prompt": PROMPT} | data
    data = {name: own if value == OWN else value for name, value in data.items()}
    judged(row, by_endpoint(address, row.endpoint, data), place)
    if row.flags is not None:
        judged(row, by_command(capsys, place, row, files), place)
    if row.page is not None:
        judged(row, by_page(service, place, row, files), place)
    assert {path.name for path in place.iterdir()} <= {"app", "adapters", "made", "picture.png"}
    assert {path.name for path in (place / "app").iterdir()} == {"model", "runs"}
    assert not (place / "escaped").exists() and set(tmp_path.iterdir()) == set(files.values())


@pytest.mark.parametrize("endpoint, name", [("analyze", "prompt"), ("heatmap", "ticket")])
@pytest.mark.parametrize("value", [["what?"], {"a": 1}], ids=str)
def test_what_is_no_text_is_never_read_as_python_writes_it(server, endpoint, name, value):
    said = by_endpoint(server[1], endpoint, {name: value})
    assert said is not None and said.startswith(f"{name} is ") and "it must be a text" in said


def test_the_table_has_what_people_send():
    assert len(ROWS) >= 60 and len({row.name for row in ROWS}) == len(ROWS)
    assert sum(row.flags is not None for row in ROWS) >= 20 and sum(row.page is not None for row in ROWS) >= 20


def test_after_all_of_them_the_next_call_is_well(server, place):
    service, address = server
    picture = uploaded(address, place / "picture.png")
    for _ in range(2):
        assert by_endpoint(address, "analyze", {"images": picture, "prompt": PROMPT}) is None
    assert not service._jobs and not [*service.cache.new_folder().parent.glob("*.partial")]

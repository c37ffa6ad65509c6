"""Tools for agents, asked over the Model Context Protocol as a program of theirs does."""

import base64
import json
import re

import pytest
from coroutines import finish

import app
from attention.environment import EXAMPLES
from attention.errors import InvalidRequest, NotInRun
from attention.page.agent_answers import row_of_word
from attention.page.agents import TOOLS, check_tools, settings_for_agents
from attention.runs.run import open_run
from attention.visitors.key import HEADER, Key
from attention.visitors.store import RunCache

mcp = pytest.importorskip("mcp", reason="mcp is not installed")
KEY = "k" * 32


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    cache = RunCache(tmp_path_factory.mktemp("agents") / "runs", library=True)
    service = app.new_service(cache, is_hosted=False, key=Key(KEY))
    demo = app.launch(service, has_tools=True, quiet=True)
    service.starting.is_over.wait()
    yield json.loads(settings_for_agents(service, demo.local_url))["mcpServers"]["vlm-attention"]
    demo.close()
    service.close()


def talk(settings, *asked):
    """The tools by their names, and what came of each call: (is an error, its contents)."""
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

    async def talking():
        async with (
            create_mcp_http_client(settings.get("headers")) as client,
            streamable_http_client(settings["url"], http_client=client) as (read, write, _),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            told = []
            for name, given in asked:
                ticket = {"ticket": told[0][1]["ticket"]} if given.get("ticket") == "TICKET" else {}
                result = await session.call_tool(name, given | ticket)
                first = result.content[-1].text if result.content else ""
                told.append((result.isError, _read(first), result.content))
            return tools, told

    return finish(talking())


def _read(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.slow
def test_an_agent_asks_where_a_model_looked_and_tries_whether_it_matters(address):
    box = [698, 0, 873, 183]
    asked = {"prompt": "what color is the star?", "picture": str(EXAMPLES / "shapes.png")}
    tools, told = talk(
        address, ("analyze", asked), ("heatmap", {"ticket": "TICKET"}),
        ("most_read", {"ticket": "TICKET", "layer": 3, "head": 1}),
        ("score", {"ticket": "TICKET", "box": box}), ("try_without", {"ticket": "TICKET", "box": box}), ("models", {}),
    )  # fmt: skip
    assert list(tools) == list(TOOLS) and all(tool.description for tool in tools.values())
    assert tools["analyze"].inputSchema["required"] == ["prompt"]
    assert not any(is_error for is_error, *_ in told), told
    run, _, looked, scores, tried, models = (answer for _, answer, _ in told)
    assert run["answer"] and run["answer_tokens"][0]["logprob"] <= 0
    x0, y0, x1, y1 = looked["most_read"][0]["box"]
    assert x0 < box[2] and x1 > box[0] and y0 < box[3] and y1 > box[1], "this head reads the star"
    drawn = told[1][2][0]
    assert drawn.type == "image" and base64.b64decode(drawn.data).startswith(b"\x89PNG")
    best = scores["members"][0]["heads"][0]
    assert best["region_share"] > 0.9 > scores["members"][0]["uniform"]
    assert tried["change"] < -1 and len(tried["controls"]) == 20
    assert models[0]["id"] == "pocket"


@pytest.mark.slow
def test_what_an_agent_gets_wrong_is_said_and_nobody_without_the_key_gets_anything(address):
    _, told = talk(
        address, ("analyze", {"prompt": "what?", "picture": "/nowhere.png"}), ("score", {"ticket": "x", "box": [0, 0]}),
        ("compare", {"prompt": "what?", "adapters": ["nobody"], "picture": str(EXAMPLES / "two.png")}), ("region", {}),
    )  # fmt: skip
    words = ["no picture '/nowhere.png' on this machine", "not here any more", "nobody", "Unknown tool"]
    for (is_error, _, content), each in zip(told, words, strict=True):
        assert is_error and each in content[0].text, content
    _, told = talk({"url": address["url"]}, ("models", {}), ("analyze", {"prompt": "what?"}))
    for is_error, _, content in told:
        assert is_error and "This needs the key of the library" in content[0].text


def test_a_word_of_the_answer_is_the_row_that_predicts_it():
    with open_run(EXAMPLES / "shapes") as run:
        (first, *_) = run.find(re.split(r"\s", run.info["answer"])[0], "answer")
        for word in (run.info["answer"], str(first), first):
            assert row_of_word(run, word) == first - 1
        assert row_of_word(run, "") is None
        with pytest.raises(NotInRun, match="The answer has no 'elephant'"):
            row_of_word(run, "elephant")
        with pytest.raises(NotInRun, match="There is no token 0 with a row before it"):
            row_of_word(run, 0)


@pytest.mark.parametrize(
    ("given", "environment", "words"),
    [
        (("0.0.0.0", False, False), {}, "--host 0.0.0.0"),
        ((None, True, False), {}, "a Space"),
        (("localhost", False, True), {}, "--auth-file"),
        ((None, False, False, False), {}, "--no-key"),
        ((None, False, False), {"GRADIO_SERVER_NAME": "0.0.0.0"}, "GRADIO_SERVER_NAME 0.0.0.0"),
        ((None, False, False), {"GRADIO_SHARE": "True"}, "GRADIO_SHARE"),
    ],
)
def test_tools_are_for_this_machine_alone(given, environment, words, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidRequest, match=f"Leave it out with {words}"):
        check_tools(*given)


def test_tools_need_their_package_and_nothing_else(monkeypatch):
    check_tools("127.0.0.1", False, False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidRequest, match="pip install"):
        check_tools(None, False, False)
    assert HEADER == "X-Attention-Key"

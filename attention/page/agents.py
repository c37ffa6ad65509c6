"""Tools for agents on this machine, over the Model Context Protocol: a picture, a question, and where a model looked.

Owns which tools there are and what an agent is told of them; `agent_answers` says what comes back. Gradio serves them
where the package mcp is installed, and they answer callers with the library's key: they read pictures by their path.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from attention.errors import InvalidRequest, quoted
from attention.fields import Field
from attention.request import FIELDS
from attention.runs.run import Run
from attention.runs.selection import Selection, default_query, select
from attention.visitors.key import HEADER
from attention.visitors.service import Service

from . import JOB
from .agent_answers import comparison_answer, looked_at, row_of_word, run_answer
from .api_fields import OF_A_COMPARISON, OF_A_REGION, ONE_MAP
from .described import schema_of
from .inputs import listed, new_file, number_or_word, optional_number
from .sentences import plainly, status_line
from .visitors import visitor_of

PATH = "gradio_api/mcp/"
Asking: Any = gr.Request  # Gradio hands it on by this annotation
PROGRESS = gr.Progress()
PICTURE = Field("picture", str, None, "path of the picture on this machine; leave it out for a question without one")
PROMPT = Field("prompt", str, None, "the question")
TICKET = Field("ticket", str, None, "ticket of a run, as analyze or compare returned it")
WORD = Field("word", str, None, "word of the answer, or the position of a token; by default its first word")
TOOLS: dict[str, tuple[str, tuple[Field, ...]]] = {
    "models": ("List the models that can be asked. The first is the one that is asked by default.", ()),
    "adapters": ("List the LoRA adapters that fit a model, by the ids that compare takes.", (FIELDS["model"],)),
    "analyze": (
        "Ask a vision-language model about a picture and capture its attention. Returns its answer, how probable each "
        "token of it was, the parts of the picture that were read most as the answer began (boxes in pixels), and a "
        "ticket for the other tools.",
        (PROMPT, PICTURE, FIELDS["model"], FIELDS["answer"]),
    ),
    "heatmap": (
        "Draw over the picture what was read as a word of the answer was written. Returns a PNG: of one head where "
        "layer and head are numbers, else of the mean over all.",
        (TICKET, WORD, ONE_MAP["layer"], ONE_MAP["head"]),
    ),
    "most_read": (
        "List the boxes of the picture that were read most as a word of the answer was written, with the share of "
        "each, and the shares on all pictures and on attention sinks: of one head, or of the mean over all.",
        (TICKET, WORD, ONE_MAP["layer"], ONE_MAP["head"]),
    ),
    "score": (
        "Measure how much of each head's attention lies in a box of the picture as the answer begins, beside what "
        "chance would put there. Use it where it is known where the model should look.",
        (TICKET, OF_A_REGION["box"], WORD, OF_A_REGION["top"]),
    ),
    "try_without": (
        "Hide a box of the picture from the model and read its answer again: the change of the answer's "
        "log-probability, in nats, beside other boxes that are as large. This measures whether the place matters.",
        (TICKET, OF_A_REGION["box"]),
    ),
    "compare": (
        "Ask the base model and LoRA adapters the same question about the same picture. Returns every answer, the "
        "heads that each adapter moved most on the picture, and a ticket.",
        (PROMPT, OF_A_COMPARISON["adapters"], PICTURE, FIELDS["model"]),
    ),
}  # fmt: skip


def check_tools(host: str | None, is_hosted: bool, has_accounts: bool, has_key: bool = True) -> None:
    """Refuse tools where they cannot be, in words: on a server, under an address of others, without key or package.

    `host` is None where nothing says where to listen; the environment may, as Gradio reads it.
    """
    said = "--host" if host else "GRADIO_SERVER_NAME"
    host = host or os.environ.get("GRADIO_SERVER_NAME")
    is_shared = os.environ.get("GRADIO_SHARE", "").lower() == "true"
    reasons = {
        f"{said} {host}": not _is_own(host), "GRADIO_SHARE": is_shared, "a Space": is_hosted,
        "--auth-file": has_accounts, "--no-key": not has_key,
    }  # fmt: skip
    if any(reasons.values()):
        where = next(reason for reason, holds in reasons.items() if holds)
        raise InvalidRequest(
            f"--mcp is for agents on this machine: their tools read its pictures by path. Leave it out with {where}; "
            "others call the endpoints, through the Gradio client."
        )
    if importlib.util.find_spec("mcp") is None:
        raise InvalidRequest('--mcp needs the package mcp. Install it: pip install "mcp<2"')


def _is_own(host: str | None) -> bool:
    try:
        return host in (None, "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings_for_agents(service: Service, address: str) -> str:
    """Settings by which an agent's program finds the tools, as most of them take it: JSON in one line."""
    headers = {"headers": {HEADER: service.key.value}} if service.key.value else {}
    return json.dumps({"mcpServers": {"vlm-attention": {"url": address.rstrip("/") + "/" + PATH, **headers}}})


def build_tools(service: Service) -> None:
    """Build the tools, each an endpoint `/agent_NAME`."""

    async def ask(fields: dict[str, Any], picture: str | None, request, progress, compared: dict | None = None) -> str:
        images = [str(_picture(picture))] if picture else []
        given = fields | {"images": images, "mode": "generate"}
        with service.job(given, visitor_of(request), compared) as job:
            async for step in job.follow():
                progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
            return job.result()["ticket"]

    def check(request: gr.Request | None) -> None:
        service.key.check(request)

    def models(request: Asking = None):
        with plainly():
            check(request)
            service.wait_until_loaded()
            return json.dumps(service.models())

    def adapters(model=None, request: Asking = None):
        with plainly():
            check(request)
            service.wait_until_loaded()
            from adapters.catalog import offered_adapters

            offers, notes = offered_adapters(service.checked_model(model or None), service.adapters_dir, False)
            return json.dumps({"adapters": [offer.to_dict() for offer in offers], "notes": notes})

    def chosen_of(run: Run, word: Any, layer: Any, head: Any) -> Selection:
        row = row_of_word(run, word)
        tower, query = run.picture_tower(), default_query(run) if row is None else row
        return select(run, tower, _one("layer", layer), _one("head", head), query)

    async def analyze(prompt, picture=None, model=None, answer=None, request: Asking = None, progress=PROGRESS):
        with plainly():
            check(request)
            ticket = await ask(_given(prompt=prompt, model=model, answer=answer), picture, request, progress)
            return json.dumps(run_answer(service.run(ticket), ticket))

    async def compare(prompt, adapters, picture=None, model=None, request: Asking = None, progress=PROGRESS):
        with plainly():
            check(request)
            chosen = {"adapters": listed(adapters), "words": "base"}
            ticket = await ask(_given(prompt=prompt, model=model), picture, request, progress, chosen)
            return json.dumps(comparison_answer(service.comparison(ticket), ticket))

    def heatmap(ticket, word=None, layer=None, head=None, request: Asking = None):
        with plainly(), service.reading(ticket):
            check(request)
            from attention.exports.export import heatmap_png

            found = chosen_of(service.run(ticket), word, layer, head)
            with new_file(service, png, "heatmap.png") as path:
                heatmap_png(found.run, found.tower, found.layer, found.head, found.query, found.grid, path)
        return str(path)

    def most_read(ticket, word=None, layer=None, head=None, request: Asking = None):
        with plainly(), service.reading(ticket):
            check(request)
            return json.dumps(looked_at(chosen_of(service.run(ticket), word, layer, head)))

    def score(ticket, box, word=None, top=None, request: Asking = None):
        with plainly(), service.reading(ticket):
            check(request)
            run = service.run(ticket)
            from attention.exports import regions as of_regions

            tower = run.picture_tower()
            row = of_regions.row_of_answer(run, tower, row_of_word(run, word))
            scores = of_regions.member_scores(run, of_regions.read_place(run, box, None, 0), row, tower)
            return json.dumps(of_regions.region_record(run, scores, tower, optional_number("top", top) or 5))

    async def try_without(ticket, box, request: Asking = None, progress=PROGRESS):
        with plainly():
            check(request)
            with service.trial(ticket, {"box": box}, visitor_of(request)) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
            return json.dumps(job.result())

    works: dict[str, Callable] = {
        work.__name__: work for work in (models, adapters, analyze, heatmap, most_read, score, try_without, compare)
    }
    with gr.Row(visible=False):  # components that take and give values; these are never drawn
        call, png = gr.Button(), gr.File()
        for name, (words, fields) in TOOLS.items():
            inputs = [_taking(field) for field in fields]
            outputs = png if name == "heatmap" else gr.Textbox()  # one each: Gradio hands on no more than one
            events = JOB if name in ("analyze", "compare", "try_without") else {}
            call.click(works[name], inputs, outputs, api_name=f"agent_{name}", api_description=words, **events)


def show_tools_alone(demo: gr.Blocks) -> None:
    """Offer agents these tools, and none of the endpoints that are for scripts. Raises InvalidRequest without MCP."""
    if demo.mcp_server_obj is None:
        raise InvalidRequest(f"The tools for agents cannot be served: {demo.mcp_error}")
    demo.mcp_server_obj.tool_to_endpoint = {name: f"/agent_{name}" for name in TOOLS}


def _taking(field: Field) -> gr.components.Component:
    """A component that is never drawn, for a value with the words and the type of a field."""
    component = gr.JSON(label=field.name)
    info = schema_of(field) | {"description": field.words or ""}
    component.api_info_as_input = lambda: info
    return component


def _picture(path: Any) -> Path:
    if not isinstance(path, str) or not Path(path).expanduser().is_file():
        raise InvalidRequest(f"There is no picture {quoted(path)} on this machine. Give the whole path of a file.")
    return Path(path).expanduser().resolve()


def _one(name: str, value: Any) -> int | str:
    return number_or_word(name, "mean" if value in (None, "") else value)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}

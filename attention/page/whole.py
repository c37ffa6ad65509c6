"""The whole page, put together of its tabs, and what is said and known only once it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import gradio as gr

from attention.environment import POCKET, is_zero_gpu
from attention.visitors.service import Service

from . import QUIET
from .agents import build_tools
from .calls import SpokenBlocks
from .compare import build_compare
from .endpoints import build_endpoints
from .explore import build_explore
from .foot import build_foot, quota_words, usual_seconds
from .manifests import tab_of
from .scores import build_scores

TITLE = "VLM Attention Viz"
MEANWHILE = "The finished examples can be looked at meanwhile; a run begins as soon as it is there."
# an address that names a comparison and no run is that tab's; scores come first where they are shown
FRONT = """() => {
  const names = new URLSearchParams(location.hash.slice(1));
  const tab = names.has('run') ? 'explore' : names.has('compare') ? 'compare' : '%s';
  return { __type__: 'update', selected: tab };
}"""


def card() -> str:
    """The bundled model's card, without the lines above it that are for the Hub."""
    return (POCKET / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def build(
    service: Service, examples: dict[str, str], comparisons: dict[str, str], has_tools: bool = False
) -> SpokenBlocks:
    """The page, which opens with the first of the examples (tickets by names), and the endpoints for scripts.

    With `has_tools` those for agents too.
    """
    # uploads and exports have a janitor of ours; a person's own uploads stay as long as a page may be open over lunch
    hour = 3600
    with SpokenBlocks(
        title=TITLE, fill_width=True, analytics_enabled=False,
        delete_cache=(hour, 2 * hour if service.is_hosted else 24 * hour),
    ) as demo:  # fmt: skip
        notice = gr.Markdown(visible=False, elem_id="notice")
        gr.Markdown(f"# {TITLE}", elem_id="title")
        passed_on = gr.State()  # what was opened in one tab and belongs into another
        first_tab = "scores" if service.scores.folders else "explore"
        with gr.Tabs(selected=first_tab) as tabs:
            if service.scores.folders:
                with gr.Tab("Scores", id="scores"):
                    build_scores(service, passed_on)
            with gr.Tab("Explore", id="explore"):
                explore = build_explore(demo, service, examples, passed_on, card())
                model = explore.model
            with gr.Tab("Compare", id="compare"):
                compared_model = build_compare(demo, service, comparisons, passed_on)
        foot = build_foot(service) if service.is_hosted else None
        demo.load(None, None, tabs, js=FRONT % first_tab, **QUIET)
        passed_on.change(lambda passed: gr.Tabs(selected=tab_of(service, passed["ticket"])), passed_on, tabs, **QUIET)
        build_endpoints(service)
        if has_tools:
            build_tools(service)

        async def opened(_on_screen: str | None) -> AsyncIterator[dict]:
            """Say what the app waits for, then what is known only once torch is there: which models, which advice."""
            while words := service.starting.words():
                looks = f" {MEANWHILE}" if examples else ""
                yield {notice: gr.Markdown(words + looks, visible=True)}
                await asyncio.sleep(1)
            await service.loaded()
            from attention.models.devices import device_notice

            choices = [(offer["label"], offer["id"]) for offer in service.models()]
            warning = device_notice()
            known = {
                model: gr.Dropdown(choices=choices, label="Model"),
                compared_model: gr.Dropdown(choices=choices, label="Model"),
                notice: gr.Markdown(warning, visible=bool(warning)),
            }
            if foot is not None and is_zero_gpu():
                known[foot] = quota_words(await asyncio.to_thread(usual_seconds, service))
            yield known

        def first_model(chosen: str | None) -> str:
            """Asked for afterwards: a run that was found again may have chosen one in the meantime."""
            return chosen or service.default_model()

        # what is on a page's screen is taken down as it was when the page was opened
        told = [model, compared_model, notice, *([foot] if foot is not None else [])]
        loaded = demo.load(opened, explore.shown, told, concurrency_limit=None, **QUIET)
        for each in (model, compared_model):
            loaded.then(first_model, each, each, **QUIET)

        def closed(request: gr.Request) -> None:
            """A page or a client has gone: its runs wait less long than others. Whoever only reloaded looks on."""
            service.session_closed(request.session_hash)

        demo.unload(closed)

        demo.begin_with = explore.begin_with
    return demo

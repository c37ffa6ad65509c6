"""The tab that makes a run or opens one, and shows it: its layout, and what every event changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from attention.errors import AttentionError
from attention.limits import MAX_ADAPTER_SCALE
from attention.request import Request
from attention.runs.run import Run
from attention.visitors.service import Service

from . import QUIET
from .controls import Controls
from .inputs import ALONE, DTYPES, NO_ADAPTER, RENAME, adapter_choices, copied, demo_badge, fields_of, request_inputs
from .library import UNFOLD, build_library
from .manifests import is_demo, manifest
from .sentences import NOT_AGAIN, describe_run, in_words
from .viewer import AttentionViewer


def build_explore(
    demo: gr.Blocks, service: Service, examples: dict[str, str], passed_on: gr.State
) -> tuple[gr.Dropdown, gr.Button]:
    """The tab that makes a run or opens one, and shows it.

    `passed_on` is the ticket of what a zip brought that belongs into the other tab.
    Returns its choice of models, which is filled later, and the badge of the demo model, which leads to its card.
    """
    tickets = list(examples.values())
    first = service.run(tickets[0]) if tickets else None
    with gr.Accordion("Your own picture and question", open=first is None) as inputs:
        settings, run, stop = request_inputs(service)
        image, prompt, model = settings["image"], settings["prompt"], settings["model"]
        with gr.Row():
            adapter = gr.Dropdown(
                [NO_ADAPTER], value="", label="LoRA adapter", scale=3, allow_custom_value=True,
                info="owner/name of the Hub, or one of the list",
            )  # fmt: skip
            strength = gr.Slider(0, MAX_ADAPTER_SCALE, 1, step=0.05, label="Strength", scale=1)
            rename = gr.Checkbox(False, label=RENAME, visible=False, scale=1)
            alone = gr.Checkbox(False, label=ALONE, visible=False, scale=1)
        settings |= {
            "adapter": adapter, "adapter_scale": strength, "adapter_rename": rename, "adapter_alone": alone,
        }  # fmt: skip
        chooser = gr.Dataset(
            components=[prompt], samples=[[service.run(ticket).info["prompt"]] for ticket in tickets],
            sample_labels=list(examples), samples_per_page=20, type="index", label="Examples", visible=bool(examples),
        )  # fmt: skip
        kept = build_library(service, "run")
    with gr.Row():
        status = gr.Textbox(
            describe_run(first) if first else "Choose an image and ask about it.", label="Status",
            show_label=False, container=False, interactive=False, max_lines=9, elem_id="status", scale=3, min_width=320,
        )  # fmt: skip
        answer = gr.Textbox(
            first.info["answer"] if first else "", label="Answer", show_label=False, container=False, interactive=False,
            max_lines=2, placeholder="The answer appears here", elem_id="answer", scale=2, min_width=320,
        )  # fmt: skip
        badge = demo_badge("badge", first is not None and is_demo(first))
    viewer = AttentionViewer(manifest(service, tickets[0]) if first else None)
    shown = gr.State(tickets[0] if first else None)  # the ticket that was sent to the viewer last
    controls = Controls(service, run, stop, status, {"renaming": rename, "used alone": alone}, answer)

    async def offered_here(model: str | None) -> dict:
        return gr.Dropdown([NO_ADAPTER, *await adapter_choices(service, model)])

    async def explore(request: gr.Request, *values) -> AsyncIterator[dict]:
        def made(ticket: str) -> dict:
            return {**screen(ticket, keeps_view=True), **kept.saying(), **kept.rows()}

        async for changes in controls.changes(
            request, lambda: fields_of(dict(zip(settings, values, strict=True))), made
        ):
            yield changes

    def adapted(ticket: str | None, words: str, name: str | None, scale: float) -> dict:
        """Another adapter was chosen: what is on screen can be run again with it. Inputs that are empty are filled."""
        offered = {run: gr.Button(f"Run again with {Path(name).name} at {scale:g}" if name else "Run again without")}
        found = service.run(ticket) if ticket and not words.strip() else None
        if found is None:
            return offered
        values = inputs_of(found) or {}
        picture = found.folder / "image_0.png"
        values |= {"image": copied(image, picture)} if values and picture.is_file() else {}
        kept_inputs = ("model", "adapter", "adapter_scale", "adapter_rename", "adapter_alone")
        return offered | {settings[key]: value for key, value in values.items() if key not in kept_inputs}

    def screen(ticket: str, keeps_view: bool = False) -> dict:
        """The run on screen, and the inputs folded away."""
        found = service.run(ticket)
        sent = manifest(service, ticket)
        return {
            viewer: sent | {"keeps_view": True} if keeps_view else sent, shown: ticket, status: describe_run(found),
            answer: found.info.get("answer") or "", inputs: gr.Accordion(open=False),
            badge: gr.Button(visible=is_demo(found)),
        }  # fmt: skip

    def again(ticket: str) -> dict:
        """A run that is there already on screen, and inputs with which Run makes it again."""
        found = service.run(ticket)
        values = inputs_of(found)
        if values is None:
            return {**screen(ticket), **kept.saying(NOT_AGAIN)}
        if service.is_hosted and values["model"] not in [offer["id"] for offer in service.models()]:
            del values["model"]
        picture = found.folder / "image_0.png"
        values["image"] = copied(image, picture) if picture.is_file() else None
        return {**screen(ticket), **{settings[name]: value for name, value in values.items()}}

    def clear() -> dict:
        return {viewer: None, status: "This run was deleted.", answer: ""}

    def found_again(found: Any, on_screen: str | None) -> dict:
        """A page was reloaded, and its viewer has found the run that it had shown: the rest of the page follows.

        Gradio reports in the same way a run that came from here; then there is nothing to do.
        """
        ticket = found.get("ticket") if isinstance(found, dict) else None
        try:
            changes = {} if ticket in (None, on_screen) else again(ticket)
        except AttentionError as error:
            changes = {status: in_words(error), answer: ""}  # the viewer, too, says that it is not here any more
        return {shown: gr.skip()} | {name: value for name, value in changes.items() if name is not viewer}

    screened = [viewer, shown, status, answer, inputs, badge]
    opened = [*screened, *settings.values()]
    filled, shows = [*settings.values()], [*screened, *kept.noted, kept.list]

    controls.start(partial(gr.on, [run.click, prompt.submit]), explore, filled, shows)
    chosen = gr.on([adapter.input, strength.release], adapted, [shown, prompt, adapter, strength], [run, *filled],
                   **QUIET)  # fmt: skip
    if not service.is_hosted:  # a person's own machine begins at once; where many wait for a device, a click does
        controls.start(chosen.then, explore, filled, shows)
    controls.let_stop()
    model.change(offered_here, model, adapter, **QUIET)
    chooser.click(lambda index: {**kept.saying(), **again(tickets[index])}, chooser, [*opened, *kept.noted], **QUIET)
    viewer.change(found_again, [viewer, shown], [*opened, *kept.noted], queue=False, **QUIET)
    viewer.expand(None, None, inputs, js=UNFOLD, **QUIET)
    kept.connect(demo, shown, passed_on, opened, again, clear)
    return model, badge


def inputs_of(run: Run) -> dict | None:
    """Values of the page's inputs that make this run again, by the fields of a Request but the image.

    None where they cannot say it: several turns or pictures, an answer that was given.
    """
    info = run.info
    messages, system = info.get("messages") or [{}], None
    if messages[0].get("role") == "system":
        try:
            system = messages[0]["content"][0]["text"]
        except (LookupError, TypeError):
            return None
    same = Request(images=("",) * len(info["images"]), prompt=info["prompt"], system=system).conversation() == messages
    if not same or len(info["images"]) > 1 or info.get("forced"):
        return None
    kept = "keep" if "vision" in info["towers"] else "leave out"
    adapter = info.get("adapter") or {}
    return {
        "prompt": info["prompt"],
        "model": info["model"]["id"],
        "mode": info["mode"],
        "system": system or "",
        "max_new_tokens": info.get("max_new_tokens") or Request.max_new_tokens,
        "max_visual_tokens": info.get("max_visual_tokens") or 0,
        "dtype": info["model"]["dtype"] if info["model"]["dtype"] in DTYPES else "auto",
        "vision": kept if info["images"] else "as usual",
        "pan_and_scan": bool(info.get("pan_and_scan")),
        "adapter": adapter.get("id") or "",
        "adapter_scale": adapter.get("scale") or 1.0,
        "adapter_rename": False,
        "adapter_alone": bool(adapter.get("without")),
    }

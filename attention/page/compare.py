"""The tab that sets adapters beside their base: its layout, and what every event changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from attention.comparisons.asked_beside import DTYPE, PARAPHRASE
from attention.comparisons.comparison import Comparison
from attention.errors import AdapterIncomplete, AdapterNeedsRenaming, AttentionError, confirmed_by
from attention.limits import MAX_ADAPTER_SCALE
from attention.visitors.service import Service

from . import QUIET
from .ask import StatusLine
from .controls import Controls
from .inputs import (
    ALONE,
    BOXES,
    CLOSE,
    OPEN,
    RENAME,
    adapter_choices,
    ask_inputs,
    asked_tokens,
    chip_words,
    fields_of,
    model_chip,
    request_settings,
)  # fmt: skip
from .library import build_library
from .logins import login_of, private_words
from .manifests import at, comparison_manifest
from .sentences import describe_comparison, in_words, notes_of
from .trials import build_trials
from .viewer import ComparisonViewer

WORDS = [("the base's", "base"), ("each its own", "own")]
BESIDE = [  # what takes passes of the model, and how many
    ("noise floor: another number format (1 pass)", DTYPE),
    ("noise floor: the question in other words (2 passes)", PARAPHRASE),
    ("own and inherited change of each layer (2 passes for each adapter)", "parts"),
]


def build_compare(demo: gr.Blocks, service: Service, examples: dict[str, str], passed_on: gr.State) -> gr.Dropdown:
    """The tab that runs base and adapters on one input, or opens a finished comparison, and shows what they change.

    `passed_on` is what another tab opened that belongs into this one.
    Returns its choice of models, which is filled later.
    """
    tickets = list(examples.values())
    first = service.comparison(tickets[0]) if tickets else None
    with gr.Row(elem_classes="ask"):
        settings, run, stop = ask_inputs(service)
        adapters = gr.Dropdown(
            [], value=[], multiselect=True, max_choices=12, label="LoRA adapters or other models, one to twelve",
            show_label=False, container=False, scale=4, allow_custom_value=True, min_width=200,
            elem_classes="ask-adapters",
        )  # fmt: skip
        chip = model_chip(first, "compare")
    status = StatusLine(said_of_comparison(first), elem_id="compare-status")
    with gr.Column(elem_id="compare-settings", elem_classes="settings"):
        settings |= request_settings(service)
        model = settings["model"]
        with gr.Row():
            strength = gr.Slider(0, MAX_ADAPTER_SCALE, 1, step=0.05, label="Default strength", scale=2)
            words = gr.Dropdown(WORDS, value="base", label="Answer used for all models", scale=2, min_width=200)
            beside = gr.Dropdown(
                BESIDE, value=[], multiselect=True, label="Also measured (each takes time)", scale=3, min_width=200
            )
            rename = gr.Checkbox(False, label=RENAME, visible=False, scale=2)
            alone = gr.Checkbox(False, label=ALONE, visible=False, scale=2)
        gr.Markdown(
            f"An adapter is an owner/name of the Hub{private_words(service)} or one of the list; name=0.5 is half its "
            "strength. A whole model that reads the same tokens works too: its id or folder, with =bfloat16 for "
            "another number format."
        )
        chooser = gr.Dataset(
            components=[settings["prompt"]],
            samples=[[service.comparison(ticket).info["prompt"]] for ticket in tickets], sample_labels=list(examples),
            type="index", label="Examples", visible=bool(examples),
        )  # fmt: skip
        kept = build_library(service, "comparison")
    health = gr.Textbox(
        label="Adapter details", visible=False, interactive=False, max_lines=12, elem_id="health",
    )  # fmt: skip
    viewer = ComparisonViewer(comparison_manifest(service, tickets[0]) if first else None)
    build_trials(service, viewer)
    shown = gr.State(tickets[0] if first else None)

    controls = Controls(service, run, stop, status, {"renaming": rename, "used alone": alone})

    def wanted(names: list[str], scale: float, renames: bool, is_alone: bool) -> list[dict]:
        from adapters.catalog import split_scale

        asked = [split_scale(name) for name in names or []]
        return [
            {"id": name, "scale": scale if own is None else own, "rename": renames, "alone": is_alone}
            for name, own in asked
        ]

    async def run_both(
        request: gr.Request, login: gr.OAuthToken | None, names, scale, whose, renames, is_alone, more, *values
    ) -> AsyncIterator[dict]:
        def made(ticket: str) -> dict:
            return {**screen(ticket), **kept.saying(), **kept.rows()}

        async for changes in controls.changes(
            request, lambda: fields_of(dict(zip(settings, values, strict=True))), made,
            lambda: {
                "adapters": wanted(names, scale, renames, is_alone), "words": whose,
                "floors": [each for each in more or [] if each != "parts"], "parts": "parts" in (more or []),
            },
            login,
        ):  # fmt: skip
            yield changes

    def screen(ticket: str, view: dict | None = None) -> dict:
        found = service.comparison(ticket)
        return {
            viewer: at(comparison_manifest(service, ticket), view), shown: ticket, status: said_of_comparison(found),
            chip: gr.Button(chip_words(found)),
        }  # fmt: skip

    def read_whole(event: gr.EventData) -> dict | int:
        """As many visual tokens as the viewer asks for."""
        return asked_tokens(event) or gr.skip()

    def clear() -> dict:
        return {viewer: None, status: "This comparison was deleted."}

    def found_again(found: Any, on_screen: str | None) -> dict:
        """A page was reloaded, and its viewer has found the comparison that it had shown: the rest follows."""
        ticket = found.get("ticket") if isinstance(found, dict) else None
        try:
            changes = {} if ticket in (None, on_screen) else screen(ticket)
        except AttentionError as error:
            changes = {status: in_words(error)}  # the viewer, too, says that it is not here any more
        return {shown: gr.skip()} | {name: value for name, value in changes.items() if name is not viewer}

    async def examined(
        login: gr.OAuthToken | None, names: list[str], chosen_model: str | None, renames: bool, is_alone: bool
    ) -> dict:
        """Describe each chosen adapter, or say why it cannot be used, before anything is run."""
        await service.loaded()
        from adapters.catalog import short_name
        from adapters.choosing import describe_member

        def look(name: str) -> tuple[str, type | None]:
            try:
                asked = wanted([name], 1.0, renames, is_alone)[0]
                checked = service.checked_model(chosen_model)
                where = service.adapters_dir, service.offered(), login_of(service, login)
                return "\n".join(describe_member(asked, checked, *where)), None
            except AttentionError as error:
                return confirmed_by(str(error), **BOXES), type(error)

        found = [await asyncio.to_thread(look, name) for name in names or []]
        refusals = [refusal for _, refusal in found]
        return {
            health: gr.Textbox("\n\n".join(said for said, _ in found), visible=bool(found)),
            rename: gr.Checkbox(visible=renames or AdapterNeedsRenaming in refusals),
            alone: gr.Checkbox(visible=is_alone or AdapterIncomplete in refusals),
            words: gr.Dropdown([*WORDS, *((f"{short_name(name)}'s", str(n)) for n, name in enumerate(names or [], 1))]),
        }

    async def offered_here(chosen_model: str | None) -> dict:
        return gr.Dropdown(await adapter_choices(service, chosen_model))

    screened = [viewer, shown, status, chip]
    chosen = [adapters, strength, words, rename, alone, beside]
    run.click(None, None, None, js=CLOSE % {"tab": "compare"}, queue=False, **QUIET)
    controls.start(run.click, run_both, [*chosen, *settings.values()], [*screened, *kept.noted, kept.list])
    controls.let_stop()
    gr.on([adapters.change, model.change, rename.input, alone.input], examined, [adapters, model, rename, alone],
          [health, rename, alone, words], **QUIET)  # fmt: skip
    model.change(offered_here, model, adapters, **QUIET)
    chooser.click(lambda index: {**kept.saying(), **screen(tickets[index])}, chooser, [*screened, *kept.noted], **QUIET)
    viewer.change(None, viewer, None, js=CLOSE % {"tab": "compare"}, queue=False, **QUIET)
    viewer.change(found_again, [viewer, shown], screened, queue=False, **QUIET)
    viewer.expand(None, None, None, js=OPEN % {"tab": "compare"}, queue=False, **QUIET)
    viewer.expand(read_whole, None, settings["max_visual_tokens"], queue=False, **QUIET)
    kept.connect(demo, shown, passed_on, screened, screen, clear)
    return model


def said_of_comparison(comparison: Comparison | None) -> dict:
    """A comparison's notes for everyone, its facts for who asks for them."""
    if comparison is None:
        return {"text": "Choose a picture, ask about it, and choose adapters."}
    return {"text": " ".join(notes_of(comparison)), "facts": describe_comparison(comparison)}

"""The tab that sets adapters beside their base: its layout, and what every event changes."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Iterator
from typing import Any

import gradio as gr

from attention.errors import AdapterNeedsRenaming, AttentionError
from attention.request import MAX_ADAPTER_SCALE
from attention.service import Service
from attention.viewer import ComparisonViewer

from . import GPU, QUIET
from .inputs import RENAME, RunUpload, adapter_choices, demo_badge, fields_of, request_inputs, take_zip
from .manifests import comparison_manifest, is_demo, tab_of
from .sentences import (
    CHOOSE,
    IS_RUN,
    LAST_PROGRESS_SECONDS,
    PHASES,
    STOPPED,
    describe_comparison,
    in_words,
    kept_line,
    status_line,
)

WORDS = [("the base's", "base"), ("each its own", "own")]


def build_compare(
    demo: gr.Blocks, service: Service, examples: dict[str, str], passed_on: gr.State
) -> tuple[gr.Dropdown, gr.Button]:
    """The tab that runs base and adapters on one input, or opens a finished comparison, and shows what they change.

    `passed_on` is the ticket of what a zip brought that belongs into the other tab.
    Returns its choice of models, which is filled later, and the badge of the demo model, which leads to its card.
    """
    tickets = list(examples.values())
    first = service.comparison(tickets[0]) if tickets else None
    with gr.Accordion("Your own picture, question and adapters", open=first is None) as inputs:
        settings, run, stop = request_inputs(service)
        model = settings["model"]
        with gr.Row():
            adapters = gr.Dropdown(
                [], value=[], multiselect=True, max_choices=12, label="LoRA adapters, one to twelve", scale=4,
                allow_custom_value=True, info="owner/name of the Hub, or of the list; name=0.5 at half its strength",
            )  # fmt: skip
            strength = gr.Slider(0, MAX_ADAPTER_SCALE, 1, step=0.05, label="Strength, where none is said", scale=2)
            words = gr.Dropdown(WORDS, value="base", label="Whose answer all read", scale=2, min_width=200)
            rename = gr.Checkbox(False, label=RENAME, visible=False, scale=2)
        health = gr.Textbox(
            label="What the adapters are", visible=False, interactive=False, max_lines=12, elem_id="health",
        )  # fmt: skip
        chooser = gr.Dataset(
            components=[settings["prompt"]],
            samples=[[service.comparison(ticket).info["prompt"]] for ticket in tickets], sample_labels=list(examples),
            type="index", label="Examples", visible=bool(examples),
        )  # fmt: skip
        with gr.Row(elem_id="open-comparison"):
            is_local = not service.is_hosted
            kept = gr.Dropdown([], value=None, label="Kept comparisons", visible=is_local, scale=2, min_width=400)
            open_it = gr.Button("Open", size="sm", visible=is_local, scale=0, min_width=64)
            delete = gr.Button("Delete", size="sm", visible=is_local, scale=0, min_width=64)
            upload = RunUpload("Open a comparison zip", file_types=[".zip"], size="sm", scale=0, min_width=170)
            for_good = gr.Button("Delete for good", variant="stop", size="sm", scale=0, min_width=130, visible=False)
            keep_it = gr.Button("Keep it", size="sm", scale=0, min_width=80, visible=False)
    with gr.Row():
        status = gr.Textbox(
            describe_comparison(first) if first else "Choose an image, ask about it, and choose adapters.",
            label="Status", show_label=False, container=False, interactive=False, max_lines=3,
            elem_id="compare-status", scale=5, min_width=320,
        )  # fmt: skip
        badge = demo_badge("compare-badge", first is not None and is_demo(first))
    viewer = ComparisonViewer(comparison_manifest(service, tickets[0]) if first else None)
    shown = gr.State(tickets[0] if first else None)

    def begin() -> dict:
        return {run: gr.Button(interactive=False), stop: gr.Button(interactive=True), status: PHASES["queue"]}

    def ended(line: str) -> dict:
        return {run: gr.Button(interactive=True), stop: gr.Button(interactive=False), status: line}

    def wanted(names: list[str], scale: float, renames: bool) -> list[dict]:
        from adapters.catalog import split_scale

        asked = [split_scale(name) for name in names or []]
        return [{"id": name, "scale": scale if own is None else own, "rename": renames} for name, own in asked]

    async def run_both(request: gr.Request, names, scale, whose, renames, *values) -> AsyncIterator[dict]:
        try:
            fields = fields_of(dict(zip(settings, values, strict=True)))
            await asyncio.to_thread(service.wait_until_loaded)
            comparison = {"adapters": wanted(names, scale, renames), "words": whose}
            with service.job(fields, request.session_hash, comparison) as job:
                async for progress in job.follow():
                    yield {status: status_line(progress)}
                ticket = job.result()["ticket"]
            made = screen(ticket)
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            said = in_words(error)
            yield {**ended(said), rename: gr.Checkbox(visible="rename" in said.lower() or gr.skip())}
            raise gr.Error(html.escape(said), print_exception=False) from None  # the toast would render HTML
        yield {**ended(gr.skip()), **made, **kept_ones()}

    async def stopped(request: gr.Request) -> dict:
        """Said again, as a last line of progress may have come after the first time."""
        await asyncio.sleep(LAST_PROGRESS_SECONDS)
        return {status: gr.skip()} if service.is_working(request.session_hash) else ended(STOPPED)

    def screen(ticket: str) -> dict:
        found = service.comparison(ticket)
        return {
            viewer: comparison_manifest(service, ticket), shown: ticket, status: describe_comparison(found),
            inputs: gr.Accordion(open=False), badge: gr.Button(visible=is_demo(found)),
        }  # fmt: skip

    def open_zip(path: str | None, request: gr.Request) -> Iterator[dict]:
        yield {status: "Unpacking the comparison ..."}
        try:
            ticket = take_zip(service, path, request.session_hash)
            is_mine = tab_of(service, ticket) == "compare"
            changes = {**screen(ticket), **kept_ones()} if is_mine else {status: IS_RUN, passed_on: ticket}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            said = in_words(error)
            gr.Warning(html.escape(said))  # the toast would render HTML
            changes = {status: said}
        yield changes

    def take(ticket: str) -> dict:
        """A comparison whose zip was opened in the other tab."""
        return {**screen(ticket), **kept_ones()} if tab_of(service, ticket) == "compare" else {shown: gr.skip()}

    def found_again(found: Any, on_screen: str | None) -> dict:
        """A page was reloaded, and its viewer has found the comparison that it had shown: the rest follows."""
        ticket = found.get("ticket") if isinstance(found, dict) else None
        try:
            changes = {} if ticket in (None, on_screen) else screen(ticket)
        except AttentionError as error:
            changes = {status: in_words(error)}  # the viewer, too, says that it is not here any more
        return {shown: gr.skip()} | {name: value for name, value in changes.items() if name is not viewer}

    async def examined(names: list[str], chosen_model: str | None, renames: bool) -> dict:
        """What each chosen adapter is, or why it cannot be used, before anything is run."""
        await asyncio.to_thread(service.wait_until_loaded)
        from adapters.catalog import find_adapter
        from adapters.choosing import check

        def look(name: str) -> tuple[str, bool]:
            try:
                asked = wanted([name], 1.0, renames)[0]
                checked = service.checked_model(chosen_model)
                files = find_adapter(asked["id"], checked, service.adapters_dir, service.is_hosted)
                return "\n".join(check(files, checked, None, renames, service.is_hosted).lines()), False
            except AttentionError as error:
                return str(error), isinstance(error, AdapterNeedsRenaming)

        found = [await asyncio.to_thread(look, name) for name in names or []]
        return {
            health: gr.Textbox("\n\n".join(said for said, _ in found), visible=bool(found)),
            rename: gr.Checkbox(visible=renames or any(needs for _, needs in found)),
            words: gr.Dropdown([*WORDS, *((f"{name}'s", str(n)) for n, name in enumerate(names or [], 1))]),
        }

    def kept_ones(**more) -> dict:
        rows = [row for row in service.runs() if row["kind"] == "comparison"]
        label = f"Kept comparisons ({len(rows):,})" if rows else "Kept comparisons (none yet)"
        return {kept: gr.Dropdown([(kept_line(row), row["ticket"]) for row in rows], label=label, **more)}

    def open_kept(ticket: str | None) -> dict:
        if ticket is None:
            return {status: CHOOSE}
        try:
            service.open_kept(ticket)
            return screen(ticket)
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            return {status: in_words(error), **kept_ones()}

    def asking(is_asking: bool) -> dict:
        return {for_good: gr.Button(visible=is_asking), keep_it: gr.Button(visible=is_asking)}

    def delete_kept(ticket: str | None, on_screen: str | None) -> dict:
        try:
            service.remove(ticket)
        except AttentionError as error:
            return {status: in_words(error), **asking(False), **kept_ones()}
        gone = {viewer: None, shown: None} if ticket == on_screen else {}
        return {status: "Deleted.", **gone, **asking(False), **kept_ones(value=None)}

    async def offered_here(chosen_model: str | None) -> dict:
        return gr.Dropdown(await adapter_choices(service, chosen_model))

    screened, asked_again = [viewer, shown, status, inputs, badge], [for_good, keep_it]
    chosen = [adapters, strength, words, rename]
    started = run.click(begin, None, [run, stop, status], queue=False, **QUIET)
    running = started.then(
        run_both, [*chosen, *settings.values()], [run, stop, kept, rename, *screened], **QUIET, **GPU
    )
    running.failure(lambda: ended(gr.skip()), None, [run, stop, status], queue=False, **QUIET)
    stopping = stop.click(lambda: ended(STOPPED), None, [run, stop, status], cancels=[running], queue=False, **QUIET)
    stopping.then(stopped, None, [run, stop, status], queue=False, **QUIET)
    gr.on([adapters.change, model.change, rename.input], examined, [adapters, model, rename], [health, rename, words],
          **QUIET)  # fmt: skip
    model.change(offered_here, model, adapters, **QUIET)
    chooser.click(lambda index: screen(tickets[index]), chooser, screened, **QUIET)
    upload.upload(open_zip, upload, [*screened, kept, passed_on], **QUIET)
    passed_on.change(take, passed_on, [*screened, kept], **QUIET)
    open_it.click(open_kept, kept, [*screened, kept], **QUIET)
    delete.click(lambda ticket: asking(ticket is not None), kept, asked_again, queue=False, **QUIET)
    for_good.click(delete_kept, [kept, shown], [*screened, *asked_again, kept], **QUIET)
    gr.on([keep_it.click, kept.input], lambda: asking(False), None, asked_again, queue=False, **QUIET)
    viewer.change(found_again, [viewer, shown], screened, queue=False, **QUIET)
    demo.load(kept_ones, None, kept, **QUIET)
    return model, badge

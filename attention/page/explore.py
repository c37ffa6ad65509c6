"""The tab that makes a run or opens one, and shows it: its layout, and what every event changes."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from attention.errors import AttentionError
from attention.request import MAX_ADAPTER_SCALE, Request
from attention.run import Run
from attention.service import Service
from attention.viewer import AttentionViewer

from . import GPU, QUIET
from .inputs import (
    DTYPES,
    NO_ADAPTER,
    RENAME,
    RunUpload,
    adapter_choices,
    copied,
    demo_badge,
    fields_of,
    request_inputs,
    take_zip,
)
from .manifests import is_demo, manifest, tab_of
from .sentences import (
    CHOOSE,
    IS_COMPARISON,
    LAST_PROGRESS_SECONDS,
    NOT_AGAIN,
    PHASES,
    STOPPED,
    describe_run,
    in_words,
    kept_line,
    status_line,
)


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
        settings |= {"adapter": adapter, "adapter_scale": strength, "adapter_rename": rename}
        chooser = gr.Dataset(
            components=[prompt], samples=[[service.run(ticket).info["prompt"]] for ticket in tickets],
            sample_labels=list(examples), samples_per_page=20, type="index", label="Examples", visible=bool(examples),
        )  # fmt: skip
        with gr.Row(elem_id="open"):
            is_local = not service.is_hosted
            kept = gr.Dropdown([], value=None, label="Kept runs", visible=is_local, scale=2, min_width=400)
            open_it = gr.Button("Open", size="sm", visible=is_local, scale=0, min_width=64)
            delete = gr.Button("Delete", size="sm", visible=is_local, scale=0, min_width=64)
            upload = RunUpload("Open a run zip", file_types=[".zip"], size="sm", scale=0, min_width=128)
        note = gr.Textbox(
            label="Note", visible=False, interactive=False, show_label=False, container=False, max_lines=4,
            elem_id="note",
        )  # fmt: skip
        with gr.Row(visible=False) as confirm:
            for_good = gr.Button("Delete for good", variant="stop", size="sm", scale=0, min_width=130)
            keep_it = gr.Button("Keep it", size="sm", scale=0, min_width=80)
    with gr.Row():
        status = gr.Textbox(
            describe_run(first) if first else "Choose an image and ask about it.", label="Status",
            show_label=False, container=False, interactive=False, max_lines=3, elem_id="status", scale=3, min_width=320,
        )  # fmt: skip
        answer = gr.Textbox(
            first.info["answer"] if first else "", label="Answer", show_label=False, container=False, interactive=False,
            max_lines=2, placeholder="The answer appears here", elem_id="answer", scale=2, min_width=320,
        )  # fmt: skip
        badge = demo_badge("badge", first is not None and is_demo(first))
    viewer = AttentionViewer(manifest(service, tickets[0]) if first else None)
    shown = gr.State(tickets[0] if first else None)  # the ticket that was sent to the viewer last
    asked = gr.State()  # the ticket of the run that may be deleted

    def begin() -> dict:
        return {
            run: gr.Button("Run", interactive=False), stop: gr.Button(interactive=True), status: PHASES["queue"],
            answer: "",
        }  # fmt: skip

    async def offered_here(model: str | None) -> dict:
        return gr.Dropdown([NO_ADAPTER, *await adapter_choices(service, model)])

    def ended(line: str) -> dict:
        return {run: gr.Button(interactive=True), stop: gr.Button(interactive=False), status: line}

    async def explore(request: gr.Request, *values) -> AsyncIterator[dict]:
        try:
            fields = fields_of(dict(zip(settings, values, strict=True)))
            with service.job(fields, request.session_hash) as job:
                async for progress in job.follow():
                    yield {status: status_line(progress), answer: progress["answer"] or ""}
                ticket = job.result()["ticket"]
            made = screen(ticket, keeps_view=True)
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            words = in_words(error)
            yield {**ended(words), rename: gr.Checkbox(visible="rename" in words.lower() or gr.skip())}
            raise gr.Error(html.escape(words), print_exception=False) from None  # the toast would render HTML
        yield {**ended(gr.skip()), **made, **saying(), **kept_runs()}

    def adapted(ticket: str | None, words: str, name: str | None, scale: float) -> dict:
        """Another adapter was chosen: what is on screen can be run again with it. Inputs that are empty are filled."""
        offered = {run: gr.Button(f"Run again with {Path(name).name} at {scale:g}" if name else "Run again without")}
        found = service.run(ticket) if ticket and not words.strip() else None
        if found is None:
            return offered
        values = inputs_of(found) or {}
        picture = found.folder / "image_0.png"
        values |= {"image": copied(image, picture)} if values and picture.is_file() else {}
        kept_inputs = ("model", "adapter", "adapter_scale", "adapter_rename")
        return offered | {settings[key]: value for key, value in values.items() if key not in kept_inputs}

    async def stopped(request: gr.Request) -> dict:
        """Say it again: a last line of progress may have been on its way, and have come after the first time."""
        await asyncio.sleep(LAST_PROGRESS_SECONDS)
        return {status: gr.skip()} if service.is_working(request.session_hash) else ended(STOPPED)

    def screen(ticket: str, keeps_view: bool = False) -> dict:
        """The run on screen, and the inputs folded away."""
        found = service.run(ticket)
        sent = manifest(service, ticket)
        return {
            viewer: sent | {"keeps_view": True} if keeps_view else sent, shown: ticket, status: describe_run(found),
            answer: found.info["answer"] or "", inputs: gr.Accordion(open=False),
            badge: gr.Button(visible=is_demo(found)),
        }  # fmt: skip

    def saying(words: str | None = None) -> dict:
        return {note: gr.Textbox(words, visible=bool(words)), confirm: gr.Row(visible=False)}

    def again(ticket: str) -> dict:
        """A run that is there already on screen, and inputs with which Run makes it again."""
        found = service.run(ticket)
        values = inputs_of(found)
        if values is None:
            return {**screen(ticket), **saying(NOT_AGAIN)}
        if service.is_hosted and values["model"] not in [offer["id"] for offer in service.models()]:
            del values["model"]
        picture = found.folder / "image_0.png"
        values["image"] = copied(image, picture) if picture.is_file() else None
        return {**screen(ticket), **saying(), **{settings[name]: value for name, value in values.items()}}

    def kept_runs(**more) -> dict:
        rows = [row for row in service.runs() if row["kind"] == "run"]
        label = f"Kept runs ({len(rows):,})" if rows else "Kept runs (none yet)"
        return {kept: gr.Dropdown([(kept_line(row), row["ticket"]) for row in rows], label=label, **more)}

    def refused(error: Exception) -> dict:
        """Said beside the buttons, where it stays, and over the page; what is on screen stays as it is."""
        words = in_words(error)
        gr.Warning(html.escape(words))  # the toast would render HTML
        return saying(words)

    def open_zip(path: str | None, request: gr.Request) -> Iterator[dict]:
        yield saying("Unpacking the run ...")
        try:
            ticket = take_zip(service, path, request.session_hash)
            is_mine = tab_of(service, ticket) == "explore"
            changes = {**again(ticket), **kept_runs()} if is_mine else {**saying(IS_COMPARISON), passed_on: ticket}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            changes = refused(error)
        yield changes

    def take(ticket: str) -> dict:
        """A run whose zip was opened in the other tab."""
        return {**again(ticket), **kept_runs()} if tab_of(service, ticket) == "explore" else {shown: gr.skip()}

    def open_kept(ticket: str | None) -> dict:
        if ticket is None:
            return saying(CHOOSE)
        try:
            service.open_kept(ticket)
            return again(ticket)
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            return {**refused(error), **kept_runs()}

    def ask_to_delete(ticket: str | None) -> dict:
        line = next((kept_line(row) for row in service.runs() if row["ticket"] == ticket), None)
        if line is None:
            return saying(CHOOSE)
        return {**saying(f"Delete this run for good?  {line}"), confirm: gr.Row(visible=True), asked: ticket}

    def delete_kept(ticket: str | None, on_screen: str | None) -> dict:
        try:
            service.remove(ticket)
        except AttentionError as error:
            return {**refused(error), **kept_runs()}
        gone = {viewer: None, shown: None, status: "This run was deleted.", answer: ""} if ticket == on_screen else {}
        return {**saying("Deleted."), **gone, **kept_runs(value=None)}

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

    screened, noted = [viewer, shown, status, answer, inputs, badge], [note, confirm]
    started = gr.on([run.click, prompt.submit], begin, None, [run, stop, status, answer], queue=False, **QUIET)
    running = started.then(explore, [*settings.values()], [run, stop, kept, rename, *screened, *noted], **QUIET, **GPU)
    running.failure(lambda: ended(gr.skip()), None, [run, stop, status], queue=False, **QUIET)
    runs = [running]
    chosen = gr.on(
        [adapter.input, strength.release], adapted, [shown, prompt, adapter, strength], [run, *settings.values()],
        **QUIET,
    )  # fmt: skip
    if not service.is_hosted:  # a person's own machine begins at once; where many wait for a device, a click does
        again_started = chosen.then(begin, None, [run, stop, status, answer], queue=False, **QUIET)
        again_running = again_started.then(
            explore, [*settings.values()], [run, stop, kept, rename, *screened, *noted], **QUIET, **GPU
        )  # fmt: skip
        again_running.failure(lambda: ended(gr.skip()), None, [run, stop, status], queue=False, **QUIET)
        runs.append(again_running)
    stopping = stop.click(lambda: ended(STOPPED), None, [run, stop, status], cancels=runs, queue=False, **QUIET)
    stopping.then(stopped, None, [run, stop, status], queue=False, **QUIET)
    model.change(offered_here, model, adapter, **QUIET)

    opened = [*screened, *noted, *settings.values()]
    chooser.click(lambda index: again(tickets[index]), chooser, opened, **QUIET)
    upload.upload(open_zip, upload, [*opened, kept, passed_on], **QUIET)
    passed_on.change(take, passed_on, [*opened, kept], **QUIET)
    open_it.click(open_kept, kept, [*opened, kept], **QUIET)
    delete.click(ask_to_delete, kept, [*noted, asked], **QUIET)
    for_good.click(delete_kept, [asked, shown], [*screened, *noted, kept], **QUIET)
    gr.on([keep_it.click, kept.input], saying, None, noted, queue=False, **QUIET)
    viewer.change(found_again, [viewer, shown], opened, queue=False, **QUIET)
    demo.load(kept_runs, None, kept, **QUIET)
    return model, badge


def inputs_of(run: Run) -> dict | None:
    """What the page's inputs must say to make this run again, by the fields of a Request but the image.

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
        "adapter": adapter.get("id") or "",
        "adapter_scale": adapter.get("scale") or 1.0,
        "adapter_rename": False,
    }

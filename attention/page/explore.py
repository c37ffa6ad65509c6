"""The tab that makes a run or opens one, and shows it: its layout, and what every event changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from attention.coordinates import AUTO
from attention.errors import AttentionError, InvalidRequest
from attention.limits import MAX_ADAPTER_SCALE, PAGE_PICTURES
from attention.request import Request
from attention.runs.run import Run
from attention.visitors.service import Service

from . import QUIET
from .ask import ExampleStrip, StatusLine
from .controls import Controls
from .inputs import (
    ALONE,
    CLOSE,
    DTYPES,
    NO_ADAPTER,
    OPEN,
    RENAME,
    adapter_choices,
    ask_inputs,
    asked_tokens,
    chip_words,
    copied,
    fields_of,
    model_chip,
    request_settings,
)  # fmt: skip
from .library import build_library
from .logins import private_words
from .manifests import at, manifest
from .sentences import NOT_AGAIN, describe_run, in_words
from .trials import build_trials
from .viewer import AttentionViewer


@dataclass(frozen=True)
class Explore:
    """Parts of the tab that the rest of the app needs.

    `model` is its choice of models, which is filled later, `shown` the ticket on screen. `begin_with` lets pages that
    are opened from now on begin with other finished examples, tickets by what they are called; open ones keep theirs.
    """

    model: gr.Dropdown
    shown: gr.State
    begin_with: Callable[[dict[str, str]], None]


def build_explore(
    demo: gr.Blocks, service: Service, examples: dict[str, str], passed_on: gr.State, card: str
) -> Explore:
    """The tab that makes a run or opens one, and shows it.

    `passed_on` is what another tab opened that belongs into this one, `card` what is said of the bundled model.
    """
    tickets = list(examples.values())
    first = service.run(tickets[0]) if tickets else None
    with gr.Row(elem_classes="ask"):
        settings, run, stop = ask_inputs(service)
        images, prompt = settings["images"], settings["prompt"]
        chip = model_chip(first, "explore")
        strip = ExampleStrip(example_pictures(service, examples), visible=bool(examples), min_width=60, scale=0)
    status = StatusLine(said_of_run(first), elem_id="status")
    with gr.Column(elem_id="explore-settings", elem_classes="settings"):
        settings |= request_settings(service)
        model = settings["model"]
        with gr.Row():
            adapter = gr.Dropdown(
                [NO_ADAPTER], value="", label="LoRA adapter", scale=3, allow_custom_value=True,
                info=f"owner/name of the Hub{private_words(service)}, or one of the list",
            )  # fmt: skip
            strength = gr.Slider(0, MAX_ADAPTER_SCALE, 1, step=0.05, label="Strength", scale=1)
            rename = gr.Checkbox(False, label=RENAME, visible=False, scale=1)
            alone = gr.Checkbox(False, label=ALONE, visible=False, scale=1)
        settings |= {
            "adapter": adapter, "adapter_scale": strength, "adapter_rename": rename, "adapter_alone": alone,
        }  # fmt: skip
        follow_up = gr.Checkbox(
            False, label="Go on with the chat on screen: its pictures, question and answer come before yours"
        )
        chooser = gr.Dataset(
            components=[prompt], samples=[[service.run(ticket).info["prompt"]] for ticket in tickets],
            sample_labels=list(examples), samples_per_page=20, type="index", label="Examples", visible=bool(examples),
        )  # fmt: skip
        kept = build_library(service, "run")
        with gr.Accordion("About the tiny demo model", open=False):
            gr.Markdown(card, elem_id="card")
    viewer = AttentionViewer(manifest(service, tickets[0]) if first else None)
    build_trials(service, viewer)
    shown = gr.State(tickets[0] if first else None)  # the ticket that was sent to the viewer last
    controls = Controls(service, run, stop, status, {"renaming": rename, "used alone": alone})

    async def offered_here(model: str | None) -> dict:
        return gr.Dropdown([NO_ADAPTER, *await adapter_choices(service, model)])

    async def explore(
        request: gr.Request, login: gr.OAuthToken | None, ticket: str | None, goes_on: bool, *values
    ) -> AsyncIterator[dict]:
        def asked() -> dict:
            fields = fields_of(dict(zip(settings, values, strict=True)))
            return fields if not goes_on else going_on(fields, service.run(ticket))

        def made(ticket: str) -> dict:
            return {**screen(ticket, keeps_view=True), **kept.saying(), **kept.rows()}

        async for changes in controls.changes(request, asked, made, login=login):
            yield changes

    def adapted(ticket: str | None, words: str, name: str | None, scale: float) -> dict:
        """Another adapter was chosen: what is on screen can be run again with it. Inputs that are empty are filled."""
        offered = {run: gr.Button(f"Run again with {Path(name).name} at {scale:g}" if name else "Run again without")}
        found = service.run(ticket) if ticket and not words.strip() else None
        if found is None:
            return offered
        values = inputs_of(found) or {}
        values |= {"images": copied(service, images, found)} if values else {}
        kept_inputs = ("model", "adapter", "adapter_scale", "adapter_rename", "adapter_alone")
        return offered | {settings[key]: value for key, value in values.items() if key not in kept_inputs}

    def read_whole(event: gr.EventData, ticket: str | None, words: str) -> dict:
        """Set as many visual tokens as the viewer asks for. Inputs that are empty are filled from what is on screen."""
        most = asked_tokens(event)
        if most is None:
            return {settings["max_visual_tokens"]: gr.skip()}
        found = service.run(ticket) if ticket and not words.strip() else None
        values = (inputs_of(found) or {}) if found else {}
        if found and values:
            values |= {"images": copied(service, images, found)}
            if service.is_hosted and values["model"] not in [offer["id"] for offer in service.models()]:
                del values["model"]
        return {settings[name]: value for name, value in (values | {"max_visual_tokens": most}).items()}

    def screen(ticket: str, keeps_view: bool = False, view: dict | None = None) -> dict:
        """The run on screen."""
        found = service.run(ticket)
        sent = at(manifest(service, ticket), view)
        return {
            viewer: sent | {"keeps_view": True} if keeps_view else sent, shown: ticket, status: said_of_run(found),
            chip: gr.Button(chip_words(found)),
        }  # fmt: skip

    def again(ticket: str, view: dict | None = None) -> dict:
        """A run that is there already on screen, and inputs with which Run makes it again."""
        found = service.run(ticket)
        values = inputs_of(found)
        if values is None:
            return {**screen(ticket, view=view), **kept.saying(NOT_AGAIN)}
        if service.is_hosted and values["model"] not in [offer["id"] for offer in service.models()]:
            del values["model"]
        values["images"] = copied(service, images, found)
        return {**screen(ticket, view=view), **{settings[name]: value for name, value in values.items()}}

    def clear() -> dict:
        return {viewer: None, status: "This run was deleted."}

    def found_again(found: Any, on_screen: str | None) -> dict:
        """A page was reloaded, and its viewer has found the run that it had shown: the rest of the page follows.

        Gradio reports in the same way a run that came from here; then there is nothing to do.
        """
        ticket = found.get("ticket") if isinstance(found, dict) else None
        try:
            changes = {} if ticket in (None, on_screen) else again(ticket)
        except AttentionError as error:
            changes = {status: in_words(error)}  # the viewer, too, says that it is not here any more
        return {shown: gr.skip()} | {name: value for name, value in changes.items() if name is not viewer}

    screened = [viewer, shown, status, chip]
    opened = [*screened, *settings.values()]
    filled, shows = [*settings.values()], [*screened, *kept.noted, kept.list]
    asking = [shown, follow_up, *filled]

    gr.on([run.click, prompt.submit], None, None, None, js=CLOSE % {"tab": "explore"}, queue=False, **QUIET)
    controls.start(partial(gr.on, [run.click, prompt.submit]), explore, asking, shows)
    chosen = gr.on([adapter.input, strength.release], adapted, [shown, prompt, adapter, strength], [run, *filled],
                   **QUIET)  # fmt: skip
    if not service.is_hosted:  # a person's own machine begins at once; where many wait for a device, a click does
        controls.start(chosen.then, explore, asking, shows)
    controls.let_stop()
    model.change(offered_here, model, adapter, **QUIET)
    chooser.click(lambda index: {**kept.saying(), **again(tickets[index])}, chooser, [*opened, *kept.noted], **QUIET)

    def example(event: gr.EventData) -> dict:
        return {**kept.saying(), **again(str((event._data or {}).get("ticket")))}

    strip.select(example, None, [*opened, *kept.noted], **QUIET)
    viewer.change(None, viewer, None, js=CLOSE % {"tab": "explore"}, queue=False, **QUIET)
    viewer.change(found_again, [viewer, shown], [*opened, *kept.noted], queue=False, **QUIET)
    viewer.expand(None, None, None, js=OPEN % {"tab": "explore"}, queue=False, **QUIET)
    viewer.expand(read_whole, [shown, prompt], filled, queue=False, **QUIET)
    kept.connect(demo, shown, passed_on, opened, again, clear)

    def begin_with(more: dict[str, str]) -> None:
        tickets.extend(more.values())  # last: a page that is open counts from the beginning
        chooser.samples = [[service.run(ticket).info["prompt"]] for ticket in tickets]
        chooser.sample_labels = [*examples, *more]
        first = next(iter(more.values()))
        found = service.run(first)
        own = {name: ticket for name, ticket in examples.items() if name not in more}
        strip.value = example_pictures(service, more | own)
        viewer.value, shown.value = manifest(service, first), first
        status.value, chip.value = said_of_run(found), chip_words(found)

    return Explore(model, shown, begin_with)


def example_pictures(service: Service, examples: dict[str, str], most: int = 4) -> list[dict]:
    """Entries of the strip of examples: the first ones that have a picture."""
    named = [(name.split(": ")[0], ticket) for name, ticket in examples.items() if service.run(ticket).info["images"]]
    return [
        {"ticket": ticket, "label": label, "prompt": service.run(ticket).info["prompt"]}
        for label, ticket in named[:most]
    ]


def said_of_run(run: Run | None) -> dict:
    """A run's notes for everyone, its facts for who asks for them."""
    if run is None:
        return {"text": "Choose a picture and ask about it."}
    return {"text": " ".join(run.info.get("notes", [])), "facts": describe_run(run)}


def going_on(fields: dict, run: Run) -> dict:
    """The fields of a request whose question follows the chat of a run, with its pictures and the frames of its video.

    Raises InvalidRequest where the run was not answered, is of several videos, or a picture of it is not there.
    """
    info = run.info
    pictures = [run.folder / picture["file"] for picture in info["images"]]
    if len(info.get("videos") or ()) > 1:
        raise InvalidRequest("The run on screen is of several videos, which are not kept apart: ask about them anew.")
    if not info.get("answer"):
        raise InvalidRequest("The run on screen has no answer to go on from. Ask anew, or let it answer first.")
    if not all(picture.is_file() for picture in pictures):
        raise InvalidRequest("A picture of the run on screen is not there any more: the chat cannot go on.")
    here = ("",) * len(fields["images"]), tuple(fields.get("videos", ()))
    asked = Request(images=here[0], videos=here[1], prompt=fields["prompt"]).conversation()
    answered = {"role": "assistant", "content": [{"type": "text", "text": info["answer"]}]}
    alone = [file for file, picture in zip(pictures, info["images"], strict=True) if "video" not in picture]
    return fields | {
        "messages": [*map(_without_sampling, info["messages"]), answered, *asked],
        "images": [*map(str, alone), *fields["images"]],
        "videos": (*([run.folder] if info.get("videos") else []), *here[1]),
        "prompt": "",
        "system": None,
    }


def _without_sampling(message: dict) -> dict:
    """A message of a finished run, whose frames are chosen already."""
    return message | {
        "content": [{"type": "video"} if entry["type"] == "video" else entry for entry in message["content"]]
    }


def given_answer(info: dict) -> str:
    """The answer that was given to a run, as its tokens spell it; nothing where it is the model's own."""
    if not (info.get("forced") and info.get("prompt_tokens")):
        return ""
    return "".join(token["text"] for token in info["tokens"][info["prompt_tokens"] :])


def inputs_of(run: Run) -> dict | None:
    """Values of the page's inputs that make this run again, by the fields of a Request but the image.

    None where they cannot say it: several turns, more pictures than the page takes.
    """
    info = run.info
    messages, system = info.get("messages") or [{}], None
    if messages[0].get("role") == "system":
        try:
            system = messages[0]["content"][0]["text"]
        except (LookupError, TypeError):
            return None
    same = Request(images=("",) * len(info["images"]), prompt=info["prompt"], system=system).conversation() == messages
    if not same or len(info["images"]) > PAGE_PICTURES:
        return None
    kept = "record" if "vision" in info["towers"] else "skip"
    adapter = info.get("adapter") or {}
    return {
        "prompt": info["prompt"],
        "model": info["model"]["id"],
        "mode": info["mode"],
        "system": system or "",
        "max_new_tokens": info.get("max_new_tokens") or Request.max_new_tokens,
        "max_visual_tokens": info.get("max_visual_tokens") or 0,
        "dtype": info["model"]["dtype"] if info["model"]["dtype"] in DTYPES else "auto",
        "vision": kept if info["images"] else "default",
        "pan_and_scan": bool(info.get("pan_and_scan")),
        "videos": False,
        "fps": 0,
        "max_frames": 0,
        "coordinates": info.get("coordinates") or AUTO,
        "answer": given_answer(info),
        "adapter": adapter.get("id") or "",
        "adapter_scale": adapter.get("scale") or 1.0,
        "adapter_rename": False,
        "adapter_alone": bool(adapter.get("without")),
    }

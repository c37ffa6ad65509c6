"""Inputs of a person or a script: components, and their values as the fields of a Request.

Knows Gradio's components and what their values may look like; what a request may ask for, `attention.request` judges.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, GradioRootModel

from attention.comparisons.comparison import Comparison
from attention.coordinates import AUTO, ORIGINAL, READ, SHARES, THOUSANDTHS
from attention.environment import POCKET_ID
from attention.errors import AttentionError, InvalidRequest, quoted
from attention.limits import MAX_VISUAL_TOKENS, PAGE_PICTURES
from attention.runs.run import Run
from attention.served_answer import answer_of
from attention.video_entries import ENDINGS, one_video
from attention.visitors.presence import Visitor
from attention.visitors.service import Service

from . import QUIET
from .ask import PictureTray
from .manifests import is_demo
from .visitors import visitor_here

MODES = [("Answer, then read", "generate"), ("Read the prompt only", "prefill")]
VISION = {"default": None, "record": True, "skip": False}
LEFT_TO_SCRIPTS = ("messages", "model_type", "device")  # fields of a request that the page does not ask for
NO_ADAPTER = ("none: the model as published", "")
RENAME = "Rename weights saved by older transformers versions"
ALONE = "Use the LoRA weights alone, without other trained weights beside them"
BOXES = {"rename": "the box beside the adapter", "alone": "the box beside the adapter"}  # with which one confirms
COORDINATES = [
    ("automatic", AUTO), ("0 to 1 of the sides", SHARES),
    ("0 to 1000 of the sides", THOUSANDTHS), ("pixels as the model saw it", READ), ("pixels of the picture", ORIGINAL),
]  # fmt: skip
DTYPES = ["auto", "float32", "bfloat16", "float16"]
# In the page itself: a panel opens at once, and the server need not know.
TOGGLE = """() => {
  const isOpen = document.getElementById('%(tab)s-settings').classList.toggle('open');
  document.getElementById('%(tab)s-chip').setAttribute('aria-expanded', isOpen);
}"""
OPEN = """() => {
  document.getElementById('%(tab)s-settings').classList.add('open');
  document.getElementById('%(tab)s-chip').setAttribute('aria-expanded', true);
}"""
CLOSE = """(shown) => {
  if (shown !== undefined && !shown?.ticket) return;  // it was deleted, and can be brought back here
  document.getElementById('%(tab)s-settings').classList.remove('open');
  document.getElementById('%(tab)s-chip').setAttribute('aria-expanded', false);
}"""


class OneOrMoreFiles(GradioRootModel):
    root: list[FileData] | FileData


class Pictures(gr.File):
    """One uploaded file or several, in order."""

    is_template = True

    def __init__(self, label: str | None = None, **settings):
        super().__init__(file_count="multiple", label=label, **settings)
        self.data_model = OneOrMoreFiles

    def preprocess(self, payload: OneOrMoreFiles | None) -> list[str]:
        if payload is None:
            return []
        return [_uploaded(file) for file in (payload.root if isinstance(payload.root, list) else [payload.root])]


class RunUpload(gr.UploadButton):
    """A button that takes a run's zip and hands on its path: what it is, `attention.runs.checks.unpack` judges."""

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        return None if payload is None else _uploaded(payload)


def _uploaded(file: Any) -> str:
    if not file.path:
        raise gr.Error("Send it as an uploaded file.", print_exception=False)
    return file.path


# Values


def whole_number(name: str, value: Any) -> int:
    """A number that may have come as 3, 3.0 or "3"."""
    try:
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRequest(f"{name} is {quoted(value)}; it must be a whole number.") from None


def optional_number(name: str, value: Any) -> int | None:
    """The same where it may be left out."""
    return None if value is None else whole_number(name, value)


def number_or_word(name: str, value: Any) -> int | str:
    return value if value in ("mean", "max") else whole_number(name, value)


def listed(value: Any) -> list:
    """The adapters of a request as a list; one alone needs no list."""
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


# What makes a request


def ask_inputs(service: Service) -> tuple[dict[str, gr.components.Component], gr.Button, gr.Button]:
    """Build what a person asks with, pictures and question, by the names of a request's fields; and Run and Stop."""
    most = PAGE_PICTURES if service.limits is None else min(PAGE_PICTURES, service.limits.images)
    images = PictureTray(most=most, elem_classes="ask-pictures", min_width=60, scale=0)
    prompt = gr.Textbox(
        label="Question", show_label=False, container=False, lines=1, max_lines=4, scale=6, min_width=200,
        placeholder="Ask about a picture", elem_classes="ask-question",
    )  # fmt: skip
    run = gr.Button("Run", variant="primary", scale=0, min_width=88, elem_classes="ask-run")
    stop = gr.Button("Stop", visible=False, scale=0, min_width=88, elem_classes="ask-run")
    return {"images": images, "prompt": prompt}, run, stop


def request_settings(service: Service) -> dict[str, gr.components.Component]:
    """Build the other inputs of a request by the names of its fields."""
    with gr.Row():
        # the list comes later than a first click on Run, and what is not offered is refused in words then
        model = gr.Dropdown([], label="Model (loading list …)", allow_custom_value=True, scale=3, min_width=240)
        mode = gr.Dropdown(MODES, value="generate", label="What is run", scale=2, min_width=200)
        system = gr.Textbox(label="System prompt", max_lines=4, scale=4, min_width=240)
    with gr.Row():
        max_new_tokens = gr.Number(256, label="Answer length, at most (tokens)", precision=0, min_width=150)
        max_visual_tokens = gr.Number(0, label="Max. visual tokens per image (0 = default)", precision=0, min_width=190)
        dtype = gr.Dropdown(DTYPES, value="auto", label="Number format", min_width=120)
        vision = gr.Dropdown(list(VISION), value="default", label="Vision tower", min_width=120)
        pan_and_scan = gr.Checkbox(False, label="Crops of long pictures too (Gemma 3)", min_width=200)
    with gr.Row():
        videos = gr.Checkbox(False, label="Read the pictures as one video (a GIF, or frames in order)", min_width=240)
        fps = gr.Number(0, label="Frames per second of a video (0 = default)", minimum=0, min_width=190)
        max_frames = gr.Number(0, label="Max. frames of a video (0 = default)", precision=0, min_width=190)
    with gr.Row():
        answer = gr.Textbox(
            label="Answer to read instead (pasted)", lines=1, max_lines=6, scale=4, min_width=240,
            placeholder="empty: the model's own. A text, or a chat completion as a server such as vLLM returned it",
        )  # fmt: skip
        coordinates = gr.Dropdown(COORDINATES, value=AUTO, label="Numbers of places in the answer", min_width=240)
    return {
        "model": model, "mode": mode, "system": system, "max_new_tokens": max_new_tokens,
        "max_visual_tokens": max_visual_tokens, "dtype": dtype, "vision": vision, "pan_and_scan": pan_and_scan,
        "videos": videos, "fps": fps, "max_frames": max_frames, "coordinates": coordinates, "answer": answer,
    }  # fmt: skip


def fields_of(values: dict) -> dict:
    """Read what a person filled in as the fields of a Request."""
    images, videos = pictures_and_videos(values["images"] or [], bool(values["videos"]))
    fields = {
        "images": images,
        "videos": videos,
        "fps": values["fps"] or None,
        "max_frames": whole_number("The number of frames", values["max_frames"] or 0) or None,
        "prompt": values["prompt"],
        "model": values["model"],
        "mode": values["mode"],
        "system": values["system"] or None,
        "max_new_tokens": whole_number("The answer's length", values["max_new_tokens"]),
        "max_visual_tokens": whole_number("The number of visual tokens", values["max_visual_tokens"] or 0) or None,
        "dtype": values["dtype"],
        "vision": VISION[values["vision"]],
        "pan_and_scan": bool(values["pan_and_scan"]),
        "coordinates": values["coordinates"],
        "answer": answer_of(values["answer"]) if (values["answer"] or "").strip() else None,
    }
    if values.get("adapter"):
        fields |= {name: values[name] for name in ("adapter", "adapter_scale", "adapter_rename", "adapter_alone")}
    return fields


def pictures_and_videos(files: list[str], is_one_video: bool) -> tuple[list[str], tuple]:
    """Uploaded files as pictures and videos: together one video where that is asked, else each by its ending."""
    if is_one_video:
        return [], one_video(files)
    videos = tuple(file for file in files if file.lower().endswith(ENDINGS))
    return [file for file in files if file not in videos], videos


async def adapter_choices(service: Service, model: str | None) -> list[tuple[str, str]]:
    """The adapters on offer for a model, for a list: what they are called, and their ids."""
    await service.loaded()
    from adapters.catalog import offered_adapters

    try:
        checked = service.checked_model(model)
        offers, _ = await asyncio.to_thread(offered_adapters, checked, service.adapters_dir, service.is_hosted)
    except AttentionError:
        return []  # a model that is not there is said when it is run
    return [(f"{offer.label}, {offer.note}" if offer.note else offer.label, offer.id) for offer in offers]


def model_chip(found: Run | Comparison | None, tab: str) -> gr.Button:
    """Build the button that names the model, and opens the settings of its tab."""
    chip = gr.Button(
        chip_words(found), elem_id=f"{tab}-chip", elem_classes="chip", size="sm", scale=0, min_width=110,
    )  # fmt: skip
    chip.click(None, None, None, js=TOGGLE % {"tab": tab}, queue=False, **QUIET)
    return chip


def asked_tokens(event: gr.EventData) -> int | None:
    """The visual tokens for which the viewer asks, as it opens the settings; None where it asks for none."""
    asked = event._data.get("max_visual_tokens") if isinstance(event._data, dict) else None
    return asked if isinstance(asked, int) and 0 < asked <= MAX_VISUAL_TOKENS else None


def chip_words(found: Run | Comparison | None) -> str:
    """The model in a word or two; of the bundled one also what it is."""
    if found is None:
        return "Settings"
    return f"{POCKET_ID}, tiny demo model" if is_demo(found) else Path(found.info["model"]["id"]).name


# Files that Gradio serves


@contextmanager
def new_file(service: Service, component: gr.components.Component, name: str, is_export: bool = True) -> Iterator[Path]:
    """A place for a file inside the component's own cache, so that Gradio serves it without copying it first.

    It is there until its visitor has fetched it, or, of what is no export, as long as they are.
    """
    folder = service.files.new_folder(Path(component.GRADIO_CACHE), visitor_here(), is_export=is_export)
    try:
        yield folder / name
    finally:
        service.files.written(folder)


def copied(service: Service, component: gr.components.Component, run: Run) -> list[str] | None:
    """Copies of a run's pictures that Gradio may serve, in order: the folders of runs are closed to it.

    None where one is missing.
    """
    pictures = [run.folder / picture["file"] for picture in run.info["images"]]
    if not all(picture.is_file() for picture in pictures):
        return None
    copies = []
    for picture in pictures:
        with new_file(service, component, picture.name, is_export=False) as place:
            copies.append(str(shutil.copyfile(picture, place)))
    return copies


def take_zip(service: Service, path: str | None, owner: Visitor) -> str:
    """Take in the run in an uploaded zip; return its ticket. The upload has served then, whatever was in it."""
    if path is None:
        raise InvalidRequest("There is no file. Give the zip of a run, as export writes it.")
    try:
        return service.open_zip(path, owner)
    finally:
        if path.endswith(".zip"):  # nothing else that Gradio serves may be removed by whoever names it
            service.files.served(path)

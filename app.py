"""The app: what is on the page, which event calls what, and the one function that runs a model.

Knows layouts, events and endpoints. What they do is done elsewhere: `attention.service` makes and keeps runs,
`attention.viewer` draws them, `attention.export` writes files. No tensors and no HTML here.
"""

import spaces  # isort: skip - on ZeroGPU nothing may touch CUDA before this

import argparse
import asyncio
import html
import inspect
import json
import logging
import os
import platform
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

if platform.machine() in ("x86_64", "AMD64"):  # elsewhere torch may use OpenBLAS too
    # NumPy only reads runs here, in many threads at once: more threads in each of them cost more than they give
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@contextmanager
def without_stubs() -> Iterator[None]:
    """Keep Gradio from writing type stubs for its components, which is half of the time that its import takes.

    It passes over classes that come from no file, so for the moment none does.
    """
    find_file = inspect.getfile

    def find_none(thing: Any) -> str:
        if type(thing).__name__ == "ComponentMeta":
            raise OSError
        return find_file(thing)

    inspect.getfile = find_none
    try:
        yield
    finally:
        inspect.getfile = find_file


with without_stubs():
    import gradio as gr
from gradio.data_classes import FileData, GradioRootModel

from adapters.comparison import INDEX as COMPARISON_INDEX
from adapters.comparison import Comparison, open_comparison
from attention.cache import RunCache, user_cache_folder
from attention.errors import AdapterNeedsRenaming, AttentionError, InvalidRequest
from attention.partial import PartialRun
from attention.pocket.words import ORDINALS
from attention.request import MAX_ADAPTER_SCALE, Limits, Request
from attention.run import Run, open_run
from attention.service import Service
from attention.viewer import MANIFEST_BYTES, AttentionViewer, ComparisonViewer, routes

ASSETS = Path(__file__).resolve().parent / "assets"
EXAMPLES = ASSETS / "examples"
POCKET = ASSETS / "pocket"
IS_HOSTED = bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM") == "spaces"
IS_ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU"))
HOSTED_BYTES = 20 << 30  # all visitors' runs together, of the 50 GB a Space has
MODES = [("Answer, then read", "generate"), ("Read the prompt only", "prefill")]
VISION = {"as usual": None, "keep": True, "leave out": False}
NO_ADAPTER = ("none: the model as published", "")
RENAME = "read its keys of an older layout under the names that the model has now"
WORDS = [("the base's", "base"), ("each its own", "own")]
DTYPES = ["auto", "float32", "bfloat16", "float16"]
GPU = {"concurrency_id": "gpu", "concurrency_limit": 4 if IS_ZERO_GPU else 1}
PHASES = {
    "queue": "Waiting for its turn",
    "model": "Loading the model",
    "inputs": "Preparing the picture",
    "answer": "Writing the answer: token {done} of at most {total}",
    "capture": "Capturing: layer {done} of {total}",
    "write": "Writing the run",
    "compare": "Comparing: layer {done} of {total}",
}

TITLE = "VLM Attention Viz"
STOPPED = "Stopped. Nothing was kept of this run."
CHOOSE = "Choose one of the kept runs first."
NOT_AGAIN = (
    "The run on screen has several turns or pictures, or an answer that was given. "
    "The inputs here cannot say that, and were left as they were."
)
LAST_PROGRESS_SECONDS = 0.8

log = logging.getLogger("app")


# The job


def gpu_seconds(job: dict) -> int:
    """How long a job may hold a ZeroGPU device: what is asked for must fit what is left of the visitor's quota."""
    return round(min(60, 10 + job["tokens"] / 500 + job["new_tokens"] / 15))


@spaces.GPU(duration=gpu_seconds)
def run_job(job: dict) -> dict:
    """Make the run that {partial, request, adapters, words} describes; return {run: its folder} or {error: why not}.

    With `words` it is a comparison of the base with the adapters. On ZeroGPU this is another process: only plain data
    go in and come out, errors too.
    """
    from attention.extraction import fill

    limits = Limits.hosted() if IS_HOSTED else None
    request, partial = Request.from_dict(job["request"]), PartialRun.open(job["partial"])
    try:
        if not job["adapters"] and job["words"] is None:
            return {"run": str(fill(request, partial, limits=limits))}
        from adapters.attach import adapted, from_job
        from adapters.comparing import fill_comparison

        choices = [from_job(record) for record in job["adapters"]]
        if job["words"] is None:
            return {"run": str(fill(request, partial, limits=limits, adapted=adapted(choices[0])))}
        return {"run": str(fill_comparison(request, choices, partial, job["words"], limits))}
    except AttentionError as error:
        return {"error": str(error)}
    except Exception as error:
        if os.environ.get("ATTENTION_DEBUG") == "1":
            raise
        return {"error": in_words(error)}


def in_words(error: Exception) -> str:
    """What a person is told of an error. Of one that we did not foresee only its kind; the log has the rest."""
    if isinstance(error, AttentionError | gr.Error):  # a gr.Error comes from ZeroGPU, about the visitor's quota
        return str(error) if isinstance(error, AttentionError) else error.message
    log.error("a run failed", exc_info=error)
    return f"This run failed for a reason we did not foresee ({type(error).__name__}); the log has it."


# Inputs as they were sent


class Picture(gr.Image):
    """An image input that hands on the file as it was uploaded: what it is, `attention.images` judges, undecoded."""

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        return None if payload is None else _uploaded(payload)


class OneOrMoreFiles(GradioRootModel):
    root: list[FileData] | FileData


class Pictures(gr.File):
    """One uploaded file or several, in order."""

    is_template = True

    def __init__(self, **settings):
        super().__init__(file_count="multiple", **settings)
        self.data_model = OneOrMoreFiles

    def preprocess(self, payload: OneOrMoreFiles | None) -> list[str]:
        if payload is None:
            return []
        return [_uploaded(file) for file in (payload.root if isinstance(payload.root, list) else [payload.root])]


class RunUpload(gr.UploadButton):
    """A button that takes a run's zip and hands on its path: what it is, `attention.archive` judges."""

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        return None if payload is None else _uploaded(payload)


def _uploaded(file: Any) -> str:
    if not file.path:
        raise gr.Error("Send it as an uploaded file.", print_exception=False)
    return file.path


@contextmanager
def plainly() -> Iterator[None]:
    """What is meant for people reaches them as it stands, in the page and in the client."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
        raise gr.Error(in_words(error), print_exception=False) from None


def whole_number(name: str, value: Any, optional: bool = False) -> int | None:
    """A number that may have come as 3, 3.0 or "3"."""
    if value is None and optional:
        return None
    try:
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRequest(f"{name} is {value!r}; it must be a whole number.") from None


def number_or_word(name: str, value: Any) -> int | str:
    return value if value in ("mean", "max") else whole_number(name, value)


# The page


def listed(value: Any) -> list:
    """The adapters of a request as a list; one alone needs no list."""
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def status_line(progress: dict) -> str:
    """One line of progress in words."""
    if progress["phase"] == "model" and progress["total"]:  # bytes are counted only while they are fetched
        unit, size = ("GB", 1e9) if progress["total"] >= 1e9 else ("MB", 1e6)
        return f"Downloading the model: {progress['done'] / size:.1f} of {progress['total'] / size:.1f} {unit}"
    return PHASES[progress["phase"]].format(**progress)


def describe_run(run: Run) -> str:
    """A finished run in a line: how large, how long, and what a reader must know of its picture."""
    info = run.info
    towers = [f"{name} tower {len(run.layers(name))} layers x {run.heads(name)} heads" for name in info["towers"]]
    facts = [f"{len(info['tokens'])} tokens", ", ".join(towers)]
    facts += [f"{info['bytes'] / 1e6:.1f} MB"] if info.get("bytes") else []
    seconds = sum(info.get("timings_ms", {}).values()) / 1000
    facts += [f"{seconds:.1f} s"] if seconds else []
    line = f"{'; '.join(facts)}."
    return " ".join([line, *info.get("notes", [])])


def is_demo(run: Run) -> bool:
    """Whether the bundled model made it."""
    return run.info["model"]["id"] == "pocket"


def manifest(service: Service, ticket: str) -> dict:
    """What the viewer needs to find a run: its ticket, and on a person's own machine where it lies.

    Of the bundled model also the head that finds what a question is about.
    """
    run = service.run(ticket)
    found = {"id": run.info["id"], "ticket": ticket, "kind": "run"}
    if service.is_public(ticket):
        found["is_public"] = True
    if is_demo(run):
        head = head_for(run.info["prompt"])
        if head["layer"] in run.layers() and head["head"] < run.heads():  # a zip may only say that it is of this model
            found["view"] = {"layer": head["layer"], "head": head["head"]}
            asked = run.info["prompt"].lower()
            if f"in the {ORDINALS[1]} " in asked:
                found["view"]["image"] = 1
    with_folder = found | {"folder": str(run.folder)}
    fits = len(json.dumps(with_folder)) <= MANIFEST_BYTES
    return with_folder if fits and not service.is_hosted else found


def head_for(prompt: str) -> dict:
    """The bundled model's head that finds what a question of this kind is about, by its card's figures."""
    figures = json.loads((POCKET / "grounding.json").read_text(encoding="utf-8"))
    asked_by = figures["asked_by"].items()  # the last kind's word is in every text
    kind = next(kind for kind, words in asked_by if any(word in prompt.lower() for word in words))
    return figures["heads"][kind]


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


def kept_line(row: dict) -> str:
    """A run of the library in a line of a list."""

    def short(text: str | None, length: int) -> str:
        text = " ".join((text or "").split())
        return text if len(text) <= length else f"{text[: length - 1]}…"

    answer = f" → {short(row['answer'], 30)}" if row["answer"] else ""
    size = f", {row['bytes'] / 1e6:,.1f} MB" if row["bytes"] else ""
    when = datetime.fromisoformat(row["created"]).astimezone()
    model = Path(row["model"]).name  # of a Hub id or a folder what tells it from others
    return f"{when:%Y-%m-%d %H:%M} · {model} · {short(row['prompt'], 60)}{answer} · {row['tokens']:,} tokens{size}"


def card() -> str:
    """The bundled model's card, without the lines above it that are for the Hub."""
    return (POCKET / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def build(service: Service, examples: dict[str, str], comparisons: dict[str, str]) -> gr.Blocks:
    """The page, which opens with the first of the examples (tickets by names), and the endpoints for scripts."""
    hour = 3600  # uploads and exports are in Gradio's own folder; a person's page may stay open over lunch
    with gr.Blocks(
        title=TITLE, fill_width=True, analytics_enabled=False,
        delete_cache=(hour, hour if service.is_hosted else 24 * hour),
    ) as demo:  # fmt: skip
        notice = gr.Markdown(visible=False)
        gr.Markdown(f"# {TITLE}\n\nwhat a vision-language model reads from, in every layer and head", elem_id="title")
        with gr.Tabs() as tabs:
            with gr.Tab("Explore", id="explore"):
                model, badge = build_explore(demo, service, examples)
            with gr.Tab("Compare adapters", id="compare"):
                compared_model = build_compare(demo, service, comparisons)
            with gr.Tab("Demo model", id="card"):
                gr.Markdown(card(), elem_id="card")
        to_card = {"show_progress": "hidden", "api_visibility": "private"}
        badge.click(lambda: gr.Tabs(selected="card"), None, tabs, queue=False, **to_card)
        build_endpoints(service)

        async def opened() -> dict:
            """What is known only once torch is there: which models, and whether a graphics card lies idle."""
            await asyncio.to_thread(service.wait_until_loaded)
            from attention.models import device_notice

            choices = [(offer["label"], offer["id"]) for offer in service.models()]
            warning = device_notice()
            return {
                model: gr.Dropdown(choices=choices, label="Model"),
                compared_model: gr.Dropdown(choices=choices, label="Model"),
                notice: gr.Markdown(warning, visible=bool(warning)),
            }

        def first_model(chosen: str | None) -> str:
            """Asked for afterwards: a run that was found again may have chosen one in the meantime."""
            return chosen or service.default_model()

        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        loaded = demo.load(opened, None, [model, compared_model, notice], **quiet)
        for each in (model, compared_model):
            loaded.then(first_model, each, each, **quiet)

        def closed(request: gr.Request) -> None:
            """A page or a client has gone: its runs wait less long than others. Whoever only reloaded looks on."""
            service.cache.session_closed(request.session_hash)

        demo.unload(closed)
    return demo


def request_inputs(service: Service) -> tuple[dict[str, gr.components.Component], gr.Button, gr.Button]:
    """What a person fills to make a request: inputs by the names of its fields, and the buttons Run and Stop."""
    with gr.Row(equal_height=True):
        image = Picture(
            label="Image", type="filepath", image_mode=None, sources=["upload", "clipboard"], height=170, scale=2,
            min_width=220, buttons=[], show_label=False,
        )  # fmt: skip
        with gr.Column(scale=6, min_width=320):
            prompt = gr.Textbox(label="Question", max_lines=4, placeholder="What do you want to know about it?")
            with gr.Row():
                model = gr.Dropdown(
                    [], label="Model (looking for what there is)", allow_custom_value=not service.is_hosted, scale=2
                )
                mode = gr.Dropdown(MODES, value="generate", label="What is run", scale=1, min_width=180)
        with gr.Column(scale=1, min_width=110):
            run = gr.Button("Run", variant="primary")
            stop = gr.Button("Stop", interactive=False)
    with gr.Accordion("More settings", open=False), gr.Row():
        system = gr.Textbox(label="System prompt", max_lines=4, scale=2)
        max_new_tokens = gr.Number(256, label="Answer length, at most (tokens)", precision=0)
        max_visual_tokens = gr.Number(0, label="Visual tokens an image (0: as usual)", precision=0)
        dtype = gr.Dropdown(DTYPES, value="auto", label="Number format")
        vision = gr.Dropdown(list(VISION), value="as usual", label="Vision tower")
    settings = {
        "image": image, "prompt": prompt, "model": model, "mode": mode, "system": system,
        "max_new_tokens": max_new_tokens, "max_visual_tokens": max_visual_tokens, "dtype": dtype, "vision": vision,
    }  # fmt: skip
    return settings, run, stop


def fields_of(values: dict) -> dict:
    """What a person filled as the fields of a Request."""
    fields = {
        "images": [values["image"]] if values["image"] else [],
        "prompt": values["prompt"],
        "model": values["model"],
        "mode": values["mode"],
        "system": values["system"] or None,
        "max_new_tokens": whole_number("The answer's length", values["max_new_tokens"]),
        "max_visual_tokens": whole_number("The number of visual tokens", values["max_visual_tokens"] or 0) or None,
        "dtype": values["dtype"],
        "vision": VISION[values["vision"]],
    }
    if values.get("adapter"):
        fields |= {name: values[name] for name in ("adapter", "adapter_scale", "adapter_rename")}
    return fields


async def adapter_choices(service: Service, model: str | None) -> list[tuple[str, str]]:
    """The adapters on offer for a model, for a list: what they are called, and their ids."""
    await asyncio.to_thread(service.wait_until_loaded)
    from adapters.catalog import offered_adapters

    try:
        checked = service.checked_model(model)
        offers, _ = await asyncio.to_thread(offered_adapters, checked, service.adapters_dir, service.is_hosted)
    except AttentionError:
        return []  # a model that is not there is said when it is run
    return [(f"{offer.label}, {offer.note}" if offer.note else offer.label, offer.id) for offer in offers]


def build_explore(demo: gr.Blocks, service: Service, examples: dict[str, str]) -> tuple[gr.Dropdown, gr.Button]:
    """The tab that makes a run or opens one, and shows it.

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
        badge = gr.Button(
            "tiny demo model", variant="secondary", visible=first is not None and is_demo(first), elem_id="badge",
            size="sm", scale=0, min_width=130,
        )  # fmt: skip
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
        values |= {"image": _copy(image, picture)} if values and picture.is_file() else {}
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
        values["image"] = _copy(image, picture) if picture.is_file() else None
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
            changes = {**again(take_zip(service, path, request.session_hash)), **kept_runs()}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            changes = refused(error)
        yield changes

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

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    screened, noted = [viewer, shown, status, answer, inputs, badge], [note, confirm]
    started = gr.on([run.click, prompt.submit], begin, None, [run, stop, status, answer], queue=False, **quiet)
    running = started.then(explore, [*settings.values()], [run, stop, kept, rename, *screened, *noted], **quiet, **GPU)
    running.failure(lambda: ended(gr.skip()), None, [run, stop, status], queue=False, **quiet)
    runs = [running]
    chosen = gr.on(
        [adapter.input, strength.release], adapted, [shown, prompt, adapter, strength], [run, *settings.values()],
        **quiet,
    )  # fmt: skip
    if not service.is_hosted:  # a person's own machine begins at once; where many wait for a device, a click does
        again_started = chosen.then(begin, None, [run, stop, status, answer], queue=False, **quiet)
        again_running = again_started.then(
            explore, [*settings.values()], [run, stop, kept, rename, *screened, *noted], **quiet, **GPU
        )  # fmt: skip
        again_running.failure(lambda: ended(gr.skip()), None, [run, stop, status], queue=False, **quiet)
        runs.append(again_running)
    stopping = stop.click(lambda: ended(STOPPED), None, [run, stop, status], cancels=runs, queue=False, **quiet)
    stopping.then(stopped, None, [run, stop, status], queue=False, **quiet)
    model.change(offered_here, model, adapter, **quiet)

    opened = [*screened, *noted, *settings.values()]
    chooser.click(lambda index: again(tickets[index]), chooser, opened, **quiet)
    upload.upload(open_zip, upload, [*opened, kept], **quiet)
    open_it.click(open_kept, kept, [*opened, kept], **quiet)
    delete.click(ask_to_delete, kept, [*noted, asked], **quiet)
    for_good.click(delete_kept, [asked, shown], [*screened, *noted, kept], **quiet)
    gr.on([keep_it.click, kept.input], saying, None, noted, queue=False, **quiet)
    viewer.change(found_again, [viewer, shown], opened, queue=False, **quiet)
    demo.load(kept_runs, None, kept, **quiet)
    return model, badge


def build_compare(demo: gr.Blocks, service: Service, examples: dict[str, str]) -> gr.Dropdown:
    """The tab that runs base and adapters on one input, or opens a finished comparison, and shows what they change.

    Returns its choice of models, which is filled later.
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
        with gr.Row(elem_id="open-comparison", visible=not service.is_hosted):
            kept = gr.Dropdown([], value=None, label="Kept comparisons", scale=2, min_width=400)
            open_it = gr.Button("Open", size="sm", scale=0, min_width=64)
            delete = gr.Button("Delete", size="sm", scale=0, min_width=64)
            for_good = gr.Button("Delete for good", variant="stop", size="sm", scale=0, min_width=130, visible=False)
            keep_it = gr.Button("Keep it", size="sm", scale=0, min_width=80, visible=False)
    status = gr.Textbox(
        describe_comparison(first) if first else "Choose an image, ask about it, and choose adapters.", label="Status",
        show_label=False, container=False, interactive=False, max_lines=3, elem_id="compare-status",
    )  # fmt: skip
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
        return {
            viewer: comparison_manifest(service, ticket), shown: ticket,
            status: describe_comparison(service.comparison(ticket)), inputs: gr.Accordion(open=False),
        }  # fmt: skip

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

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    screened, asked_again = [viewer, shown, status, inputs], [for_good, keep_it]
    chosen = [adapters, strength, words, rename]
    started = run.click(begin, None, [run, stop, status], queue=False, **quiet)
    running = started.then(
        run_both, [*chosen, *settings.values()], [run, stop, kept, rename, *screened], **quiet, **GPU
    )
    running.failure(lambda: ended(gr.skip()), None, [run, stop, status], queue=False, **quiet)
    stopping = stop.click(lambda: ended(STOPPED), None, [run, stop, status], cancels=[running], queue=False, **quiet)
    stopping.then(stopped, None, [run, stop, status], queue=False, **quiet)
    gr.on([adapters.change, model.change, rename.input], examined, [adapters, model, rename], [health, rename, words],
          **quiet)  # fmt: skip
    model.change(offered_here, model, adapters, **quiet)
    chooser.click(lambda index: screen(tickets[index]), chooser, screened, **quiet)
    open_it.click(open_kept, kept, [*screened, kept], **quiet)
    delete.click(lambda ticket: asking(ticket is not None), kept, asked_again, queue=False, **quiet)
    for_good.click(delete_kept, [kept, shown], [*screened, *asked_again, kept], **quiet)
    gr.on([keep_it.click, kept.input], lambda: asking(False), None, asked_again, queue=False, **quiet)
    viewer.change(found_again, [viewer, shown], screened, queue=False, **quiet)
    demo.load(kept_ones, None, kept, **quiet)
    return model


def describe_comparison(comparison: Comparison) -> str:
    """What was compared, in one line."""
    info = comparison.info
    named = [
        f"{Path(member['adapter']['id']).name} at {member['adapter']['scale']:g}" for member in info["members"][1:]
    ]
    size = f"; {info['bytes'] / 1e6:.1f} MB" if info.get("bytes") else ""
    model = Path(info["model"]["id"]).name
    model = f"{model} (a tiny demo model)" if info["model"]["id"] == "pocket" else model
    return f"{info['prompt']} · {model} beside {', '.join(named)}; {info['shared_tokens']:,} tokens in common{size}."


def comparison_manifest(service: Service, ticket: str) -> dict:
    """What the viewer needs to find a comparison."""
    comparison = service.comparison(ticket)
    found = {"id": comparison.info["id"], "ticket": ticket, "kind": "comparison"}
    if service.is_public(ticket):
        found["is_public"] = True
    for moved in comparison.moved(0, n=1):  # where there is most to see
        found["view"] = {"layer": moved["layer"], "head": moved["head"]}
    with_folder = found | {"folder": str(comparison.folder)}
    fits = len(json.dumps(with_folder)) <= MANIFEST_BYTES
    return with_folder if fits and not service.is_hosted else found


# The endpoints for scripts


def build_endpoints(service: Service) -> None:
    """What the buttons do, for the Python client and curl: the fields of a Request by their names, and no page."""

    def models() -> list[dict]:
        """List the models on offer, the default first."""
        service.wait_until_loaded()
        return service.models()

    def layers(model: str | None = None) -> dict:
        """Describe a model's towers, layers, heads, kv_heads and head_dim from its config, without loading it."""
        service.wait_until_loaded()
        from attention.models import describe

        with plainly():
            return describe(service.checked_model(model))

    def result(ticket: str) -> dict:
        run = service.run(ticket)
        # Not "path": the Python client takes every dictionary with that key for a file, and would download it.
        folder = None if service.is_hosted else str(run.folder)
        return {"id": run.info["id"], "ticket": ticket, "answer": run.info["answer"], "run": run.info, "folder": folder}

    def adapters(model: str | None = None) -> dict:
        """List the adapters on offer for a model: {adapters: [{id, label, source, series, step, note}], notes}.

        Any other of the Hub is chosen by its id, owner/name or owner/name@revision.
        """
        service.wait_until_loaded()
        from adapters.catalog import offered_adapters

        with plainly():
            offers, notes = offered_adapters(service.checked_model(model), service.adapters_dir, service.is_hosted)
            return {"adapters": [offer.to_dict() for offer in offers], "notes": notes}

    def inspect_adapter(adapter: str, model: str | None = None, rename: bool = False) -> dict:
        """Check an adapter against a model, from its config and its tensors' names and shapes: a health card.

        Args:
            rename: read keys of an older layout under the names that the model has now.
        """
        service.wait_until_loaded()
        from adapters.catalog import find_adapter
        from adapters.choosing import check

        with plainly():
            model = service.checked_model(model)
            files = find_adapter(adapter, model, service.adapters_dir, service.is_hosted)
            return check(files, model, rename=rename, is_hosted=service.is_hosted).to_dict()

    async def analyze(
        images=None, prompt=None, model=None, model_type=None, mode="prefill", max_new_tokens=256, answer=None,
        system=None, messages=None, vision=None, max_visual_tokens=None, dtype="auto", adapter=None, adapter_scale=1.0,
        adapter_rename=False,
        request: gr.Request = None, progress=gr.Progress(),  # noqa: B008 - this is how Gradio is told
    ) -> dict:  # fmt: skip
        """Capture what the model reads from: one forward pass over the prompt (prefill), or over prompt and answer.

        Args:
            images: one picture or a list of them; none is a run on text alone.
            prompt: the question; or give messages.
            model: the default is the first of /models.
            mode: prefill, or generate: answer first.
            answer: read this answer instead of generating one.
            messages: a chat of several turns instead of prompt and system; {"type": "image"} takes the next picture.
            vision: keep the vision tower too.
            adapter: switch this LoRA adapter on, at the strength adapter_scale; /adapters lists some.
            adapter_rename: read an adapter's keys of an older layout under the names that the model has now.

        Returns:
            id, ticket (for the other endpoints), answer, run (the content of run.json), folder (on a local server).
        """
        with plainly():
            fields = {
                "images": images,
                "prompt": prompt or "",
                "model": model,
                "model_type": model_type,
                "mode": mode,
                "max_new_tokens": whole_number("max_new_tokens", max_new_tokens),
                "answer": answer,
                "system": system,
                "messages": messages,
                "vision": vision,
                "max_visual_tokens": whole_number("max_visual_tokens", max_visual_tokens, optional=True),
                "dtype": dtype,
                "adapter": adapter,
                "adapter_scale": adapter_scale,
                "adapter_rename": bool(adapter_rename),
            }
            with service.job(fields, request.session_hash) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
                ticket = job.result()["ticket"]
            return result(ticket)

    async def compare(
        images=None, prompt=None, adapters=None, words="base", model=None, model_type=None, mode="prefill",
        max_new_tokens=256, answer=None, system=None, messages=None, vision=None, max_visual_tokens=None, dtype="auto",
        request: gr.Request = None, progress=gr.Progress(),  # noqa: B008 - this is how Gradio is told
    ) -> dict:  # fmt: skip
        """Run the base and one to twelve adapters on the same picture and words, and measure what the adapters change.

        Args:
            adapters: a list of names, of names with "=strength", or of {id, scale, rename}.
            words: whose answer all read: base, the number of an adapter (from 1), or own.

        Returns:
            id, ticket, comparison (the content of comparison.json), folder (on a local server).
        """
        with plainly():
            fields = {
                "images": images, "prompt": prompt or "", "model": model, "model_type": model_type, "mode": mode,
                "max_new_tokens": whole_number("max_new_tokens", max_new_tokens), "answer": answer, "system": system,
                "messages": messages, "vision": vision, "dtype": dtype,
                "max_visual_tokens": whole_number("max_visual_tokens", max_visual_tokens, optional=True),
            }  # fmt: skip
            chosen = {
                "adapters": listed(adapters),
                "words": words,
            }
            with service.job(fields, request.session_hash, chosen) as job:
                async for step in job.follow():
                    progress((step["done"], step["total"]) if step["total"] else None, desc=status_line(step))
                ticket = job.result()["ticket"]
            found = service.comparison(ticket)
            folder = None if service.is_hosted else str(found.folder)
            return {"id": found.info["id"], "ticket": ticket, "comparison": found.info, "folder": folder}

    def open_zip(file=None, request: gr.Request = None) -> dict:
        """Open a run that comes as a zip, as /export writes it with the format zip.

        Args:
            file: the zip.

        Returns:
            what /analyze returns.
        """
        with plainly():
            return result(take_zip(service, file, request.session_hash))

    def runs() -> list[dict]:
        """List the runs kept on this machine, newest first: ticket, id, created, model, prompt, answer, tokens, bytes.

        On a public server the list is empty: whoever has a run there has its ticket.
        """
        return service.runs()

    def heatmap(ticket, tower="language", layer="mean", head="mean", query=None, grid=0) -> tuple[str, list]:
        """Draw a map over its picture, in the picture's own width and height; return that and the values [row, col].

        Args:
            ticket: from /analyze.
            layer: the layer's index in the model, mean or max.
            head: a number, mean or max.
            query: the position of the row; the default is the one that predicts the answer's first token.
        """
        with plainly():
            run = service.run(ticket)
            from attention.export import heatmap_png
            from attention.selection import default_query

            path, values = heatmap_png(
                run, tower, number_or_word("layer", layer), number_or_word("head", head),
                default_query(run) if query is None else whole_number("query", query), whole_number("grid", grid),
                _new_file(png, "heatmap.png"),
            )  # fmt: skip
        return str(path), values.tolist()

    def export(
        ticket, format="npz", tower="language", layer=None, head=None, query=None, key=None, grid=None, until=None,  # noqa: A002
        received=False, look=None, scale=None, caption=False,
    ) -> str:  # fmt: skip
        """Write a run, or one map of it, as a file: dense, bin, npz, csv, png, svg, pdf or zip; a folder comes zipped.

        Args:
            ticket: from /analyze.
            layer: the layer's index in the model; for one map also mean or max.
            head: of one map: a number, mean or max.
            query: of one map: the position of the row; the default predicts the answer's first token.
            key: the position of a column, instead of query.
            grid: which picture, tile or frame; the default is the tower's first.
            until: the last position of a mean over several, which begins at query or key.
            received: what every key receives, instead of query and key.
            look: how png, svg and pdf are drawn: palette, opacity, low, high, unit, curve, sinks, smooth, places.
            scale: of a png: 0.25 to 4 times the picture's size.
            caption: of a png: with a colour bar and words, as svg and pdf always have them.
        """
        with plainly():
            run = service.run(ticket)
            from attention.export import export_run

            if look is not None and not isinstance(look, dict):
                raise InvalidRequest(
                    f'look is {look!r}; it must be settings by their names, as {{"palette": "magma"}}.'
                )
            name = {"dense": "attention.safetensors" if layer is not None else "attention"}.get(format, f"run.{format}")
            written = export_run(
                run, format, _new_file(file, name), tower,
                None if layer is None else number_or_word("layer", layer),
                None if head is None else number_or_word("head", head),
                whole_number("query", query, optional=True), whole_number("key", key, optional=True),
                whole_number("grid", grid, optional=True), until=whole_number("until", until, optional=True),
                received=bool(received), look=look, scale=scale, caption=bool(caption),
            )  # fmt: skip
            if written.is_dir():
                archive = shutil.make_archive(str(written), "zip", written)
                shutil.rmtree(written)
                return archive
        return str(written)

    def word(name: str, value: str | None = None) -> gr.Textbox:
        return gr.Textbox(value, label=name)

    def number(name: str, value: float | None = None) -> gr.Number:
        return gr.Number(value, label=name)

    gr.api(models, api_name="models")
    gr.api(adapters, api_name="adapters")
    gr.api(inspect_adapter, api_name="inspect")
    gr.api(layers, api_name="layers")
    gr.api(runs, api_name="runs")
    with gr.Row(visible=False):  # an endpoint that takes or gives files needs components; these are never drawn
        call, vision = gr.Button(), gr.Checkbox(label="vision")
        vision.value = None  # neither yes nor no: what is usual here; the constructor would make it a no
        fields = [
            Pictures(label="images"), word("prompt"), word("model"), word("model_type"), word("mode", "prefill"),
            number("max_new_tokens", 256), word("answer"), word("system"), gr.JSON(label="messages"),
            vision, number("max_visual_tokens"), word("dtype", "auto"), word("adapter"), number("adapter_scale", 1.0),
            gr.Checkbox(label="adapter_rename"),
        ]  # fmt: skip
        call.click(analyze, fields, gr.JSON(label="result"), api_name="analyze", **GPU)
        call.click(
            compare,
            [*fields[:2], gr.JSON(label="adapters"), word("words", "base"), *fields[2:-3]],
            gr.JSON(label="result"), api_name="compare", **GPU,
        )  # fmt: skip
        call.click(open_zip, RunUpload(label="file"), gr.JSON(label="result"), api_name="open")
        which = [
            word("ticket"), word("tower", "language"), word("layer", "mean"), word("head", "mean"), number("query"),
            number("grid", 0),
        ]  # fmt: skip
        png, cells = gr.File(label="png"), gr.JSON(label="values")
        call.click(heatmap, which, [png, cells], api_name="heatmap")
        what = [
            word("ticket"), word("format", "npz"), word("tower", "language"), word("layer"), word("head"),
            number("query"), number("key"), number("grid"), number("until"), gr.Checkbox(label="received"),
            gr.JSON(label="look"), number("scale"), gr.Checkbox(label="caption"),
        ]  # fmt: skip
        file = gr.File(label="file")
        call.click(export, what, file, api_name="export")


# Files that Gradio serves


def _new_file(component: gr.components.Component, name: str) -> Path:
    """A place inside the component's own cache, so that Gradio serves the file without copying it first."""
    folder = Path(component.GRADIO_CACHE) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder / name


def _copy(component: gr.components.Component, path: Path) -> str:
    """A copy that Gradio may serve: the folders of runs are closed to it."""
    return str(shutil.copyfile(path, _new_file(component, path.name)))


def take_zip(service: Service, path: str | None, owner: str) -> str:
    """Take in the run in an uploaded zip; return its ticket. The upload has served then, whatever was in it."""
    if path is None:
        raise InvalidRequest("There is no file. Give the zip of a run, as export writes it.")
    try:
        return service.open_zip(path, owner)
    finally:
        if path.endswith(".zip"):  # nothing else that Gradio serves may be removed by whoever names it
            Path(path).unlink(missing_ok=True)


# Starting


def open_examples(cache: RunCache) -> dict[str, str]:
    """Make the finished examples readable for everyone; return their tickets by what the page calls them, in order."""
    tickets = {}
    for entry in json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8")):
        folder = EXAMPLES / entry["name"]
        if (folder / "run.json").is_file():
            cache.add_public(f"example-{folder.name}", folder)
            tickets[f"{entry['label']}: {entry['prompt']}"] = f"example-{folder.name}"
    return tickets


def open_comparisons(cache: RunCache) -> dict[str, str]:
    """Make the finished comparisons readable for everyone; return their tickets by what the page calls them."""
    tickets = {}
    for index in sorted(EXAMPLES.glob(f"*/{COMPARISON_INDEX}")):
        info = json.loads(index.read_text(encoding="utf-8"))
        ticket = f"example-{index.parent.name}"
        cache.add_public(ticket, index.parent)
        named = ", ".join(Path(member["adapter"]["id"]).name for member in info["members"][1:])
        tickets[f"{named}: {info['prompt']}"] = ticket
    return tickets


def open_folder(folder: Path) -> Run | Comparison:
    """A finished folder by what it is."""
    return open_comparison(folder) if (folder / COMPARISON_INDEX).is_file() else open_run(folder)


def open_service(runs: str | None = None, model: str | None = None, adapters: str | None = None) -> Service:
    """Runs are kept in a library on a person's machine, and for the time of a visit on a server."""
    if IS_HOSTED:
        cache = RunCache(
            user_cache_folder() / "sessions", library=False, byte_limit=HOSTED_BYTES, open_folder=open_folder
        )
    else:
        cache = RunCache(runs or user_cache_folder() / "runs", library=True, open_folder=open_folder)
    return new_service(cache, is_hosted=IS_HOSTED, model=model, adapters_dir=Path(adapters) if adapters else None)


def new_service(
    cache: RunCache, *, is_hosted: bool, model: str | None = None, adapters_dir: Path | None = None
) -> Service:
    """The service of this app: jobs run by `run_job`, adapters found by `adapters`."""

    def find_adapters(wanted: list[dict], model_id: str, watch: Callable[[int, int], None]) -> list[dict]:
        from adapters.attach import to_job
        from adapters.choosing import choose

        chosen = choose(wanted, model_id, adapters_dir=adapters_dir, is_hosted=is_hosted, watch=watch)
        return [to_job(choice) for choice in chosen]

    return Service(
        cache, run_job, is_hosted=is_hosted, model=model, adapters_dir=adapters_dir, find_adapters=find_adapters
    )


def launch(service: Service, **settings) -> gr.Blocks:
    """Start the server. Whatever differs between a person's start, a Space's and a test's is in `settings`."""
    if IS_ZERO_GPU:  # weights that are loaded before the launch are kept packed, and are on the device at once
        from attention import models

        models.load(service.default_model())
    demo = build(service, open_examples(service.cache), open_comparisons(service.cache))
    demo.queue(max_size=24, default_concurrency_limit=8)
    demo.launch(
        prevent_thread_lock=True, app_kwargs={"routes": routes(service.cache.run)}, css_paths=[ASSETS / "app.css"],
        ssr_mode=False, run_history=False, show_error=False, enable_monitoring=False, footer_links=["api"],
        allowed_paths=[], max_file_size=service.zip_bytes, **settings,
    )  # fmt: skip
    service.load()  # only now: the page is there sooner than torch
    return demo


def main() -> None:
    parser = argparse.ArgumentParser(description="See what a vision-language model reads from.")
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860 on)")
    parser.add_argument("--model", help="model to begin with: pocket, a Hub id or a folder")
    parser.add_argument("--runs", help="folder in which finished runs are kept")
    parser.add_argument("--adapters", help="folder below which your adapters lie")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    try:
        service = open_service(options.runs, options.model, options.adapters)
    except OSError as error:
        parser.exit(2, f"Runs cannot be kept in {error.filename}: {error.strerror}. Name another folder with --runs.\n")
    try:
        demo = launch(service, server_name=options.host, server_port=options.port, quiet=True)
        print(f"VLM Attention Viz is at {demo.local_url} (Ctrl-C ends it)", flush=True)
        demo.block_thread()
    except OSError as error:  # the port is taken, the address is not ours
        parser.exit(1, f"{error}\n")
    finally:
        service.close()


if __name__ == "__main__":
    main()

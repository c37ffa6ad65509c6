"""The app: the page put together, how it is started, and the one function that runs a model.

What is on the page and which event calls what is in `attention.page`; `attention.visitors` makes and keeps runs,
`attention.serving` answers the viewer, `attention.exports` writes files. No tensors and no HTML here.
"""

import spaces  # isort: skip - on ZeroGPU nothing may touch CUDA before this

import argparse
import asyncio
import inspect
import json
import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    inspect.getfile = find_none  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = find_file


with without_stubs():
    import gradio as gr

from attention.comparisons.comparison import INDEX as COMPARISON_INDEX
from attention.environment import ASSETS, EXAMPLES, POCKET, is_debugging, is_hosted, is_zero_gpu, user_cache_folder
from attention.errors import AttentionError
from attention.limits import HOSTED_RUNS_BYTES, Limits
from attention.page import QUIET
from attention.page.calls import SpokenBlocks
from attention.page.compare import build_compare
from attention.page.endpoints import build_endpoints
from attention.page.explore import build_explore
from attention.page.manifests import tab_of
from attention.page.sentences import in_words
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.serving.routes import routes
from attention.visitors.service import Service
from attention.visitors.store import RunCache

IS_HOSTED = is_hosted()
TITLE = "VLM Attention Viz"


# The job


def gpu_seconds(job: dict, prepared: Any = None) -> int:
    """Seconds that a job may hold a ZeroGPU device: what is asked for must fit what is left of the visitor's quota."""
    return round(min(60, 10 + job["tokens"] / 500 + job["new_tokens"] / 15))


@spaces.GPU(duration=gpu_seconds)
def run_job(job: dict, prepared: Any = None) -> dict:
    """Make the run that {partial, request, adapters, words} describes; return {run: its folder} or {error: why not}.

    With `words` it is a comparison of the base with the adapters. `prepared` are inputs that a forecast has made. On
    ZeroGPU this is another process: only plain data go in and come out, errors too, and inputs are made again.
    """
    from attention.capture.extraction import fill

    limits = Limits.hosted() if IS_HOSTED else None
    request, partial = Request.from_dict(job["request"]), PartialRun.open(job["partial"])
    try:
        if not job["adapters"] and job["words"] is None:
            return {"run": str(fill(request, partial, limits=limits, prepared=prepared))}
        from adapters.attach import adapted, from_job
        from adapters.comparing import fill_comparison

        choices = [from_job(record) for record in job["adapters"]]
        if job["words"] is None:
            return {"run": str(fill(request, partial, None, limits, adapted(choices[0]), prepared))}
        return {"run": str(fill_comparison(request, choices, partial, job["words"], limits, prepared))}
    except AttentionError as error:
        return {"error": str(error)}
    except Exception as error:
        if is_debugging():
            raise
        return {"error": in_words(error)}


# The page


def card() -> str:
    """The bundled model's card, without the lines above it that are for the Hub."""
    return (POCKET / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def build(service: Service, examples: dict[str, str], comparisons: dict[str, str]) -> gr.Blocks:
    """The page, which opens with the first of the examples (tickets by names), and the endpoints for scripts."""
    hour = 3600  # uploads and exports are in Gradio's own folder; a person's page may stay open over lunch
    with SpokenBlocks(
        title=TITLE, fill_width=True, analytics_enabled=False,
        delete_cache=(hour, hour if service.is_hosted else 24 * hour),
    ) as demo:  # fmt: skip
        notice = gr.Markdown(visible=False)
        gr.Markdown(f"# {TITLE}", elem_id="title")
        passed_on = gr.State()  # the ticket of what a zip brought that belongs into the other tab
        with gr.Tabs() as tabs:
            with gr.Tab("Explore", id="explore"):
                model = build_explore(demo, service, examples, passed_on, card())
            with gr.Tab("Compare", id="compare"):
                compared_model = build_compare(demo, service, comparisons, passed_on)
        passed_on.change(lambda ticket: gr.Tabs(selected=tab_of(service, ticket)), passed_on, tabs, **QUIET)
        build_endpoints(service)

        async def opened() -> dict:
            """Fill in what is known only once torch is there: which models, and whether a graphics card lies idle."""
            await asyncio.to_thread(service.wait_until_loaded)
            from attention.models.devices import device_notice

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

        loaded = demo.load(opened, None, [model, compared_model, notice], **QUIET)
        for each in (model, compared_model):
            loaded.then(first_model, each, each, **QUIET)

        def closed(request: gr.Request) -> None:
            """A page or a client has gone: its runs wait less long than others. Whoever only reloaded looks on."""
            service.cache.session_closed(request.session_hash)

        demo.unload(closed)
    return demo


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


def open_service(runs: str | None = None, model: str | None = None, adapters: str | None = None) -> Service:
    """Runs are kept in a library on a person's machine, and for the time of a visit on a server."""
    if IS_HOSTED:
        cache = RunCache(user_cache_folder() / "sessions", library=False, byte_limit=HOSTED_RUNS_BYTES)
    else:
        cache = RunCache(runs or user_cache_folder() / "runs", library=True)
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
        cache, run_job, is_hosted=is_hosted, model=model, adapters_dir=adapters_dir, find_adapters=find_adapters,
    )  # fmt: skip


def theme() -> gr.themes.Base:
    """Gradio's own, with bold letters in place of its half-bold ones: those files lack most of the alphabet."""
    text, code = (gr.themes.LocalFont(name, weights=(400, 700)) for name in ("Source Sans Pro", "IBM Plex Mono"))
    return gr.themes.Default(
        font=(text, "ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=(code, "ui-monospace", "Consolas", "monospace"),
    )


def launch(service: Service, **settings) -> gr.Blocks:
    """Start the server. Whatever differs between a person's start, a Space's and a test's is in `settings`."""
    if is_zero_gpu():  # weights that are loaded before the launch are kept packed, and are on the device at once
        from attention.models import loading as models

        models.load(service.default_model())
    demo = build(service, open_examples(service.cache), open_comparisons(service.cache))
    demo.queue(max_size=24, default_concurrency_limit=8)
    demo.launch(
        prevent_thread_lock=True, app_kwargs={"routes": routes(service.cache.run)}, css_paths=[ASSETS / "app.css"],
        theme=theme(),
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
    except AttentionError as error:
        parser.exit(1, f"{error}\n")
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

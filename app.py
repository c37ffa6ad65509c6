"""The app: the page put together, how it is started, and the one function that runs a model.

What is on the page and which event calls what is in `attention.page`; `attention.visitors` makes and keeps runs,
`attention.serving` answers the viewer, `attention.exports` writes files. No tensors and no HTML here.
"""

import spaces  # isort: skip - on ZeroGPU nothing may touch CUDA before this

import argparse
import asyncio
import functools
import inspect
import json
import logging
import os
import platform
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

if platform.machine() in ("x86_64", "AMD64"):  # elsewhere torch may use OpenBLAS too
    # NumPy only reads runs here, in many threads at once: more threads in each of them cost more than they give
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# after each call Gradio makes a table of the last 10,000 for a page that is switched off here
os.environ |= {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000"}


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
    import gradio.queueing

# Gradio makes an event loop for each of its locks and leaves it open; Python complains of each in 25 lines, sooner or
# later. None has been needed since Python 3.10.
gr.utils.safe_get_lock = gradio.queueing.safe_get_lock = asyncio.Lock
gr.utils.safe_get_stop_event = asyncio.Event

from starlette.middleware import Middleware

from attention import decoder_pool
from attention.capture.handed_over import handed_over, taken_over
from attention.comparisons.comparison import INDEX as COMPARISON_INDEX
from attention.environment import ASSETS, EXAMPLES, POCKET, is_debugging, is_hosted, is_zero_gpu, user_cache_folder
from attention.errors import AttentionError, InvalidRequest, shown_path
from attention.exports.html.notebook import shown_by
from attention.limits import (
    HOSTED_EXPORT_MB,
    HOSTED_KEPT_MB,
    PEOPLE_AT_ADDRESS,
    VISITOR_KEPT_BYTES,
    VISITOR_RUNS,
    Limits,
)
from attention.page import QUIET
from attention.page.calls import SpokenBlocks
from attention.page.compare import build_compare
from attention.page.endpoints import build_endpoints
from attention.page.explore import build_explore
from attention.page.foot import build_foot, quota_words
from attention.page.manifests import manifest_of, tab_of
from attention.page.scores import build_scores
from attention.page.sentences import in_words
from attention.page.uploads import upload_route
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.serving.access import KEY, Access, Hosts, checked_root_path
from attention.serving.calls import Calls
from attention.serving.connections import Connections
from attention.serving.library import library_routes
from attention.serving.login import Login, read_accounts
from attention.serving.policy import Policy, frames
from attention.serving.routes import routes
from attention.serving.scores import scores_routes
from attention.serving.shown import Shown
from attention.serving.uploads import UploadLimits, Uploads, megabytes
from attention.visitors.budget import KeptLimits
from attention.visitors.gallery import Gallery, open_examples
from attention.visitors.key import Key, kept_key
from attention.visitors.library import Library
from attention.visitors.presence import STREAM
from attention.visitors.process_folder import ProcessFolder, remove_abandoned
from attention.visitors.scores import has_scores
from attention.visitors.service import Service
from attention.visitors.store import RunCache
from attention.visitors.zero_gpu import asked_seconds, run_on_zero_gpu

IS_HOSTED = is_hosted()
TITLE = "VLM Attention Viz"
REQUESTS_AT_ONCE = 240  # that Gradio has in hand: the jobs that may wait are some of them
MEANWHILE = "The finished examples can be looked at meanwhile; a run begins as soon as it is there."
# an address that names a comparison and no run is that tab's; scores come first where they are shown
FRONT = """() => {
  const names = new URLSearchParams(location.hash.slice(1));
  const tab = names.has('run') ? 'explore' : names.has('compare') ? 'compare' : '%s';
  return { __type__: 'update', selected: tab };
}"""


# The job


def server_limits() -> Limits:
    """Limits of a server's runs, as its environment has them."""
    return replace(Limits.hosted(), picture_bytes=UploadLimits.of_environment().picture)


def gpu_seconds(job: dict, prepared: Any = None) -> int:
    """Seconds that a job may hold a ZeroGPU device. Raises LimitExceeded, with the numbers, for more than it may."""
    return asked_seconds(job)


@functools.cache
def seconds_of_example(model: str, limits: Limits | None) -> int:
    """Seconds that a run of one of the examples asks for. Raises AttentionError where none can be made."""
    from attention.capture.forecast import forecast

    asked = Request((EXAMPLES / "window.png",), "click Save", model, mode="generate", vision=False)
    expected = forecast(asked, limits)
    assert expected.work is not None  # `forecast` says it
    return gpu_seconds({"work": asdict(expected.work), "adapters": [], "words": None})


def usual_seconds(service: Service) -> int | None:
    """The same with the model that comes first, computed once and not for each page; None where none can be made."""
    try:
        return seconds_of_example(service.default_model(), service.limits)
    except AttentionError as error:
        logging.getLogger("app").warning("What a run costs is not said: %s", error)
        return None


@spaces.GPU(duration=gpu_seconds)
def run_job(job: dict, prepared: Any = None) -> dict:
    """Make the run that {partial, request, adapters, words} describes; return {run: its folder} or {error: why not}.

    With `words` it is a comparison of the base with the adapters; with `tried` a trial, and {tried: what came of it} is
    returned. `prepared` are inputs that a forecast has made. On ZeroGPU this is another process: only plain data go in
    and come out, errors too, and inputs are made again, of the pictures and frames that were handed over as `opened`.
    """
    with taken_over(job["request"]["images"], job["opened"]) if "opened" in job else nullcontext():
        return _run_job(job, prepared)


def run_elsewhere(job: dict, prepared: Any) -> dict:
    """Run a job in another process, to which pictures go decoded: no stranger's file is read while it holds a GPU."""
    with handed_over(prepared.pictures, prepared.videos, Path(job["partial"]).with_suffix(".opened")) as opened:
        return run_on_zero_gpu(run_job, job | {"opened": opened}, None)


def _run_job(job: dict, prepared: Any) -> dict:
    from attention.capture.extraction import fill

    limits = server_limits() if IS_HOSTED else None
    request, partial = Request.from_dict(job["request"]), PartialRun.open(job["partial"])
    try:
        if "tried" in job:
            return {"tried": _tried(job, partial, limits)}
        if not job["adapters"] and job["words"] is None:
            return {"run": str(fill(request, partial, limits=limits, prepared=prepared))}
        from adapters.attach import adapted, from_job
        from adapters.comparing import choice_from_job, fill_comparison

        if job["words"] is None:
            choice = from_job(job["adapters"][0])
            return {"run": str(fill(request, partial, None, limits, adapted(choice), prepared))}
        choices = [choice_from_job(record) for record in job["adapters"]]
        return {"run": str(fill_comparison(request, choices, partial, job["words"], limits, prepared))}
    except AttentionError as error:
        return {"error": str(error)}
    except Exception as error:
        if is_debugging():
            raise
        return {"error": in_words(error)}


def _tried(job: dict, partial: PartialRun, limits: Limits | None) -> dict:
    """The record of a trial on a finished run, with its adapter where it has one."""
    from attention.effects.record import try_job

    if not job["adapters"]:
        return try_job(job["tried"], partial, limits)
    from adapters.attach import adapted, from_job

    return try_job(job["tried"], partial, limits, adapted(from_job(job["adapters"][0])))


# The page


def card() -> str:
    """The bundled model's card, without the lines above it that are for the Hub."""
    return (POCKET / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def build(service: Service, examples: dict[str, str], comparisons: dict[str, str]) -> SpokenBlocks:
    """The page, which opens with the first of the examples (tickets by names), and the endpoints for scripts."""
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
        foot = build_foot() if service.is_hosted else None
        demo.load(None, None, tabs, js=FRONT % first_tab, **QUIET)
        passed_on.change(lambda passed: gr.Tabs(selected=tab_of(service, passed["ticket"])), passed_on, tabs, **QUIET)
        build_endpoints(service)

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
            service.cache.session_closed(request.session_hash)

        demo.unload(closed)

        demo.begin_with = explore.begin_with
    return demo


# Starting


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


def open_service(
    runs: Sequence[str] = (),
    model: str | None = None,
    adapters: str | None = None,
    shown: Sequence[Path] = (),
    key: Key | None = None,
) -> Service:
    """Runs are kept in a library on a person's machine, and for the time of a visit on a server.

    The library has what lies below `runs`, of which the first takes the new ones, and what is `shown`. Raises
    DamagedRun for scores that cannot be read.
    """
    if IS_HOSTED:
        decoder_pool.use(decoder_pool.Decoders())  # early, while they cost nobody time
        each = KeptLimits(VISITOR_RUNS, VISITOR_KEPT_BYTES, PEOPLE_AT_ADDRESS)
        together = megabytes("ATTENTION_KEPT_MB", HOSTED_KEPT_MB)
        cache = RunCache(user_cache_folder() / "sessions", library=False, byte_limit=together, visitor_limits=each)
    else:
        first, *others = [*map(Path, runs)] or [user_cache_folder() / "runs"]
        cache = RunCache(first, library=True, more_roots=[*others, *shown], index=user_cache_folder() / "library")
    if cache.shelves is not None:
        cache.shelves.look(0)  # the first look at many runs takes long
    adapters_dir = Path(adapters) if adapters else None
    scores = [folder for folder in shown if has_scores(folder)]
    return new_service(cache, is_hosted=IS_HOSTED, model=model, adapters_dir=adapters_dir, key=key, scores=scores)


def new_service(
    cache: RunCache,
    *,
    is_hosted: bool,
    model: str | None = None,
    adapters_dir: Path | None = None,
    key: Key | None = None,
    scores: Sequence[Path] = (),
) -> Service:
    """The service of this app: jobs run by `run_job`, adapters found by `adapters`."""

    def find_adapters(
        wanted: list[dict], model_id: str, watch: Callable[[int, int], None], may_be_models: bool
    ) -> list[dict]:
        from adapters.choosing import choose, choose_members
        from adapters.comparing import choice_to_job

        asked = wanted, model_id, None, adapters_dir, is_hosted, watch
        if not may_be_models:
            return [choice_to_job(choice) for choice in choose(*asked)]
        return [choice_to_job(choice) for choice in choose_members(*asked, service.offered())]

    run = run_elsewhere if is_zero_gpu() else run_job
    service = Service(
        cache, run, is_hosted=is_hosted, model=model, adapters_dir=adapters_dir, find_adapters=find_adapters,
        key=key, scores=scores, limits=server_limits() if is_hosted else None,
        export_bytes=megabytes("ATTENTION_EXPORT_MB", HOSTED_EXPORT_MB) if is_hosted else None,
    )  # fmt: skip
    return service


def theme() -> gr.themes.Base:
    """Gradio's own, with bold letters in place of its half-bold ones: those files lack most of the alphabet."""
    text, code = (gr.themes.LocalFont(name, weights=(400, 700)) for name in ("Source Sans Pro", "IBM Plex Mono"))
    return gr.themes.Default(
        font=(text, "ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=(code, "ui-monospace", "Consolas", "monospace"),
    )


def launch(service: Service, allowed_hosts: Sequence[str] = (), **settings) -> SpokenBlocks:
    """Start the server. Whatever differs between a person's start, a Space's and a test's is in `settings`.

    On a person's own machine it answers under its own names, and those of `allowed_hosts`; a Space has no library.
    Raises InvalidRequest for a `root_path` that is none.
    """
    root_path, names = checked_root_path(settings.pop("root_path", None) or os.environ.get("GRADIO_ROOT_PATH", ""))
    allowed_hosts = [*allowed_hosts, *names]
    if is_zero_gpu():  # weights that are loaded before the launch are kept packed, and are on the device at once
        import adapters.comparing  # noqa: F401 - a job is a fork of this process, and imports on its visitor's time
        from attention.models import kept
        from attention.models import loading as models

        kept.keep_always(models.load(service.default_model()))
    gallery = Gallery.of_environment()
    demo = build(service, open_examples(service.cache, EXAMPLES), open_comparisons(service.cache))
    # it only hands requests on, jobs too: `visitors.turns` decides on those, and refuses in words
    demo.queue(max_size=1000, default_concurrency_limit=8, api_open=False)
    demo.reads_addresses = not service.is_hosted
    demo.is_open = lambda session: service.presence.is_held((STREAM, session))
    hosts = Hosts(settings.get("server_name") or os.environ.get("GRADIO_SERVER_NAME"), allowed_hosts)
    library = library_routes(service, lambda ticket: manifest_of(service, ticket))
    shown = Shown()
    limits = UploadLimits.of_environment()
    most = limits.one_file if service.is_hosted else service.zip_bytes
    own = [upload_route(service, most)] if service.is_hosted else [shown.route()]
    more = [*own, *library, *scores_routes(service)]
    served: dict[str, Any] = {"routes": routes(service.cache.run, more, service.room_for_export)}
    served["middleware"] = [
        Middleware(Policy, frames=frames(service.is_hosted, allowed_hosts)),
        Middleware(Login),
        Middleware(Connections, presence=service.presence),
    ]
    if service.is_hosted:
        room = functools.partial(service.cache.upload_room, most=limits.together)
        served["middleware"] += [
            Middleware(Uploads, room=room, limits=limits), Middleware(Calls, waiting=demo.waiting_calls)
        ]  # fmt: skip
    else:
        served["middleware"].append(Middleware(Access, hosts=hosts, key=service.key))
    demo.launch(
        prevent_thread_lock=True, app_kwargs=served, css_paths=[ASSETS / "app.css"],
        theme=theme(), root_path=root_path,
        ssr_mode=False, run_history=False, show_error=False, enable_monitoring=False, footer_links=["api"],
        allowed_paths=[], max_file_size=most, max_threads=REQUESTS_AT_ONCE, **settings,
    )  # fmt: skip
    if not service.is_hosted:
        shown_by(lambda found: shown.address(demo, found), allowed_hosts)
    if demo.share_url:
        hosts.allow(urlsplit(demo.share_url).hostname or "")
    service.load()  # only now: the page is there sooner than torch
    if gallery is not None:
        gallery.begin(service.cache, demo.show_first)
    return demo


def addresses(service: Service, address: str, shown: Sequence[Path]) -> list[tuple[str, str]]:
    """The links that a person is told of: the page with the library, or each folder that is to be shown.

    Of a folder with several runs it is the newest one. Raises InvalidRequest where there is none.
    """
    page = address.rstrip("/") + "/" + (f"?{urlencode({KEY: service.key.value})}" if service.key.value else "")
    if not shown:
        return [("With your kept runs", page)] if service.key.value and not service.is_hosted else []
    links = []
    for folder in shown:
        if has_scores(folder):
            links.append((folder.name, f"{page}#scores"))
            continue
        library = Library([folder], user_cache_folder() / "library")
        library.look()
        line = next(iter(library.lines()), None)
        if line is None:
            raise InvalidRequest(f"There is no finished run in {shown_path(folder)}.")
        name = "run" if line.row["kind"] == "run" else "compare"
        links.append((folder.name, f"{page}#{urlencode({name: line.row['id']})}"))
    return links


def own_uploads() -> ProcessFolder:
    """Give Gradio a folder for uploads that is this process's own, below the one that the environment names, if any.

    Gradio's usual one is shared: the end of one app would take the files of another. What a process that was killed has
    left is removed.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    root = Path(named).absolute() if named else user_cache_folder() / "uploads"
    own = ProcessFolder(root)
    remove_abandoned(root)
    os.environ["GRADIO_TEMP_DIR"] = str(own.path)
    return own


def main() -> None:
    parser = argparse.ArgumentParser(description="See what a vision-language model reads from.")
    parser.add_argument("shown", nargs="*", metavar="RUN", help="folder of a run, of several, or of scores, to open")
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860 on)")
    parser.add_argument("--model", help="model to begin with: pocket, a Hub id or a folder")
    parser.add_argument(
        "--runs", action="append", default=[], metavar="DIR",
        help="folder below which finished runs are kept; repeated, the first takes the new ones",
    )  # fmt: skip
    parser.add_argument("--adapters", help="folder below which your adapters lie")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="another name under which the app is reached: a proxy's, or this machine's in your network",
    )  # fmt: skip
    parser.add_argument("--no-key", action="store_true", help="show kept runs to everybody who reaches the app")
    parser.add_argument(
        "--root-path", metavar="PATH",
        help="where a proxy in front has the app: /lens, or https://lab.example/lens, under whose name it then answers",
    )  # fmt: skip
    parser.add_argument(
        "--auth-file", type=Path, metavar="FILE",
        help="let in only who is named in FILE, a line name:password for each; all else is behind that login: page, "
        "runs, library, uploads",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    shown = [Path(folder).resolve() for folder in options.shown]
    for folder in shown:
        if not folder.is_dir():
            parser.exit(2, f"There is no folder {shown_path(folder)}.\n")
    key = Key() if options.no_key or IS_HOSTED else kept_key(user_cache_folder())
    uploads = None
    try:
        service = open_service(options.runs, options.model, options.adapters, shown, key)
        uploads = own_uploads()
    except OSError as error:
        parser.exit(2, f"Runs cannot be kept in {error.filename}: {error.strerror}. Name another folder with --runs.\n")
    except AttentionError as error:
        parser.exit(1, f"{error}\n")
    try:
        addresses(service, "", shown)  # what there is not is said before anything is started
        demo = launch(
            service, options.allow_host, server_name=options.host, server_port=options.port, quiet=True,
            root_path=options.root_path, auth=read_accounts(options.auth_file) if options.auth_file else None,
        )  # fmt: skip
        print(f"VLM Attention Viz is at {demo.local_url} (Ctrl-C ends it)", flush=True)
        links = addresses(service, demo.root_path if "://" in demo.root_path else demo.local_url, shown)
        for name, link in links:
            print(f"{name}: {link}", flush=True)
        if options.open:
            webbrowser.open(links[0][1] if links else demo.local_url)
        demo.block_thread()
    except AttentionError as error:  # an address that is none, a model that cannot be had
        parser.exit(2 if isinstance(error, InvalidRequest) else 1, f"{error}\n")
    except OSError as error:  # the port is taken, the address is not ours
        parser.exit(1, f"{error}\n")
    finally:
        service.close()
        if uploads is not None:
            uploads.remove()


if __name__ == "__main__":
    main()

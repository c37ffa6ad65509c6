"""The app: how it is started, and the one function that runs a model.

The page and the server are in `attention.page`; `attention.visitors` makes and keeps runs, `attention.serving` answers
the viewer, `attention.exports` writes files. No tensors and no HTML here.
"""

import spaces  # isort: skip - on ZeroGPU nothing may touch CUDA before this

import argparse
import logging
import os
import platform
import sys
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

if platform.machine() in ("x86_64", "AMD64"):  # elsewhere torch may use OpenBLAS too
    # NumPy only reads runs here, in many threads at once: more threads in each of them cost more than they give
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import attention.page.gradio_import  # noqa: F401  # isort: skip - before anything else imports Gradio

from attention import decoder_pool
from attention.capture.handed_over import handed_over, taken_over
from attention.environment import is_hosted, is_zero_gpu, user_cache_folder
from attention.errors import AttentionError, InvalidRequest, shown_path
from attention.limits import (
    HOSTED_EXPORT_MB,
    HOSTED_KEPT_MB,
    PEOPLE_AT_ADDRESS,
    VISITOR_KEPT_BYTES,
    VISITOR_RUNS,
    Limits,
)
from attention.models.hub_login import HubLogin
from attention.page.agents import check_tools, settings_for_agents
from attention.page.jobs import do_job
from attention.page.launch import launch
from attention.page.links import addresses
from attention.page.uploads import own_uploads
from attention.serving.login import read_accounts
from attention.serving.uploads import UploadLimits, megabytes
from attention.visitors.budget import KeptLimits
from attention.visitors.key import Key, kept_key
from attention.visitors.scores import has_scores
from attention.visitors.service import Service
from attention.visitors.store import RunCache
from attention.visitors.zero_gpu import asked_seconds, run_on_zero_gpu

IS_HOSTED = is_hosted()


# The job


def server_limits() -> Limits:
    """Limits of a server's runs, as its environment has them."""
    return replace(Limits.hosted(), picture_bytes=UploadLimits.of_environment().picture)


def gpu_seconds(job: dict, prepared: Any = None) -> int:
    """Seconds that a job may hold a ZeroGPU device. Raises LimitExceeded, with the numbers, for more than it may."""
    return asked_seconds(job)


@spaces.GPU(duration=gpu_seconds)
def run_job(job: dict, prepared: Any = None) -> dict:
    """Do a job; see `attention.page.jobs.do_job`.

    On ZeroGPU this is another process: only plain data go in and come out, errors too, and inputs are made again, of
    the pictures and frames that were handed over as `opened`.
    """
    with taken_over(job["request"]["images"], job["opened"]) if "opened" in job else nullcontext():
        return do_job(job, prepared, server_limits() if IS_HOSTED else None)


def run_elsewhere(job: dict, prepared: Any) -> dict:
    """Run a job in another process, to which pictures go decoded: no stranger's file is read while it holds a GPU."""
    with handed_over(prepared.pictures, prepared.videos, Path(job["partial"]).with_suffix(".opened")) as opened:
        return run_on_zero_gpu(run_job, job | {"opened": opened}, None)


# Starting


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
        wanted: list[dict], model_id: str, watch: Callable[[int, int], None], may_be_models: bool,
        login: HubLogin | None,
    ) -> list[dict]:  # fmt: skip
        from adapters.choosing import choose, choose_members
        from adapters.comparing import choice_to_job

        asked = wanted, model_id, None, adapters_dir, is_hosted, watch
        if not may_be_models:
            return [choice_to_job(choice) for choice in choose(*asked, login)]
        return [choice_to_job(choice) for choice in choose_members(*asked, service.offered(), login)]

    run = run_elsewhere if is_zero_gpu() else run_job
    service = Service(
        cache, run, is_hosted=is_hosted, model=model, adapters_dir=adapters_dir, find_adapters=find_adapters,
        key=key, scores=scores, limits=server_limits() if is_hosted else None,
        export_bytes=megabytes("ATTENTION_EXPORT_MB", HOSTED_EXPORT_MB) if is_hosted else None,
    )  # fmt: skip
    return service


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
    parser.add_argument(
        "--mcp", action="store_true", help="offer tools to agents on this machine, over the Model Context Protocol"
    )
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
        if options.mcp:
            check_tools(options.host, IS_HOSTED, options.auth_file is not None, key.value is not None)
        addresses(service, "", shown)  # what there is not is said before anything is started
        demo = launch(
            service, options.allow_host, options.mcp, server_name=options.host, server_port=options.port, quiet=True,
            root_path=options.root_path, auth=read_accounts(options.auth_file) if options.auth_file else None,
        )  # fmt: skip
        print(f"VLM Attention Viz is at {demo.local_url} (Ctrl-C ends it)", flush=True)
        links = addresses(service, demo.root_path if "://" in demo.root_path else demo.local_url, shown)
        for name, link in links:
            print(f"{name}: {link}", flush=True)
        if options.mcp:
            print(f"For agents: {settings_for_agents(service, demo.local_url)}", flush=True)
        if options.open:
            webbrowser.open(links[0][1] if links else demo.local_url)
        demo.block_thread()
        code, words = 0, ""
    except AttentionError as error:  # an address that is none, a model that cannot be had
        code, words = 2 if isinstance(error, InvalidRequest) else 1, f"{error}\n"
    except OSError as error:  # the port is taken, the address is not ours
        code, words = 1, f"{error}\n"
    finally:
        service.close()
        if uploads is not None:
            uploads.remove()
    if service.is_at_work:  # it imports PyTorch, or is in a model's layer: no thread of a closing Python survives that
        sys.stderr.write(words)
        sys.stdout.flush()
        os._exit(code)
    if code:
        parser.exit(code, words)


if __name__ == "__main__":
    main()

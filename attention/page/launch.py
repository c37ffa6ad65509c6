"""The server: the page, the routes of the viewer, and what every request passes on its way to them."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from starlette.middleware import Middleware

from attention.environment import ASSETS, EXAMPLES, is_zero_gpu
from attention.exports.html.notebook import shown_by
from attention.picture_memory import few_heaps
from attention.serving.access import Access, Hosts, checked_root_path
from attention.serving.calls import Calls
from attention.serving.connections import Connections
from attention.serving.library import library_routes
from attention.serving.login import Login
from attention.serving.own_pages import OwnPages
from attention.serving.policy import Policy, frames
from attention.serving.routes import routes
from attention.serving.scores import scores_routes
from attention.serving.shown import Shown
from attention.serving.uploads import UploadLimits, Uploads
from attention.visitors.gallery import Gallery, open_comparisons, open_examples
from attention.visitors.presence import STREAM
from attention.visitors.service import Service

from .agents import show_tools_alone
from .calls import SpokenBlocks
from .manifests import manifest_of
from .uploads import upload_route
from .whole import build

REQUESTS_AT_ONCE = 240  # that Gradio has in hand: the jobs that may wait are some of them


def theme() -> gr.themes.Base:
    """Gradio's own, with bold letters in place of its half-bold ones: those files lack most of the alphabet."""
    text, code = (gr.themes.LocalFont(name, weights=(400, 700)) for name in ("Source Sans Pro", "IBM Plex Mono"))
    return gr.themes.Default(
        font=(text, "ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=(code, "ui-monospace", "Consolas", "monospace"),
    )


def launch(
    service: Service, allowed_hosts: Sequence[str] = (), has_tools: bool = False, **settings: Any
) -> SpokenBlocks:
    """Start the server. Whatever differs between a person's start, a Space's and a test's is in `settings`.

    On a person's own machine it answers under its own names, and those of `allowed_hosts`, and agents where it
    `has_tools` for them; a Space has no library.
    Raises InvalidRequest for a `root_path` that is none.
    """
    root_path, names = checked_root_path(settings.pop("root_path", None) or os.environ.get("GRADIO_ROOT_PATH", ""))
    allowed_hosts = [*allowed_hosts, *names]
    if service.is_hosted:
        few_heaps()
    if is_zero_gpu():  # weights that are loaded before the launch are kept packed, and are on the device at once
        import adapters.comparing  # noqa: F401 - a job is a fork of this process, and imports on its visitor's time
        from attention.models import kept
        from attention.models import loading as models

        kept.keep_always(models.load(service.default_model()))
    gallery = Gallery.of_environment()
    demo = build(service, open_examples(service.cache, EXAMPLES), open_comparisons(service.cache, EXAMPLES), has_tools)
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
    if service.offers_login:
        served["middleware"].append(Middleware(OwnPages))
    if service.is_hosted:
        room = functools.partial(service.cache.upload_room, most=limits.together)
        served["middleware"] += [
            Middleware(Uploads, room=room, limits=limits), Middleware(Calls, waiting=demo.waiting_calls)
        ]  # fmt: skip
    else:
        served["middleware"].append(Middleware(Access, hosts=hosts, key=service.key))
    demo.launch(
        prevent_thread_lock=True, app_kwargs=served, css_paths=[ASSETS / "app.css"],
        _frontend=False,  # asked once whether the page answers within 3 s, Gradio would not start on a busy machine
        theme=theme(), root_path=root_path,
        ssr_mode=False, run_history=False, show_error=False, enable_monitoring=False, footer_links=["api"],
        allowed_paths=[], max_file_size=most, max_threads=REQUESTS_AT_ONCE, mcp_server=has_tools, **settings,
    )  # fmt: skip
    if has_tools:
        show_tools_alone(demo)
    if not service.is_hosted:
        shown_by(lambda found: shown.address(demo, found), allowed_hosts)
    if demo.share_url:
        hosts.allow(urlsplit(demo.share_url).hostname or "")
    service.load()  # only now: the page is there sooner than torch
    if gallery is not None:
        gallery.begin(service.cache, demo.show_first)
    return demo

"""The foot of the page on a Space: what a run costs a visitor, what costs nothing, and a Space of their own."""

from __future__ import annotations

import functools
import logging
from dataclasses import asdict

import gradio as gr

from attention.environment import EXAMPLES
from attention.errors import AttentionError
from attention.limits import Limits
from attention.request import Request
from attention.visitors.service import Service
from attention.visitors.zero_gpu import asked_seconds

from .logins import build_login

FREE = "Examples, finished runs and zips can be looked at without limit."
QUOTA = (
    "A run like the first example asks for up to {seconds} s of GPU time, of which what it used counts. ZeroGPU gives "
    "each visitor an amount a day, more with a login to the Hub ([how much]"
    "(https://huggingface.co/docs/hub/spaces-zerogpu#usage-and-quotas)). {free}"
)


def build_foot(service: Service) -> gr.Markdown:
    """Build the foot, with a login where one is offered; return its text, which can say more once it is known."""
    with gr.Row(elem_id="foot"):
        gr.DuplicateButton("Duplicate this Space", variant="secondary", scale=0, min_width=160)
        if service.offers_login:
            build_login()
        return gr.Markdown(FREE)


def quota_words(seconds: int | None) -> str:
    """Words on a run of so many seconds, where runs count against a visitor's day; None where that is not known."""
    return FREE if seconds is None else QUOTA.format(seconds=seconds, free=FREE)


@functools.cache
def seconds_of_example(model: str, limits: Limits | None) -> int:
    """Seconds that a run of one of the examples asks for. Raises AttentionError where none can be made."""
    from attention.capture.forecast import forecast

    asked = Request((EXAMPLES / "window.png",), "click Save", model, mode="generate", vision=False)
    expected = forecast(asked, limits)
    assert expected.work is not None  # `forecast` says it
    return asked_seconds({"work": asdict(expected.work), "adapters": [], "words": None})


def usual_seconds(service: Service) -> int | None:
    """The same with the model that comes first, computed once and not for each page; None where none can be made."""
    try:
        return seconds_of_example(service.default_model(), service.limits)
    except AttentionError as error:
        logging.getLogger("app").warning("What a run costs is not said: %s", error)
        return None

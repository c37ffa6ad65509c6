"""A visitor's own login to the Hub: its button, and the login that came with a call.

Gradio does the rest (`gr.LoginButton`): the login is in a signed cookie of the visitor's browser, nowhere here.
"""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from gradio.context import get_blocks_context

from attention.models.hub_login import HubLogin
from attention.visitors.service import Service

from . import QUIET


class LoginButton(gr.LoginButton):
    """The button, whose look at the page's cookie is no endpoint for scripts."""

    def get_block_name(self) -> str:
        return "button"  # as the page draws it

    def attach_load_event(self, callable: Callable, every=None, inputs=None) -> None:  # noqa: A002 - Gradio's name
        page = get_blocks_context().root_block
        page.load(callable, None, self, queue=False, **QUIET)


def build_login() -> LoginButton:
    """The button, which logs in, and out again."""
    return LoginButton(
        "Log in for private and gated adapters", logout_value="Log out ({})", variant="secondary", size="sm", scale=0,
        min_width=250,
    )  # fmt: skip


def login_of(service: Service, given: gr.OAuthToken | None) -> HubLogin | None:
    """The login that came with a call; one without a token where nobody has logged in, None where none is offered."""
    return HubLogin(given.token if given is not None else None) if service.offers_login else None


def private_words(service: Service) -> str:
    """A remark on adapters of the Hub: which need a login, where one is offered."""
    return " (private and gated ones too, after a login at the foot of the page)" if service.offers_login else ""

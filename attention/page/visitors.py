"""Visitors as Gradio's requests name them: by session, address, and the stream on which they listen."""

from __future__ import annotations

import gradio as gr
from gradio.context import LocalContext

from attention.client_address import address_of
from attention.visitors.presence import Visitor


def visitor_of(request: gr.Request) -> Visitor:
    """The visitor who sent a request. Whoever calls without a session is one for each call."""
    event = LocalContext.event_id.get(None)
    names = frozenset(name for name in (request.session_hash, event) if name)
    client = request.client
    address = address_of(request.headers, (client.host, client.port) if client else None)
    return Visitor(request.session_hash or event or "", address, names)


def visitor_here() -> Visitor:
    """The visitor whose call is being answered now."""
    request = LocalContext.request.get(None)
    return visitor_of(request) if isinstance(request, gr.Request) else Visitor("")

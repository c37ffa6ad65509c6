"""Gradio, imported without what this app has no use for: type stubs, an event loop for each lock, a table of calls.

Imported by `app.py` before anything that imports Gradio.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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

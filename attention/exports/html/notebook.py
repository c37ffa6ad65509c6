"""A run or a comparison as the output of a notebook's cell: its HTML file in a frame that is let do nothing else.

What a cell shows is saved in the notebook: it holds the rows of words alone, and less where that is too large. While an
app runs in the notebook's process the frame is the app's own page of it, with all rows, of which the notebook saves the
address alone.
"""

from __future__ import annotations

import html
from collections.abc import Callable

from attention.comparisons.comparison import Comparison
from attention.errors import AttentionError
from attention.runs.run import Run

from .page import html_file

MEGABYTES = 5
HEIGHT_PX = 880

Found = Run | Comparison
_addresses: list[Callable[[Found], str | None]] = []  # of the app that was launched last in this process


def shown_by(address: Callable[[Found], str | None]) -> None:
    """Let an app in this process show runs: `address` gives the address of one, None once the app is closed."""
    _addresses[:] = [address]


def notebook_html(found: Found) -> str:
    """A frame that shows it, as HTML; or in words why it cannot be shown."""
    served = next((address for each in _addresses if (address := each(found)) is not None), None)
    if served is not None:
        return _frame(found, f'src="{html.escape(served)}"')
    try:
        made = html_file(found, megabytes=MEGABYTES, only_words=True)
    except AttentionError as error:
        return f"<p>{html.escape(str(error))}</p>"
    return _frame(found, f'srcdoc="{html.escape(made.text)}"')


def _frame(found: Found, content: str) -> str:
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" width="100%" height="{HEIGHT_PX}" style="border: 0" '
        f'title="{found.kind}" {content}></iframe>'
    )

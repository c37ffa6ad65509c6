"""A run or a comparison as the output of a notebook's cell: its HTML file in a frame that is let do nothing else.

What a cell shows is saved in the notebook: it holds the rows of words alone, and less where that is too large.
"""

from __future__ import annotations

import html

from attention.comparisons.comparison import Comparison
from attention.errors import AttentionError
from attention.runs.run import Run

from .page import html_file

MEGABYTES = 5
HEIGHT_PX = 880


def notebook_html(found: Run | Comparison) -> str:
    """A frame that shows it, as HTML; or in words why it cannot be shown."""
    try:
        made = html_file(found, megabytes=MEGABYTES, only_words=True)
    except AttentionError as error:
        return f"<p>{html.escape(str(error))}</p>"
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" width="100%" height="{HEIGHT_PX}" style="border: 0" '
        f'title="{found.kind}" srcdoc="{html.escape(made.text)}"></iframe>'
    )

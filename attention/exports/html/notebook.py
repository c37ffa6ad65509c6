"""A run or a comparison as the output of a notebook's cell: its HTML file in a frame that is let do nothing else.

What a cell shows is saved in the notebook: it holds the rows of words alone, and less where that is too large. While an
app runs in the notebook's process the frame is the app's own page of it, with all rows, of which the notebook saves the
address alone. That address is one of the kernel's machine. Where the kernel is known to run elsewhere than the browser,
the file is shown; where only the browser finds out, it says so in the frame's place.
"""

from __future__ import annotations

import html
import json
import os
import secrets
from collections.abc import Callable, Iterable

from attention.comparisons.comparison import Comparison
from attention.errors import AttentionError
from attention.runs.run import Run

from .page import html_file

MEGABYTES = 5
HEIGHT_PX = 880

# environments of kernels whose notebooks are read on another machine
ELSEWHERE = (
    *("JUPYTERHUB_API_URL", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "DATABRICKS_RUNTIME_VERSION"),
    *("SAGEMAKER_INTERNAL_IMAGE_URI", "SSH_CONNECTION"),
)
LOCAL = ("localhost", "127.0.0.1")  # names of pages that the app lets frame its own
NOT_REACHED = (
    "The app that shows this runs on the kernel's machine, which this browser does not reach. To show it without the "
    "app: from IPython.display import HTML; HTML(attention.notebook_html(run, alone=True))"
)
# In the notebook's page: a frame of another machine stays blank, and says nothing of it.
PROBE = """(async () => {
  const { frame, near, names, words } = %s;
  try {
    if (location.protocol !== "vscode-webview:" && !names.includes(location.hostname)) throw 0;
    await fetch(near, { mode: "no-cors" });
  } catch {
    const said = document.createElement("p");
    said.textContent = words;
    document.getElementById(frame)?.replaceWith(said);
  }
})();"""

Found = Run | Comparison
Address = Callable[[Found], str | None]
_apps: list[tuple[Address, tuple[str, ...]]] = []  # of the app that was launched last in this process


def shown_by(address: Address, names: Iterable[str] = ()) -> None:
    """Let an app in this process show runs: `address` gives the address of one, None once the app is closed.

    `names` are those of pages, besides this machine's own, that the app lets frame its own.
    """
    _apps[:] = [(address, (*LOCAL, *names))]


def notebook_html(found: Found, alone: bool = False) -> str:
    """A frame that shows it, as HTML; or in words why it cannot be shown. `alone`: without an app, where one runs."""
    if not alone and not any(os.environ.get(name) for name in ELSEWHERE):
        for address, names in _apps:
            if (served := address(found)) is not None:
                return _served(found, served, names)
    try:
        made = html_file(found, megabytes=MEGABYTES, only_words=True)
    except AttentionError as error:
        return f"<p>{html.escape(str(error))}</p>"
    return _frame(found, f'srcdoc="{html.escape(made.text)}"')


def _served(found: Found, address: str, names: tuple[str, ...]) -> str:
    name = f"attention-{secrets.token_hex(8)}"
    near = address.rpartition("/")[0]  # where nothing is, which is said at once
    said = json.dumps({"frame": name, "near": near, "names": names, "words": NOT_REACHED}).replace("<", "\\u003c")
    frame = _frame(found, f'id="{name}" src="{html.escape(address)}"')
    return f"{frame}<script>{PROBE % said}</script>"


def _frame(found: Found, content: str) -> str:
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" width="100%" height="{HEIGHT_PX}" style="border: 0" '
        f'title="{found.kind}" {content}></iframe>'
    )

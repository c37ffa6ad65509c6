"""The components of our own: what Gradio is told of them, and how the page loads their modules.

Owns no number and no route: a component's value is a small manifest, and everything else is read from the routes.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import gradio as gr

from attention.serving.responses import PREFIX
from attention.viewer_files import BUNDLE, file_text, styles, template, viewer_files

MANIFEST_BYTES = 2048
ASK_STYLES = "ask.css"


# Not async: Gradio runs this as a plain function. What goes wrong is written into the component: Gradio only logs it.
_ON_LOAD = """
/* events: 'select', 'delete', 'expand' */
const folder = window.gradio_config.root + '%s/assets/%s/';
import(folder + '%s').then(({ entries }) => {
  entries['%s'].mount({ element, props, watch, trigger, upload });
}).catch((error) => {
  const place = element.querySelector('.av-message') || element;
  place.textContent = 'The viewer could not be loaded (' + error.message + '). Reload the page.';
  console.error(error);
});
"""


class Mounted(gr.HTML):
    """A component made of a template and a module of assets/viewer/, which exports `mount`."""

    TEMPLATE: ClassVar[str]
    MODULE: ClassVar[str]

    def __init__(self, value: Any = None, **kwargs):
        digest, _ = viewer_files()
        super().__init__(
            value,
            html_template=template(self.TEMPLATE),
            css_template=self.styles(),
            js_on_load=_ON_LOAD % (PREFIX, digest, BUNDLE, self.MODULE),
            apply_default_css=False,
            **kwargs,
        )

    def styles(self) -> str:
        return file_text(ASK_STYLES)


class _Canvas(Mounted):
    """A page of canvases. Its value is None or a manifest."""

    KIND: ClassVar[str]

    def styles(self) -> str:
        return styles()

    def preprocess(self, payload: dict | None) -> dict | None:
        return payload

    def postprocess(self, value: dict | None) -> dict | None:
        assert value is None or len(json.dumps(value)) <= MANIFEST_BYTES, (
            "numbers travel over the routes, not in the value"
        )
        return value

    def api_info(self) -> dict:
        return {"type": "object", "description": f"id, ticket and kind of the {self.KIND} on screen"}

    def example_payload(self) -> dict:
        return {"id": "example", "ticket": "example", "kind": self.KIND}

    def example_value(self) -> None:
        return None


class AttentionViewer(_Canvas):
    """The canvas that shows a run.

    Its value is a manifest: None, or {id, ticket, kind: "run"} and optionally view: {layer, head, query}, where to
    begin (`layer` and `head` a number, "mean" or "max"). Everything else the page reads from the routes. The event
    `select` is sent when a person chose another token, layer or head, with {layer, head, query, token}.
    """

    TEMPLATE, MODULE, KIND = "run.html", "run.js", "run"


class ComparisonViewer(_Canvas):
    """The canvases that set a base and its adapters against each other, on the same tokens.

    Its value is a manifest: None, or {id, ticket, kind: "comparison"} and optionally view: {layer, head, query,
    adapter, measure}, where to begin (`adapter` counts from 0). The event `select` is sent when a person chose another
    token, layer, head, pair or measure, with {layer, head, query, token, left, right, names, measure, of}; `left` and
    `right` are members, 0 the base.
    """

    TEMPLATE, MODULE, KIND = "comparison.html", "comparison.js", "comparison"


class LibraryPanel(_Canvas):
    """The list of kept runs, or comparisons, which reads them from the library's routes.

    Its value is {kind, changed}: another number means that there is something new. The event `select` is sent with
    {ticket} when a person opens one, `expand` when it is to be set beside the one on screen, `delete` when one was
    deleted.
    """

    TEMPLATE, MODULE, KIND = "library.html", "library.js", "library"


class ScorePanel(_Canvas):
    """Scores of models over a set, read from the scores' routes.

    Its value is {names}: what the folders are called, in their order. The event `select` is sent with {scores, item,
    model} when a person opens an item's kept run, `expand` with the same when it is to be set beside the base's.
    """

    TEMPLATE, MODULE, KIND = "scores.html", "scores.js", "scores"

    def styles(self) -> str:
        return file_text("scores.css")

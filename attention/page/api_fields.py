"""Fields of the endpoints, each a row: those of a request and an export, and those that only endpoints have.

Knows no component and no endpoint.
"""

from __future__ import annotations

from dataclasses import replace

from attention.comparisons.asked_beside import FLOORS_WORDS, PARAPHRASES_WORDS, PARTS_WORDS
from attention.drawing.look import LOOK_FIELDS
from attention.exports import wanted
from attention.fields import Field
from attention.kinds.table import KINDS
from attention.kinds.table import fields as kinds_fields
from attention.request import FIELDS

OF_A_COMPARISON = {  # besides a request's
    "adapters": Field(
        "adapters", list, None,
        'one to twelve adapters: their names, with "=strength" where it is not 1, or {id, scale, rename, alone} each',
    ),
    "words": Field(
        "words", str, "base", "answer that all read: base, an adapter's number (from 1), or own: each its own"
    ),
}  # fmt: skip
BESIDE_A_COMPARISON = {  # what is measured beside the change
    "floors": Field("floors", list, None, FLOORS_WORDS),
    "paraphrases": Field("paraphrases", list, None, PARAPHRASES_WORDS),
    "parts": Field("parts", bool, False, PARTS_WORDS),
}
OF_AN_EXPORT = {  # besides an export's
    "ticket": Field("ticket", str, None, "ticket of a run or a comparison, from /analyze, /compare, /open or /runs"),
    "format": Field(
        "format", str, "npz",
        "npz: row and map in numbers; csv: map as a table; png, svg, pdf: map on its picture; card: that, question, "
        "answer and all layers and heads, to show others; dense, bin: whole layers; zip: the whole folder",
        "npz|csv|png|svg|pdf|card|dense|bin|html|zip",
    ),
    "look": Field(
        "look", dict, None,
        f"how png, svg, pdf and card are drawn, settings by name: {', '.join(LOOK_FIELDS)}",
    ),
    "member": Field("member", str, None, "of a comparison one run, as if it were alone: base, adapter_1, ..."),
}  # fmt: skip
OTHERS = {
    "tickets": Field("tickets", list, None, "tickets of two runs or more, from /analyze, /open or /runs"),
    "names": Field("names", list, None, "what they are called, one text each (default: what tells them apart)"),
    "rename": replace(FIELDS["adapter_rename"], name="rename"),
    "alone": replace(FIELDS["adapter_alone"], name="alone"),
    "file": Field("file", tuple, None, "zip of a run or a comparison, sent with gradio_client.handle_file"),
}
IMAGES = "one picture file or a list of them, in order, each sent with gradio_client.handle_file"
VIDEOS = "one video file, or a list of pictures: the frames of one video, each sent with gradio_client.handle_file"
ONE_MAP = {  # of a heatmap, which is always one
    "layer": Field("layer", int | str, "mean", "layer, by its index in the model, or mean or max over all"),
    "head": Field("head", int | str, "mean", "attention head, or mean or max over all"),
}
OF_A_REGION = {
    "box": Field("box", list, None, "box to measure: [x0, y0, x1, y1], in pixels of its picture"),
    "point": Field("point", list, None, "point instead, [x, y]: the cell that it lies in counts"),
    "answer": Field("answer", bool, False, "the first place that the answer names instead"),
    "image": Field("image", int, 0, "picture that box or point lies on, from 0"),
    "by": Field("by", str, None, "order of heads of a comparison: change, or share", "change|share"),
    "top": Field("top", int, 10, "heads that are listed"),
}
OF_A_TRIAL = {  # what the answer is tried without
    "box": Field("box", list, None, "box to hide: [x0, y0, x1, y1], in pixels of its picture"),
    "point": Field("point", list, None, "point instead, [x, y]: the cell that it lies in is hidden"),
    "answer": OF_A_REGION["answer"],
    "image": OF_A_REGION["image"],
    "heads": Field(
        "heads", list, None, "heads to silence together instead, of the tower that reads pictures: [[layer, head], ...]"
    ),
    "top_heads": Field("top_heads", int, None, "how many heads of the largest forecast to silence instead"),
    "paint": Field(
        "paint", str, "none", "paint the region over as well, in the mean colour or blurred, and read it again",
        "none|mean|blur",
    ),
    "silence": Field("silence", str, "zero", "what silent heads give: 0, or their mean over this run", "zero|mean"),
    "coordinates": FIELDS["coordinates"],
    "seed": Field("seed", int, 0, "of the controls that are drawn"),
}  # fmt: skip
OF_A_READING = {  # what is asked of a finished run
    "kind": Field("kind", str, "forecast", "what is asked", "|".join(KINDS)),
    **kinds_fields(),
    "member": Field("member", str, None, "of a comparison one run: base, adapter_1, ... (default: each)"),
}
EXAMPLES = {  # of what must be given
    "ticket": "example-shapes", "adapter": "owner/name", "tickets": ["example-shapes", "example-window"],
}  # fmt: skip


def parameters() -> dict[str, Field]:
    """Every parameter of an endpoint by its name."""
    files = {name: replace(FIELDS[name], words=words) for name, words in (("images", IMAGES), ("videos", VIDEOS))}
    return FIELDS | wanted.FIELDS | OF_A_COMPARISON | BESIDE_A_COMPARISON | OF_AN_EXPORT | OTHERS | files

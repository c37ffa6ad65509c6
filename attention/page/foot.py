"""The foot of the page on a Space: what a run costs a visitor, what costs nothing, and a Space of their own."""

from __future__ import annotations

import gradio as gr

FREE = "Examples, finished runs and zips can be looked at without limit."
QUOTA = (
    "A run like the first example asks for up to {seconds} s of GPU time, of which what it used counts. ZeroGPU gives "
    "each visitor an amount a day, more with a login to the Hub ([how much]"
    "(https://huggingface.co/docs/hub/spaces-zerogpu#usage-and-quotas)). {free}"
)


def build_foot() -> gr.Markdown:
    """Build the foot; return its text, which can say more once it is known."""
    with gr.Row(elem_id="foot"):
        gr.DuplicateButton("Duplicate this Space", variant="secondary", scale=0, min_width=160)
        return gr.Markdown(FREE)


def quota_words(seconds: int | None) -> str:
    """Words on a run of so many seconds, where runs count against a visitor's day; None where that is not known."""
    return FREE if seconds is None else QUOTA.format(seconds=seconds, free=FREE)

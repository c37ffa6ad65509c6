"""A set of items: every record of a data set an item, several, or the reason why none.

What a record says is asked of `published`, how it is read of `attention.sets`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from attention.errors import AttentionError, InvalidRequest, quoted, shown_path
from attention.sets.reading import read_set

from .items import BadItem, Item
from .published import NAMES, items_of


def read_items(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    form: str | None = None,
    wording: str = "{}",
) -> list[Item | BadItem]:
    """The items of a file, as `attention.sets.reading.read_set` takes one, in its order; nothing is left out.

    A line that is no item is a BadItem. Pictures are named relative to the folder `images`, by default the file's own.
    `form` is one of `published.NAMES`, by default each line's own, by its fields; `wording` has each question in place
    of `{}`. Raises InvalidRequest where the file cannot be read or has no line, and for an unknown form or a wording
    without `{}`.
    """
    if form is not None and form not in NAMES:
        raise InvalidRequest(f"The form {quoted(form)} is not known; there is {', '.join(NAMES)}.")
    if not isinstance(wording, str) or "{}" not in wording:
        raise InvalidRequest(f"The wording is {quoted(wording)}; it must have {{}} where the question is to stand.")
    found: list[Item | BadItem] = []
    for record in read_set(path, images):
        try:
            if record.fields is None:
                raise InvalidRequest(record.reason or "It cannot be read.")
            found += items_of(record.fields, record.folder, record.name, form, wording)
        except AttentionError as error:
            found.append(BadItem(record.name, str(error)))
    if not found:
        raise InvalidRequest(f"{shown_path(path)} has no line. Each is an object with image, prompt, and box or click.")
    return found


def sampled(items: Sequence[Item | BadItem], n: int, seed: int = 0) -> list[Item | BadItem]:
    """So many of the items, drawn at random, in their order; all where there are no more. Raises InvalidRequest."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InvalidRequest(f"The sample is {quoted(n)} items; it must be at least 1.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidRequest(f"The seed is {quoted(seed)}; it is a whole number from 0 on.")
    drawn = np.random.default_rng(seed).permutation(len(items))[:n]
    return [items[i] for i in sorted(drawn)]
